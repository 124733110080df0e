//! The principal spectrum of the drop: the yardstick against which a small perturbation is large.
//!
//! Natural pictures put almost all of their variance into a few smooth directions. Measured in units of each
//! direction's own variance, a perturbation that the eye does not see stands out in the others.

use std::ops::Range;

use faer::Mat;
use rayon::prelude::*;

use super::coefficients::{Coefficients, DEAD};
use super::linalg::{CHUNK, Rows, eigen};
use super::stationary::Stationary;
use crate::Result;

/// One part in this many of the rows counts as quiet.
const QUIET: usize = 3;

/// Principal directions of the rows, least variant first.
pub(super) struct Spectrum<'a> {
    coefficients: &'a Coefficients<'a>,
    /// Variance of each direction, ascending.
    variances: Vec<f64>,
    /// Directions in the cosine basis, one a column, over their own standard deviation.
    scaled: Mat<f32>,
}

impl<'a> Spectrum<'a> {
    /// The covariance is shrunk towards one that takes few numbers to say ([`Stationary`]). With fewer rows than directions,
    /// the sample's own directions would fit the sample, not the pictures.
    pub(super) fn new(coefficients: &'a Coefficients<'a>) -> Result<Self> {
        let dim = coefficients.dim();
        let mut moments = Mat::<f32>::zeros(dim, dim);
        for chunk in coefficients.all().chunks(CHUNK) {
            let rows = coefficients.rows(chunk);
            rows.all().add_gram(&mut moments);
        }
        let target = Stationary::of(coefficients);
        let n = coefficients.len() as f64;
        let shrinkage = dim as f64 / (dim as f64 + n);
        let covariance = Mat::from_fn(dim, dim, |i, j| {
            let sample = f64::from(moments[(i.max(j), i.min(j))]) / n;
            sample + shrinkage * (target.covariance(i, j) - sample)
        });
        let (variances, vectors) = eigen(&covariance)?;
        let scaled = |i, j| (vectors[(i, j)] / (variances[j] + DEAD).sqrt()) as f32;
        Ok(Self {
            coefficients,
            scaled: Mat::from_fn(dim, dim, scaled),
            variances,
        })
    }

    /// How many of the least variant directions together hold at most `share` of the variance.
    fn directions_within(&self, share: f64) -> usize {
        let limit = share * self.variances.iter().sum::<f64>();
        let mut held = 0.0;
        self.variances
            .iter()
            .take_while(|&&variance| {
                held += variance;
                held <= limit
            })
            .count()
    }

    /// Coordinates in the least variant directions that together hold `share` of the variance, each direction scaled to
    /// unit variance and then each row to unit mean square: what a row carries where natural pictures hold little, without
    /// the loudness of its own texture. Rows quieter than most are not raised to that level: all that is left in an even
    /// sky is the trace of its encoder, which honest pictures of one class share. Rows in the given order, `[n, k]`, `k` at
    /// least 1.
    pub(super) fn faint(&self, share: f64, order: &[usize]) -> Rows {
        let k = self.directions_within(share).max(1);
        let mut faint = self.whitened(0..k, order);
        let loudness: Vec<f32> = faint.values.chunks_exact(k).map(root_mean_square).collect();
        let mut sorted = loudness.clone();
        sorted.sort_by(f32::total_cmp);
        let floor = sorted[sorted.len() / QUIET].max(f32::MIN_POSITIVE);
        for (row, loudness) in faint.values.chunks_exact_mut(k).zip(loudness) {
            row.iter_mut().for_each(|v| *v /= loudness.max(floor));
        }
        faint
    }

    /// Coordinates in all other directions than those of [`Spectrum::faint`], each scaled to unit variance: what people see.
    /// Rows in the given order, `[n, k]`.
    pub(super) fn visible(&self, share: f64, order: &[usize]) -> Rows {
        let faint = self.directions_within(share).min(self.variances.len() - 1);
        self.whitened(faint..self.variances.len(), order)
    }

    /// Coordinates in some directions, each in units of its own standard deviation.
    fn whitened(&self, directions: Range<usize>, order: &[usize]) -> Rows {
        let k = directions.len();
        let scaled = self.scaled.subcols(directions.start, k);
        let mut values = vec![0f32; order.len() * k];
        values
            .par_chunks_mut(CHUNK * k)
            .zip(order.par_chunks(CHUNK))
            .for_each(|(out, index)| self.coefficients.rows(index).all().times_into(scaled, out));
        Rows { values, dim: k }
    }
}

fn root_mean_square(row: &[f32]) -> f32 {
    (row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32).sqrt()
}
