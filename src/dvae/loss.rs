//! The objective, term by term: Eq. 14 with the means, clamp and energy limit of the published training.

use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{DvaeConfig, Output};
use crate::Result;
use crate::nn::Mode;
use crate::nn::epochs::Tally;
use crate::nn::ops::{clamped_sum, gaussian_kl, mean_square, mean_square_error};

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
    /// What is minimised.
    pub total: f64,
    /// Its terms.
    pub losses: Losses,
    /// The terms that have a gradient, scalars with their weights, for [`Tape::gradients`](crate::nn::Tape::gradients).
    pub active: Vec<(Tensor, f64)>,
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

    /// The objective of `output` for images `x`. A term below its limit counts as the limit and has no gradient.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn evaluate(&self, x: &Tensor, output: &Output, mode: Mode<'_>) -> Result<Terms> {
        let mut terms = Terms {
            total: 0.0,
            losses: Losses::default(),
            active: Vec::new(),
        };
        let reconstruction = mean_square_error(mode, &output.reconstruction, x)?;
        terms.losses.reconstruction = terms.add(reconstruction, 1.0, 0.0)?;
        let kld = gaussian_kl(mode, &output.mean, &output.log_variance)?;
        terms.losses.kld = terms.add(kld, self.kld_weight, self.kld_limit)?;
        if let Some(perturbation) = &output.perturbation {
            let sum = clamped_sum(mode, &output.reconstruction, perturbation)?;
            let disentangled = mean_square_error(mode, &sum, x)?;
            terms.losses.disentangled = terms.add(disentangled, 1.0, 0.0)?;
            let energy = mean_square(mode, perturbation)?;
            terms.losses.energy = match self.energy_limit {
                Some(limit) => terms.add(energy, 1.0, limit)?,
                None => energy.to_scalar()?,
            };
        }
        Ok(terms)
    }
}

impl Terms {
    /// Adds `weight * max(term, limit)` and returns the term.
    fn add(&mut self, term: Tensor, weight: f64, limit: f64) -> Result<f32> {
        let value: f32 = term.to_scalar()?;
        self.total += weight * f64::from(value).max(limit);
        if f64::from(value) >= limit {
            self.active.push((term, weight));
        }
        Ok(value)
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
}

impl Tally for Losses {
    fn is_finite(&self) -> bool {
        let mut copy = *self;
        copy.terms().iter().all(|term| term.is_finite())
    }

    fn add(&mut self, other: &Self, weight: f32) {
        let mut other = *other;
        for (sum, term) in self.terms().into_iter().zip(other.terms()) {
            *sum += weight * *term;
        }
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "L_rec {:.5}, L_rec_p {:.5}, KLD {:.3}, mean p^2 {:.5}",
            self.reconstruction, self.disentangled, self.kld, self.energy
        )
    }
}
