//! The principal spectrum of the drop: the yardstick against which a small perturbation is large.
//!
//! Natural pictures put almost all of their variance into a few smooth directions. Measured in units of each
//! direction's own variance, a perturbation that the eye does not see stands out in the others.

use faer::Mat;

use super::linalg::{Rows, eigen};
use crate::Result;

/// Variance below which a direction is dead (a constant border, a grey picture): well under that of 8-bit rounding,
/// (1/255)^2 / 12 = 1.3e-6, in [0,1] pixel units.
const DEAD: f64 = 1e-6;

/// Principal directions of a set of rows, least variant first, and the rows' coordinates in them.
pub(super) struct Spectrum {
    /// Variance of each direction, ascending.
    variances: Vec<f64>,
    /// Centred coordinates, `[n, dim]`.
    coordinates: Rows,
}

impl Spectrum {
    /// Of `rows` (pixels in [0,1]), which are centred in place.
    pub(super) fn new(mut rows: Rows) -> Result<Self> {
        centre(&mut rows);
        let covariance = rows.gram();
        let n = rows.len() as f64;
        let covariance = Mat::from_fn(rows.dim, rows.dim, |i, j| f64::from(covariance[(i, j)]) / n);
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
    /// the loudness of its own texture. `[n, k]`, `k` at least 1.
    pub(super) fn faint(&self, share: f64) -> Rows {
        let k = self.directions_within(share).max(1);
        let mut faint = self.whitened(k);
        for row in faint.values.chunks_exact_mut(k) {
            let energy = row.iter().map(|v| v * v).sum::<f32>() / k as f32;
            let scale = 1.0 / energy.max(f32::MIN_POSITIVE).sqrt();
            row.iter_mut().for_each(|v| *v *= scale);
        }
        faint
    }

    /// Coordinates in the `k` least variant directions, each in units of its own standard deviation.
    pub(super) fn whitened(&self, k: usize) -> Rows {
        let dim = self.coordinates.dim;
        let scale: Vec<f32> = self.variances[..k]
            .iter()
            .map(|v| (1.0 / (v + DEAD).sqrt()) as f32)
            .collect();
        let values = self
            .coordinates
            .values
            .chunks_exact(dim)
            .flat_map(|row| row[..k].iter().zip(&scale).map(|(v, s)| v * s))
            .collect();
        Rows { values, dim: k }
    }

    /// Number of directions.
    pub(super) fn dim(&self) -> usize {
        self.variances.len()
    }
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
