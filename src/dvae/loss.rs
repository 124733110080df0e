//! The objective, term by term: Eq. 14 with the means, clamp and energy limit of the published training.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{DvaeConfig, Output};
use crate::Result;
use crate::nn::ops::{clamp_unit, gaussian_kl, mean_square, mean_square_error};

/// The limits and weights in force at one point of the training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Rate that costs nothing, nats per latent position.
    pub kld_limit: f64,
    /// Weight of the rate above it.
    pub kld_weight: f64,
    /// Mean square of p̂ that costs nothing; `None` while its energy is free.
    pub energy_limit: Option<f64>,
}

/// The value of each term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Mean of (x̂ - x)².
    pub reconstruction: f32,
    /// Mean of (clamp(x̂ + p̂, 0, 1) - x)²; 0 without the perturbation decoder.
    pub disentangled: f32,
    /// Rate, nats per latent position.
    pub kld: f32,
    /// Mean of p̂²; 0 without the perturbation decoder.
    pub energy: f32,
}

/// The objective of one batch.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is minimised, a scalar.
    pub total: Tensor,
    /// Its terms.
    pub losses: Losses,
}

impl Objective {
    /// The objective in epoch `epoch`, counted from 0.
    pub fn at_epoch(config: &DvaeConfig, epoch: usize) -> Self {
        Self {
            kld_limit: config.kld_limit,
            kld_weight: config.kld_weight(),
            energy_limit: (epoch >= config.energy_epoch).then_some(config.energy_limit),
        }
    }

    /// The objective of `output` for images `x`. A term below its limit is a constant and has no gradient.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn evaluate(&self, x: &Tensor, output: &Output) -> Result<Terms> {
        let reconstruction = mean_square_error(&output.reconstruction, x)?;
        let kld = gaussian_kl(&output.mean, &output.log_variance)?;
        let mut losses = Losses {
            reconstruction: reconstruction.to_scalar()?,
            kld: kld.to_scalar()?,
            ..Losses::default()
        };
        let rate = (at_least(&kld, self.kld_limit)? * self.kld_weight)?;
        let mut total = (reconstruction + rate)?;
        if let Some(perturbation) = &output.perturbation {
            let sum = clamp_unit(&(&output.reconstruction + perturbation)?)?;
            let disentangled = mean_square_error(&sum, x)?;
            let energy = mean_square(perturbation)?;
            losses.disentangled = disentangled.to_scalar()?;
            losses.energy = energy.to_scalar()?;
            total = (total + disentangled)?;
            if let Some(limit) = self.energy_limit {
                total = (total + at_least(&energy, limit)?)?;
            }
        }
        Ok(Terms { total, losses })
    }
}

/// `max(term, limit)`, without a gradient where the limit holds.
fn at_least(term: &Tensor, limit: f64) -> Result<Tensor> {
    let limit = limit as f32;
    if term.to_scalar::<f32>()? >= limit {
        Ok(term.clone())
    } else {
        Ok(Tensor::new(limit, term.device())?)
    }
}

impl Losses {
    fn terms(&mut self) -> [&mut f32; 4] {
        [
            &mut self.reconstruction,
            &mut self.disentangled,
            &mut self.kld,
            &mut self.energy,
        ]
    }

    /// True while every term is a number.
    pub(super) fn are_finite(mut self) -> bool {
        self.terms().iter().all(|term| term.is_finite())
    }

    /// Adds `other` times `weight`.
    pub(super) fn add(&mut self, mut other: Self, weight: f32) {
        for (sum, term) in self.terms().into_iter().zip(other.terms()) {
            *sum += weight * *term;
        }
    }
}
