//! Is one set of evidence more than another, and by more than chance?

use crate::stats::moments;

/// Least excess of the mean evidence under the own label over that of the rest, in deviations under wrong labels...
const EXCESS: f64 = 0.5;
/// ...and in standard errors of the difference.
const SURE: f64 = 4.0;

/// Whether the `faint` evidence of some rows is more than so many `times` what is `seen` of them, on the mean and by more than
/// chance. It must be more than nothing as well: what is seen may be below zero, and must not speak for the faint part then.
pub(super) fn outweighs(faint: &[f64], seen: &[f64], times: f64) -> bool {
    [0.0, times].iter().all(|times| {
        let pairs = faint.iter().zip(seen);
        let beyond: Vec<f64> = pairs.map(|(faint, seen)| faint - times * seen).collect();
        let (mean, deviation) = moments(&beyond);
        mean >= SURE * deviation / (beyond.len() as f64).sqrt()
    })
}

/// Whether the mean of `one` is at least so many `times` that of the `other`, by more than chance.
pub(super) fn mean_is_times(one: &[f64], other: &[f64], times: f64) -> bool {
    let other: Vec<f64> = other.iter().map(|value| times * value).collect();
    difference(one, &other).0 >= 0.0
}

/// Whether the mean of `one` is by [`EXCESS`] and more above that of the `other`, and by more than chance.
pub(super) fn mean_exceeds(one: &[f64], other: &[f64]) -> bool {
    let (surely, difference) = difference(one, other);
    difference >= EXCESS && surely >= 0.0
}

/// By how much the mean of `one` is above that of the `other`, less what chance may do, and as it is.
fn difference(one: &[f64], other: &[f64]) -> (f64, f64) {
    let ((mean, deviation), (rest, spread)) = (moments(one), moments(other));
    let error = |deviation: f64, rows: &[f64]| deviation.powi(2) / rows.len().max(1) as f64;
    let difference = mean - rest;
    let sure = SURE * (error(deviation, one) + error(spread, other)).sqrt();
    (difference - sure, difference)
}

/// Whether the mean is above zero, by more than chance.
pub(super) fn is_positive(values: &[f64]) -> bool {
    difference(values, &[]).0 >= 0.0
}

#[cfg(test)]
mod tests {
    use super::super::eye::BEYOND;
    use super::*;

    #[test]
    fn what_is_seen_as_well_is_no_link() {
        let draw = |mean: f64, step: usize| -> Vec<f64> {
            (0..200)
                .step_by(2)
                .map(|i| mean + (i * step % 7) as f64 - 3.0)
                .collect()
        };
        assert!(outweighs(&draw(5.0, 3), &draw(1.0, 5), BEYOND));
        assert!(!outweighs(&draw(5.0, 3), &draw(4.0, 5), BEYOND));
        assert!(
            !outweighs(&draw(1.6, 3), &draw(1.0, 5), BEYOND),
            "by chance"
        );
        assert!(!outweighs(&draw(0.0, 3), &draw(-5.0, 5), BEYOND), "nothing");
    }
}
