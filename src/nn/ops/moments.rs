//! Mean and variance of each channel, gathered part by part with the update of Chan, Golub and LeVeque (1979), which does
//! not cancel where the mean is large, and merged in the order of the parts.

use rayon::prelude::*;

use super::PART;
use crate::kernel::vectorised;

/// Mean and biased variance of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// How many numbers each channel has.
    pub count: f64,
    /// `[channels]`.
    pub mean: Vec<f64>,
    /// `[channels]`, divided by the count.
    pub variance: Vec<f64>,
}

/// Whole rows of `channels` numbers, about [`PART`] in all.
pub(super) fn part(channels: usize) -> usize {
    (PART / channels.max(1)).max(1) * channels.max(1)
}

impl Moments {
    /// Rows whose mean is taken before their spread: they stay in the first-level cache between the two passes.
    const ROWS: usize = 64;

    fn zero(channels: usize) -> Self {
        Self {
            count: 0.0,
            mean: vec![0.0; channels],
            variance: vec![0.0; channels],
        }
    }

    /// Of a `[rows, channels]` matrix.
    pub(super) fn of(values: &[f32], channels: usize) -> Self {
        let mut total = Self::zero(channels);
        let mut mean = vec![0.0f32; channels];
        let mut spread = vec![0.0f32; channels];
        for block in values.chunks(Self::ROWS * channels.max(1)) {
            vectorised(
                #[inline(always)]
                || mean_and_spread(block, &mut mean, &mut spread),
            );
            let count = (block.len() / channels.max(1)) as f64;
            total.absorb(count, |c| {
                (f64::from(mean[c]), f64::from(spread[c]) / count)
            });
        }
        total
    }

    /// As [`Moments::of`], spread over threads.
    pub(super) fn of_parts(values: &[f32], channels: usize) -> Self {
        let parts: Vec<Self> = values
            .par_chunks(part(channels))
            .map(|part| Self::of(part, channels))
            .collect();
        let mut total = Self::zero(channels);
        for part in &parts {
            total.absorb(part.count, |c| (part.mean[c], part.variance[c]));
        }
        total
    }

    /// Joins `count` more numbers a channel, of the given mean and biased variance.
    fn absorb(&mut self, count: f64, of: impl Fn(usize) -> (f64, f64)) {
        let total = self.count + count;
        let weight = count / total;
        for (c, (mean, variance)) in self.mean.iter_mut().zip(&mut self.variance).enumerate() {
            let (other_mean, other_variance) = of(c);
            let shift = other_mean - *mean;
            *mean += shift * weight;
            *variance = *variance * (1.0 - weight)
                + other_variance * weight
                + shift * shift * weight * (1.0 - weight);
        }
        self.count = total;
    }
}

/// Mean of each channel and sum of the squared deviations from it.
#[inline(always)]
fn mean_and_spread(rows: &[f32], mean: &mut [f32], spread: &mut [f32]) {
    let channels = mean.len();
    let count = (rows.len() / channels.max(1)) as f32;
    mean.fill(0.0);
    spread.fill(0.0);
    for row in rows.chunks_exact(channels) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
    }
    mean.iter_mut().for_each(|mean| *mean /= count);
    for row in rows.chunks_exact(channels) {
        for ((spread, x), mean) in spread.iter_mut().zip(row).zip(&*mean) {
            *spread += (x - mean) * (x - mean);
        }
    }
}
