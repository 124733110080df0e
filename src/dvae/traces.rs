//! What a D-VAE leaves on each row, in little memory.

use half::f16;

use super::{Dvae, Latent};
use crate::Result;
use crate::data::Dataset;
use crate::observe::Observer;

/// What the rate limit and the perturbation decoder make of the readable rows, in block order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Traces {
    /// x - x̂, `[readable, height, width, 3]` in [0, 1] pixel units, at half precision: its error is below a twentieth of
    /// an 8-bit level for all differences below 100 levels.
    pub residual: Vec<f16>,
    /// l2 norm of p̂, in [0, 1] pixel units.
    pub perturbation_l2: Vec<f64>,
    /// Largest absolute value of p̂, in [0, 1] pixel units.
    pub perturbation_linf: Vec<f64>,
}

impl Dvae {
    /// Takes every readable row of `data` apart, from the mean of its latent, and keeps the traces.
    ///
    /// # Errors
    /// As [`Dvae::apply_batches`].
    pub fn traces(&self, data: &Dataset, observer: &dyn Observer) -> Result<Traces> {
        let size = data.height * data.width * 3;
        let mut traces = Traces {
            residual: Vec::with_capacity(data.pixels().len()),
            ..Traces::default()
        };
        self.apply_batches(data, Latent::Mean, observer, |batch| {
            let first = batch.rows.start * size;
            let pixels = &data.pixels()[first..first + batch.reconstruction.len()];
            let pairs = pixels.iter().zip(&batch.reconstruction);
            let residual = pairs.map(|(&x, r)| f16::from_f32(f32::from(x) / 255.0 - r));
            traces.residual.extend(residual);
            let perturbations = batch.perturbation.chunks_exact(size);
            traces.perturbation_l2.extend(perturbations.clone().map(l2));
            traces.perturbation_linf.extend(perturbations.map(linf));
            Ok(())
        })?;
        Ok(traces)
    }
}

fn l2(values: &[f32]) -> f64 {
    let squares = values.iter().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>().sqrt()
}

fn linf(values: &[f32]) -> f64 {
    f64::from(values.iter().fold(0f32, |most, v| most.max(v.abs())))
}
