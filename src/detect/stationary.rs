//! The covariance of pictures that look alike everywhere but for how much each pixel varies.
//!
//! Natural pictures are nearly such, and it takes few numbers to say: what the covariance of too few rows is shrunk
//! towards. Digits and other drawings vary in some places only. If that were left out, their even background would count
//! as varying as well, and what a perturbation adds there would be small beside it.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::coefficients::Coefficients;
use super::cosine::Cosine;

/// Deviation below which a pixel is dead, in [0, 1] units: that of 8-bit rounding, (1/255) / sqrt(12).
const DEAD: f64 = 1.1e-3;
const COLOURS: usize = 3;

/// Such a covariance, of coefficients in the cosine basis. Opponent colours share nothing.
pub(super) struct Stationary {
    /// Of the coefficients of each colour.
    colours: Vec<Mat<f64>>,
}

impl Stationary {
    /// That of pictures whose pixels vary about as those of the drop do, and which look alike everywhere once each pixel is
    /// in units of its own deviation. About: a dead frame lends its shape to the spectrum of what is inside.
    pub(super) fn of(coefficients: &Coefficients<'_>) -> Self {
        let (cosine, rows) = (coefficients.cosine(), &coefficients.all()[..]);
        let lives = |variance: f64| Some(variance.sqrt()).filter(|deviation| *deviation > DEAD);
        let pixels = coefficients.mean_squares(rows, |picture| cosine.back(picture));
        let deviations: Vec<Option<f64>> = pixels.into_iter().map(lives).collect();
        let scaled = |factor: &dyn Fn(f64) -> f64| -> Vec<f32> {
            let factor = |deviation: &Option<f64>| deviation.map_or(0.0, factor) as f32;
            deviations.iter().map(factor).collect()
        };
        let (down, up) = (scaled(&f64::recip), scaled(&|deviation| deviation));
        let spectrum = coefficients.mean_squares(rows, |picture| cosine.weigh(picture, &down));
        let weights = weights(cosine, &up);
        let of_colour = |colour: usize| {
            let alive = deviations.iter().skip(colour).step_by(COLOURS).flatten();
            // All that the living pixels vary, as if every pixel lived.
            let share = alive.count().max(1) as f64 / weights[colour].nrows() as f64;
            let mut half = weights[colour].clone();
            for (k, mut column) in half.col_iter_mut().enumerate() {
                column *= faer::Scale((spectrum[k * COLOURS + colour] / share).sqrt());
            }
            let mut product = Mat::zeros(half.nrows(), half.nrows());
            let (out, left, right) = (product.as_mut(), half.as_ref(), half.transpose());
            matmul(out, Accum::Replace, left, right, 1.0, Par::Seq);
            product
        };
        Self {
            colours: (0..COLOURS).into_par_iter().map(of_colour).collect(),
        }
    }

    /// Of two coefficients, numbered as in a picture `[height, width, 3]`.
    pub(super) fn covariance(&self, i: usize, j: usize) -> f64 {
        match i % COLOURS == j % COLOURS {
            true => self.colours[i % COLOURS][(i / COLOURS, j / COLOURS)],
            false => 0.0,
        }
    }
}

/// What [`Cosine::weigh`] does to the coefficients of each colour, as a matrix.
fn weights(cosine: &Cosine, factors: &[f32]) -> Vec<Mat<f64>> {
    let count = factors.len() / COLOURS;
    let columns: Vec<Vec<f32>> = (0..count)
        .into_par_iter()
        .map(|k| {
            let mut picture = vec![0f32; factors.len()];
            picture[k * COLOURS..(k + 1) * COLOURS].fill(1.0);
            cosine.weigh(&mut picture, factors);
            picture
        })
        .collect();
    let of_colour = |colour| {
        Mat::from_fn(count, count, |i, k| {
            f64::from(columns[k][i * COLOURS + colour])
        })
    };
    (0..COLOURS).map(of_colour).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use rand_distr::{Distribution, StandardNormal};

    const SIZE: (usize, usize) = (4, 4);
    const DIM: usize = SIZE.0 * SIZE.1 * COLOURS;

    /// Covariance of two grey pixels of pictures of noise, whose deviation is `deviations` in each row.
    fn between(a: usize, b: usize, deviations: [f32; SIZE.0]) -> f64 {
        let read = |i: usize, out: &mut [f32]| {
            let rng = &mut Seed(i as u64).stream("noise", 0);
            for (at, pixel) in out.chunks_exact_mut(COLOURS).enumerate() {
                let drawn: f32 = StandardNormal.sample(rng);
                pixel.fill(0.5 + deviations[at / SIZE.1] * drawn);
            }
        };
        let coefficients = Coefficients::of(2000, SIZE, &read);
        let stationary = Stationary::of(&coefficients);
        let grey = |at: usize| {
            let mut picture = vec![0f32; DIM];
            picture[at * COLOURS..(at + 1) * COLOURS].fill(1.0);
            coefficients.cosine().transform(&mut picture);
            picture
        };
        let (a, b) = (grey(a), grey(b));
        let all = (0..DIM).flat_map(|i| (0..DIM).map(move |j| (i, j)));
        // A grey pixel has three channels, each of which is a third of its brightness.
        all.map(|(i, j)| f64::from(a[i] * b[j]) * stationary.covariance(i, j) / 9.0)
            .sum()
    }

    #[test]
    fn pixels_vary_about_as_they_do_and_dead_ones_do_not() {
        let framed = [0.0, 0.2, 0.1, 0.0];
        for (at, deviation) in [(1, 0.0), (5, 0.2), (9, 0.1), (14, 0.0)] {
            let variance = between(at, at, framed);
            let expected = f64::powi(deviation, 2);
            assert!(
                (variance - expected).abs() < 0.3 * expected + 1e-6,
                "{at}: {variance}"
            );
        }
    }

    #[test]
    fn pixels_of_noise_share_nothing() {
        let shared = between(5, 6, [0.1, 0.2, 0.1, 0.1]);
        assert!(shared.abs() < 0.1 * 0.04, "{shared}");
    }
}
