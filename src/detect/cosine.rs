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
            for start in 0..width * 3 {
                along(picture, line, &rows, start, width * 3);
            }
            for y in 0..height {
                for colour in 0..3 {
                    along(picture, line, &columns, y * width * 3 + colour, 3);
                }
            }
        });
}

/// Transforms the values at `start`, `start + stride`, ... in place, as many as `basis` has functions.
fn along(values: &mut [f32], line: &mut Vec<f32>, basis: &[Vec<f32>], start: usize, stride: usize) {
    line.clear();
    line.extend((0..basis.len()).map(|i| values[start + i * stride]));
    for (k, function) in basis.iter().enumerate() {
        values[start + k * stride] = function.iter().zip(&*line).map(|(a, b)| a * b).sum();
    }
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
}
