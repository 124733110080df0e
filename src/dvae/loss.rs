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
    pub reconstruction: f64,
    /// Mean of (clamp(x̂ + p̂, 0, 1) - x)²; 0 without the perturbation decoder.
    pub disentangled: f64,
    /// Rate, nats per latent position.
    pub kld: f64,
    /// Mean of p̂²; 0 without the perturbation decoder.
    pub energy: f64,
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
            reconstruction: value(&reconstruction)?,
            kld: value(&kld)?,
            ..Losses::default()
        };
        let rate = (at_least(&kld, self.kld_limit)? * self.kld_weight)?;
        let mut total = (reconstruction + rate)?;
        if let Some(perturbation) = &output.perturbation {
            let sum = clamp_unit(&(&output.reconstruction + perturbation)?)?;
            let disentangled = mean_square_error(&sum, x)?;
            let energy = mean_square(perturbation)?;
            losses.disentangled = value(&disentangled)?;
            losses.energy = value(&energy)?;
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
    if value(term)? >= limit {
        Ok(term.clone())
    } else {
        Ok(Tensor::new(limit as f32, term.device())?)
    }
}

fn value(scalar: &Tensor) -> Result<f64> {
    Ok(f64::from(scalar.to_scalar::<f32>()?))
}

impl Losses {
    /// True while every term is a number.
    pub(super) fn are_finite(&self) -> bool {
        [
            self.reconstruction,
            self.disentangled,
            self.kld,
            self.energy,
        ]
        .iter()
        .all(|term| term.is_finite())
    }

    /// Adds `other` times `weight`.
    pub(super) fn add(&mut self, other: &Self, weight: f64) {
        self.reconstruction += weight * other.reconstruction;
        self.disentangled += weight * other.disentangled;
        self.kld += weight * other.kld;
        self.energy += weight * other.energy;
    }
}
