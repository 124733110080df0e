//! The exponential function in a form that compilers turn into vectors; the C library's takes one number at a time.

/// `e` to the `x`, to two units in the last place; flushed to the smallest and held to the largest normal numbers.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // 1.5 * 2^23: adding it rounds to an integer, which the lowest bits of the sum then hold.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few digits, so that its multiples are exact (Cody and Waite, 1980).
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.clamp(-87.3, 88.3);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = rounded - ROUND;
    let r = x - power * LN_2[0] - power * LN_2[1];
    // Cephes' polynomial for |r| <= ln 2 / 2.
    let tail = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let tail = tail.iter().fold(1.987_569_2e-4, |sum, c| sum * r + c);
    let scale = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    (tail * r * r + r + 1.0) * scale
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn agrees_with_the_library() {
        for step in -8700..=8830 {
            let x = step as f32 * 0.01;
            let (actual, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(
                (actual / expected - 1.0).abs() < 2.5e-7,
                "{x}: {actual} {expected}"
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }
}
