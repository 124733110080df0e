//! The gradients of an optimiser's parameters, and their joint norm limited as PyTorch's `clip_grad_norm_` does.

use candle_core::Var;
use rayon::prelude::*;

use crate::Result;
use crate::nn::Gradients;
use crate::nn::params::values;

/// The gradient of each parameter, `None` where there is none, and what to know of them all.
pub(super) struct Clipped {
    pub(super) gradients: Vec<Option<Vec<f32>>>,
    /// Their joint norm as it was.
    pub(super) norm: f64,
    /// What each has to be multiplied by for the norm to keep to its limit.
    pub(super) scale: f32,
}

impl Clipped {
    /// Of `vars`; without a `limit` the scale is 1.
    pub(super) fn new<'a>(
        gradients: &Gradients,
        vars: impl Iterator<Item = &'a Var>,
        limit: Option<f64>,
    ) -> Result<Self> {
        let gradients = vars
            .map(|var| gradients.get(var))
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|gradient| gradient.map(values).transpose())
            .collect::<Result<Vec<_>>>()?;
        let squares: Vec<f64> = gradients
            .par_iter()
            .map(|gradient| {
                let squares = gradient.iter().flatten().map(|g| f64::from(*g).powi(2));
                squares.sum()
            })
            .collect();
        let norm = squares.iter().sum::<f64>().sqrt();
        // PyTorch divides by the norm plus 1e-6.
        let scale = limit.map_or(1.0, |limit| (limit / (norm + 1e-6)).min(1.0));
        Ok(Self {
            gradients,
            norm,
            scale: scale as f32,
        })
    }
}
