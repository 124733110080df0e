//! The cosine basis: where the covariance of stationary pictures is all but diagonal.

use std::f64::consts::PI;

use rayon::prelude::*;

/// Orthonormal opponent colours: brightness, red against blue, green against both.
const COLOURS: [[f32; 3]; 3] = [
    [0.577_350_26, 0.577_350_26, 0.577_350_26],
    [0.707_106_77, 0.0, -0.707_106_77],
    [0.408_248_3, -0.816_496_6, 0.408_248_3],
];

/// Replaces each picture of `[n, height, width, 3]` by its orthonormal two-dimensional cosine transform (type II) in
/// opponent colours, in the same layout.
pub(super) fn transform(pictures: &mut [f32], height: usize, width: usize) {
    let (rows, columns) = (basis(height), basis(width));
    pictures
        .par_chunks_exact_mut(height * width * 3)
        .for_each_init(Vec::new, |line, picture| {
            for pixel in picture.chunks_exact_mut(3) {
                let rgb = [pixel[0], pixel[1], pixel[2]];
                for (value, colour) in pixel.iter_mut().zip(COLOURS) {
                    *value = colour.iter().zip(rgb).map(|(a, b)| a * b).sum();
                }
            }
            down(picture, line, &rows);
            picture
                .chunks_exact_mut(width * 3)
                .for_each(|row| down(row, line, &columns));
        });
}

/// Undoes [`transform`] but for the colours: pixels in opponent colours.
pub(super) fn back(coefficients: &mut [f32], height: usize, width: usize) {
    let (rows, columns) = (transposed(&basis(height)), transposed(&basis(width)));
    coefficients
        .par_chunks_exact_mut(height * width * 3)
        .for_each_init(Vec::new, |line, picture| {
            down(picture, line, &rows);
            picture
                .chunks_exact_mut(width * 3)
                .for_each(|row| down(row, line, &columns));
        });
}

/// Multiplies `matrix` from the left with `values`, as many equal rows as the matrix has columns, in place.
fn down(values: &mut [f32], line: &mut Vec<f32>, matrix: &[Vec<f32>]) {
    line.clear();
    line.extend_from_slice(values);
    let width = values.len() / matrix.len();
    for (out, weights) in values.chunks_exact_mut(width).zip(matrix) {
        out.fill(0.0);
        for (input, weight) in line.chunks_exact(width).zip(weights) {
            out.iter_mut()
                .zip(input)
                .for_each(|(out, value)| *out += weight * value);
        }
    }
}

fn transposed(matrix: &[Vec<f32>]) -> Vec<Vec<f32>> {
    (0..matrix.len())
        .map(|i| matrix.iter().map(|row| row[i]).collect())
        .collect()
}

/// The `n` cosine functions on `n` points, lowest frequency first.
fn basis(n: usize) -> Vec<Vec<f32>> {
    let function = |k: usize| {
        let scale = (if k == 0 { 1.0 } else { 2.0 } / n as f64).sqrt();
        (0..n)
            .map(|i| (scale * (PI * (i as f64 + 0.5) * k as f64 / n as f64).cos()) as f32)
            .collect()
    };
    (0..n).map(function).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_norm_and_gathers_a_flat_picture_in_one_number() {
        let (height, width) = (6, 5);
        let mut picture: Vec<f32> = (0..height * width * 3).map(|i| (i as f32).sin()).collect();
        let norm = |p: &[f32]| p.iter().map(|v| v * v).sum::<f32>();
        let before = norm(&picture);
        transform(&mut picture, height, width);
        assert!((norm(&picture) / before - 1.0).abs() < 1e-5);

        let mut flat = vec![0.5f32; height * width * 3];
        transform(&mut flat, height, width);
        assert!((flat[0] - 0.5 * 90f32.sqrt()).abs() < 1e-5, "{}", flat[0]);
        assert!(flat[1..].iter().all(|v| v.abs() < 1e-5));
    }

    #[test]
    fn the_way_back_gives_the_opponent_colours_of_the_picture() {
        let (height, width) = (6, 5);
        let picture: Vec<f32> = (0..height * width * 3).map(|i| (i as f32).sin()).collect();
        let mut there = picture.clone();
        transform(&mut there, height, width);
        back(&mut there, height, width);
        for (pixel, rgb) in there.chunks_exact(3).zip(picture.chunks_exact(3)) {
            for (value, colour) in pixel.iter().zip(COLOURS) {
                let expected: f32 = colour.iter().zip(rgb).map(|(a, b)| a * b).sum();
                assert!((value - expected).abs() < 1e-5, "{value} {expected}");
            }
        }
    }
}
