//! One operation of random strength a picture (TrivialAugment, Müller and Hutter, ICCV 2021): those of its list that change
//! position, light or depth. Equalise, autocontrast and sharpness of the original list are left out.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

/// Applies one random operation to a picture, `[height, width, 3]` in [0, 1].
pub(super) fn augment(picture: &mut [f32], size: (usize, usize), rng: &mut ChaCha12Rng) {
    let strength: f32 = rng.random_range(-1.0..=1.0);
    match rng.random_range(0..10) {
        0 => {}
        1 => blend(picture, strength, |_| 0.0),
        2 => {
            let mean = picture.iter().sum::<f32>() / picture.len() as f32;
            blend(picture, strength, |_| mean);
        }
        3 => blend(picture, strength, |pixel| {
            0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
        }),
        4 => {
            let levels = (2.0 + 6.0 * (1.0 - strength.abs())).floor().exp2();
            let posterize = |value: &mut f32| {
                *value = (*value * levels).floor().min(levels - 1.0) / (levels - 1.0)
            };
            picture.iter_mut().for_each(posterize);
        }
        5 => {
            let threshold = 1.0 - strength.abs();
            let above = |value: &&mut f32| **value >= threshold;
            picture
                .iter_mut()
                .filter(above)
                .for_each(|value| *value = 1.0 - *value);
        }
        6 => warp(
            picture,
            size,
            [[1.0, 0.0], [0.99 * strength, 1.0]],
            [0.0; 2],
        ),
        7 => warp(
            picture,
            size,
            [[1.0, 0.99 * strength], [0.0, 1.0]],
            [0.0; 2],
        ),
        8 => {
            let shift = strength * size.0.max(size.1) as f32 / 3.0;
            let along = if rng.random_bool(0.5) {
                [shift, 0.0]
            } else {
                [0.0, shift]
            };
            warp(picture, size, [[1.0, 0.0], [0.0, 1.0]], along);
        }
        _ => {
            let (sin, cos) = (strength * 135.0f32.to_radians()).sin_cos();
            warp(picture, size, [[cos, -sin], [sin, cos]], [0.0; 2]);
        }
    }
}

/// Moves each pixel away from (`strength` > 0) or towards what `base` makes of it.
fn blend(picture: &mut [f32], strength: f32, base: impl Fn(&[f32]) -> f32) {
    let factor = 1.0 + 0.99 * strength;
    for pixel in picture.chunks_exact_mut(3) {
        let base = base(pixel);
        for value in pixel {
            *value = (base + factor * (*value - base)).clamp(0.0, 1.0);
        }
    }
}

/// Each pixel shows the nearest one to `matrix` times its place from the centre, plus `shift`; black beyond the border.
fn warp(
    picture: &mut [f32],
    (height, width): (usize, usize),
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
) {
    let source = picture.to_vec();
    let centre = [(height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0];
    for (at, pixel) in picture.chunks_exact_mut(3).enumerate() {
        let place = [
            (at / width) as f32 - centre[0],
            (at % width) as f32 - centre[1],
        ];
        let from = [0, 1].map(|axis| {
            let row = matrix[axis];
            (row[0] * place[0] + row[1] * place[1] + centre[axis] + shift[axis]).round()
        });
        let inside =
            (0.0..height as f32).contains(&from[0]) && (0.0..width as f32).contains(&from[1]);
        match inside {
            true => {
                let start = (from[0] as usize * width + from[1] as usize) * 3;
                pixel.copy_from_slice(&source[start..start + 3]);
            }
            false => pixel.fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn picture() -> Vec<f32> {
        (0..8 * 6 * 3).map(|i| (i % 29) as f32 / 29.0).collect()
    }

    #[test]
    fn every_operation_keeps_the_range_and_most_change_something() {
        let mut changed = 0;
        for index in 0..200 {
            let mut out = picture();
            augment(&mut out, (8, 6), &mut Seed(0).stream("trivial", index));
            assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
            changed += usize::from(out != picture());
        }
        assert!((140..200).contains(&changed), "{changed}");
    }

    #[test]
    fn warps_move_what_they_say() {
        let mut same = picture();
        warp(&mut same, (8, 6), [[1.0, 0.0], [0.0, 1.0]], [0.0; 2]);
        assert_eq!(same, picture());
        let mut down = picture();
        warp(&mut down, (8, 6), [[1.0, 0.0], [0.0, 1.0]], [-2.0, 0.0]);
        assert!(down[..36].iter().all(|&value| value == 0.0));
        assert_eq!(down[36..], picture()[..6 * 6 * 3]);
        let mut turned = picture();
        warp(&mut turned, (8, 6), [[-1.0, 0.0], [0.0, -1.0]], [0.0; 2]);
        assert_eq!(turned[..3], picture()[47 * 3..]);
    }
}
