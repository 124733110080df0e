//! The loss of classifiers, its mean over an epoch, and how sure an answer is.

use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Mode;
use super::epochs::{Loss, Tally};
use super::ops::cross_entropy;
use crate::Result;

/// Means over an epoch of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Cross-entropy against the smoothed labels, nats.
    pub loss: f32,
}

impl Epoch {
    /// The cross-entropy of `logits`, `[b, classes]`, as the loss of one step.
    ///
    /// # Errors
    /// If the shapes do not fit or a label has no class.
    pub fn loss(
        mode: Mode<'_>,
        logits: &Tensor,
        labels: &[u32],
        smoothing: f64,
    ) -> Result<Loss<Self>> {
        let loss = cross_entropy(mode, logits, labels, smoothing)?;
        let tally = Self {
            loss: loss.to_scalar()?,
        };
        Ok(Loss {
            terms: vec![(loss, 1.0)],
            tally,
        })
    }
}

impl Tally for Epoch {
    fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }

    fn add(&mut self, other: &Self, weight: f32) {
        self.loss += weight * other.loss;
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)
    }
}

/// The logit of `label` less the highest other one.
pub fn margin(logits: &[f32], label: u32) -> f64 {
    let others = (0..).zip(logits).filter(|(k, _)| *k != label);
    let highest = others.fold(f32::NEG_INFINITY, |most, (_, &logit)| most.max(logit));
    f64::from(logits[label as usize] - highest)
}
