//! Plasma: fractal maps by the diamond-square algorithm (Fournier et al., 1982) over a grid that doubles, and the changes
//! of brightness and contrast that follow them, as UEraser uses them.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

/// A map of `height` x `width` values in [0, 1]. The noise of each doubling is `roughness` times the one before.
pub(super) fn map(
    (height, width): (usize, usize),
    roughness: f32,
    rng: &mut ChaCha12Rng,
) -> Vec<f32> {
    let side = height
        .max(width)
        .saturating_sub(1)
        .next_power_of_two()
        .max(2);
    let stride = side + 1;
    let mut grid = vec![0.0f32; stride * stride];
    for corner in [0, side, side * stride, side * stride + side] {
        grid[corner] = rng.random();
    }
    let (mut cell, mut scale) = (side, 1.0f32);
    while cell > 1 {
        let half = cell / 2;
        // A new point is the mean of its neighbours, and noise, in shares that keep it in [0, 1].
        let mut set = |grid: &mut [f32], y: usize, x: usize, around: &[(isize, isize)]| {
            let near = around.iter().filter_map(|(dy, dx)| {
                let y = y.checked_add_signed(dy * half as isize)?;
                let x = x.checked_add_signed(dx * half as isize)?;
                (y <= side && x <= side).then(|| grid[y * stride + x])
            });
            let (sum, count) = near.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
            let noise: f32 = rng.random();
            grid[y * stride + x] = (1.0 - scale) * sum / count + scale * noise;
        };
        for y in (half..side).step_by(cell) {
            for x in (half..side).step_by(cell) {
                set(&mut grid, y, x, &[(-1, -1), (-1, 1), (1, -1), (1, 1)]);
            }
        }
        for y in (0..=side).step_by(half) {
            let first = if (y / half).is_multiple_of(2) {
                half
            } else {
                0
            };
            for x in (first..=side).step_by(cell) {
                set(&mut grid, y, x, &[(-1, 0), (1, 0), (0, -1), (0, 1)]);
            }
        }
        (cell, scale) = (half, scale * roughness);
    }
    let rows = (0..height).flat_map(|y| &grid[y * stride..y * stride + width]);
    rows.copied().collect()
}

/// Adds `intensity` times the map, stretched to [-1, 1], to every channel.
pub(super) fn brightness(picture: &mut [f32], map: &[f32], intensity: f32) {
    for (pixel, value) in picture.chunks_exact_mut(3).zip(map) {
        for channel in pixel {
            *channel = (*channel + intensity * (2.0 * value - 1.0)).clamp(0.0, 1.0);
        }
    }
}

/// Multiplies the distance from mid-grey by four times the map.
pub(super) fn contrast(picture: &mut [f32], map: &[f32]) {
    for (pixel, value) in picture.chunks_exact_mut(3).zip(map) {
        for channel in pixel {
            *channel = ((*channel - 0.5) * 4.0 * value + 0.5).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn maps_are_in_range_and_rougher_where_asked() {
        let step = |roughness| {
            let mut sum = 0.0;
            for index in 0..20 {
                let map = map((20, 32), roughness, &mut Seed(0).stream("plasma", index));
                assert_eq!(map.len(), 20 * 32);
                assert!(map.iter().all(|value| (0.0..=1.0).contains(value)));
                sum += map
                    .windows(2)
                    .map(|pair| (pair[1] - pair[0]).abs())
                    .sum::<f32>();
            }
            sum
        };
        assert!(step(0.7) > 1.5 * step(0.3), "{} {}", step(0.7), step(0.3));
    }

    #[test]
    fn a_middling_map_leaves_brightness_and_a_quarter_leaves_contrast() {
        let picture: Vec<f32> = (0..12).map(|i| i as f32 / 12.0).collect();
        let close = |a: &[f32]| a.iter().zip(&picture).all(|(a, b)| (a - b).abs() < 1e-6);
        let mut bright = picture.clone();
        brightness(&mut bright, &[0.5; 4], 1.0);
        assert!(close(&bright));
        let mut same = picture.clone();
        contrast(&mut same, &[0.25; 4]);
        assert!(close(&same));
        contrast(&mut same, &[0.0; 4]);
        assert!(same.iter().all(|&value| value == 0.5));
    }
}
