//! The principal spectrum of the drop: the yardstick against which a small perturbation is large.
//!
//! Natural pictures put almost all of their variance into a few smooth directions. Measured in units of each
//! direction's own variance, a perturbation that the eye does not see stands out in the others.

use std::ops::Range;

use faer::Mat;

use super::cosine;
use super::linalg::{Rows, eigen};
use crate::Result;

/// Variance below which a direction is dead (a constant border, a grey picture): well under that of 8-bit rounding,
/// (1/255)^2 / 12 = 1.3e-6, in [0,1] pixel units.
const DEAD: f64 = 1e-6;

/// One part in this many of the rows counts as quiet.
const QUIET: usize = 3;

/// Principal directions of a set of rows, least variant first, and the rows' coordinates in them.
pub(super) struct Spectrum {
    /// Variance of each direction, ascending.
    variances: Vec<f64>,
    /// Centred coordinates, `[n, dim]`.
    coordinates: Rows,
}

impl Spectrum {
    /// Of `pixels` in \[0, 1\], `[n, height, width, 3]`.
    ///
    /// The covariance is shrunk towards the one that stationary pictures would have: diagonal in the cosine basis, where
    /// each variance is an average over all rows. With fewer rows than directions, the sample's own directions would fit
    /// the sample, not the pictures.
    pub(super) fn new(pixels: Vec<f32>, (height, width): (usize, usize)) -> Result<Self> {
        let mut rows = Rows {
            dim: height * width * 3,
            values: pixels,
        };
        cosine::transform(&mut rows.values, height, width);
        centre(&mut rows);
        let moments = rows.gram();
        let n = rows.len() as f64;
        let shrinkage = rows.dim as f64 / (rows.dim as f64 + n);
        let covariance = Mat::from_fn(rows.dim, rows.dim, |i, j| {
            let keep = if i == j { 1.0 } else { 1.0 - shrinkage };
            keep * f64::from(moments[(i, j)]) / n
        });
        let (variances, vectors) = eigen(&covariance)?;
        let vectors = Mat::from_fn(rows.dim, rows.dim, |i, j| vectors[(i, j)] as f32);
        let coordinates = rows.times(vectors.as_ref());
        Ok(Self {
            variances,
            coordinates,
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
    /// sky is the trace of its encoder, which honest pictures of one class share. `[n, k]`, `k` at least 1.
    pub(super) fn faint(&self, share: f64) -> Rows {
        let k = self.directions_within(share).max(1);
        let mut faint = self.whitened(0..k);
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
    /// `[n, k]`.
    pub(super) fn visible(&self, share: f64) -> Rows {
        let faint = self.directions_within(share).min(self.variances.len() - 1);
        self.whitened(faint..self.variances.len())
    }

    /// Coordinates in some directions, each in units of its own standard deviation.
    fn whitened(&self, directions: Range<usize>) -> Rows {
        let scale: Vec<f32> = self.variances[directions.clone()]
            .iter()
            .map(|v| (1.0 / (v + DEAD).sqrt()) as f32)
            .collect();
        let rows = self.coordinates.values.chunks_exact(self.coordinates.dim);
        let values = rows.flat_map(|row| {
            let part = row[directions.clone()].iter();
            part.zip(&scale).map(|(v, s)| v * s)
        });
        Rows {
            values: values.collect(),
            dim: scale.len(),
        }
    }
}

fn root_mean_square(row: &[f32]) -> f32 {
    (row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32).sqrt()
}

/// Subtracts the mean row.
fn centre(rows: &mut Rows) {
    let n = rows.len() as f64;
    let mut mean = vec![0f64; rows.dim];
    for row in rows.values.chunks_exact(rows.dim) {
        for (m, v) in mean.iter_mut().zip(row) {
            *m += f64::from(*v);
        }
    }
    for row in rows.values.chunks_exact_mut(rows.dim) {
        for (v, m) in row.iter_mut().zip(&mean) {
            *v -= (m / n) as f32;
        }
    }
}
