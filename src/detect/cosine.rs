//! The cosine basis: where the covariance of stationary pictures is all but diagonal.

use std::f64::consts::PI;

use crate::kernel::vectorised;

/// Orthonormal opponent colours: brightness, red against blue, green against both.
const COLOURS: [[f32; 3]; 3] = [
    [0.577_350_26, 0.577_350_26, 0.577_350_26],
    [0.707_106_77, 0.0, -0.707_106_77],
    [0.408_248_3, -0.816_496_6, 0.408_248_3],
];

/// The transform of pictures of one size.
pub(super) struct Cosine {
    height: usize,
    width: usize,
    /// One function a row, and the same turned about.
    rows: [Vec<Vec<f32>>; 2],
    columns: [Vec<Vec<f32>>; 2],
}

impl Cosine {
    pub(super) fn new((height, width): (usize, usize)) -> Self {
        let both = |basis: Vec<Vec<f32>>| [basis.clone(), transposed(&basis)];
        Self {
            height,
            width,
            rows: both(basis(height)),
            columns: both(basis(width)),
        }
    }

    /// Height and width of the pictures.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Replaces a picture `[height, width, 3]` by its orthonormal two-dimensional cosine transform (type II) in opponent
    /// colours, in the same layout.
    pub(super) fn transform(&self, picture: &mut [f32]) {
        for pixel in picture.chunks_exact_mut(3) {
            let rgb = [pixel[0], pixel[1], pixel[2]];
            for (value, colour) in pixel.iter_mut().zip(COLOURS) {
                *value = colour.iter().zip(rgb).map(|(a, b)| a * b).sum();
            }
        }
        self.turn(picture, 0);
    }

    /// Undoes [`Cosine::transform`] but for the colours: pixels in opponent colours.
    pub(super) fn back(&self, coefficients: &mut [f32]) {
        self.turn(coefficients, 1);
    }

    /// Replaces coefficients by those of the picture whose pixels, in opponent colours, are multiplied by `factors`.
    pub(super) fn weigh(&self, coefficients: &mut [f32], factors: &[f32]) {
        self.back(coefficients);
        let pixels = coefficients.iter_mut().zip(factors);
        pixels.for_each(|(pixel, factor)| *pixel *= factor);
        self.turn(coefficients, 0);
    }

    fn turn(&self, picture: &mut [f32], way: usize) {
        let (rows, columns) = (&self.rows[way], &self.columns[1 - way]);
        vectorised(
            #[inline(always)]
            move || {
                down(picture, rows);
                let mut colours = vec![0f32; columns.len() * 3];
                for row in picture.chunks_exact_mut(columns.len() * 3) {
                    along(row, &mut colours, columns);
                }
            },
        );
    }
}

/// Multiplies `matrix` from the left with `values`, as many equal rows as the matrix has columns, in place.
#[inline(always)]
fn down(values: &mut [f32], matrix: &[Vec<f32>]) {
    let before = values.to_vec();
    let width = values.len() / matrix.len();
    for (out, weights) in values.chunks_exact_mut(width).zip(matrix) {
        out.fill(0.0);
        for (input, weight) in before.chunks_exact(width).zip(weights) {
            add(out, input, *weight);
        }
    }
}

/// Multiplies `matrix`, one input a row, from the right with each colour of a line of pixels, in place; `colours` is room
/// for the line with its colours apart.
#[inline(always)]
fn along(line: &mut [f32], colours: &mut [f32], matrix: &[Vec<f32>]) {
    colours.fill(0.0);
    for (pixel, weights) in line.chunks_exact(3).zip(matrix) {
        for (out, value) in colours.chunks_exact_mut(weights.len()).zip(pixel) {
            add(out, weights, *value);
        }
    }
    let width = matrix.len();
    for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
        for (colour, value) in pixel.iter_mut().enumerate() {
            *value = colours[colour * width + x];
        }
    }
}

/// Adds `factor` times `values` to `out`.
#[inline(always)]
fn add(out: &mut [f32], values: &[f32], factor: f32) {
    out.iter_mut()
        .zip(values)
        .for_each(|(out, value)| *out += factor * value);
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
        Cosine::new((height, width)).transform(&mut picture);
        assert!((norm(&picture) / before - 1.0).abs() < 1e-5);

        let mut flat = vec![0.5f32; height * width * 3];
        Cosine::new((height, width)).transform(&mut flat);
        assert!((flat[0] - 0.5 * 90f32.sqrt()).abs() < 1e-5, "{}", flat[0]);
        assert!(flat[1..].iter().all(|v| v.abs() < 1e-5));
    }

    #[test]
    fn the_way_back_gives_the_opponent_colours_of_the_picture() {
        let (height, width) = (6, 5);
        let picture: Vec<f32> = (0..height * width * 3).map(|i| (i as f32).sin()).collect();
        let mut there = picture.clone();
        let cosine = Cosine::new((height, width));
        cosine.transform(&mut there);
        cosine.back(&mut there);
        for (pixel, rgb) in there.chunks_exact(3).zip(picture.chunks_exact(3)) {
            for (value, colour) in pixel.iter().zip(COLOURS) {
                let expected: f32 = colour.iter().zip(rgb).map(|(a, b)| a * b).sum();
                assert!((value - expected).abs() < 1e-5, "{value} {expected}");
            }
        }
    }
}
