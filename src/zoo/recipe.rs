//! How a classifier is trained.

use crate::nn::Precision;
use crate::nn::augment::{Augment, Border};
use crate::nn::epochs::Clock;
use crate::nn::optim::Sgd;
use crate::nn::params::Params;
use crate::nn::schedule::{Anneal, OneCycle, cosine};
use crate::{Error, Result};

use super::Architecture;

/// Settings of a training with stochastic gradient descent.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Passes over the rows.
    pub epochs: usize,
    /// Images in one step.
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// How the rate moves.
    pub schedule: Schedule,
    /// Share of the last step that the next one keeps.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// Pull of every parameter towards zero.
    pub weight_decay: f64,
    /// Largest joint norm of the gradient.
    pub clip_norm: Option<f64>,
    /// Share of the label that all classes get.
    pub smoothing: f64,
    /// What convolutions multiply.
    pub precision: Precision,
    /// What the network sees of an image.
    pub augment: Augment,
}

/// How the learning rate moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Along a cosine to zero, epoch by epoch.
    Cosine,
    /// Up and down, step by step.
    OneCycle(OneCycle),
}

impl Schedule {
    pub(super) fn rate(self, peak: f64, clock: Clock) -> f64 {
        match self {
            Self::Cosine => cosine(peak, clock.epoch, clock.epochs),
            Self::OneCycle(cycle) => cycle.rate(peak, clock.step, clock.steps),
        }
    }
}

impl Recipe {
    /// The recipe of the paper's test classifiers on CIFAR-10 (section 4.1): nothing is normalised.
    pub fn paper() -> Self {
        Self {
            epochs: 60,
            batch: 128,
            learning_rate: 0.1,
            schedule: Schedule::Cosine,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            clip_norm: Some(5.0),
            smoothing: 0.0,
            precision: Precision::F32,
            augment: Augment {
                padding: 4,
                border: Border::Zero,
                flip: true,
            },
        }
    }

    /// The recipe of the fast classifier.
    pub fn fast() -> Self {
        Self {
            epochs: 8,
            batch: 256,
            learning_rate: 0.2,
            schedule: Schedule::OneCycle(OneCycle {
                rise: 0.25,
                start: 0.2,
                end: 0.01,
                anneal: Anneal::Linear,
            }),
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
            clip_norm: None,
            smoothing: 0.2,
            precision: Precision::F32,
            augment: Augment {
                padding: 2,
                border: Border::Reflect,
                flip: true,
            },
        }
    }

    /// The recipe that suits `architecture`.
    pub fn of(architecture: Architecture) -> Self {
        match architecture {
            Architecture::Fast | Architecture::Small => Self::fast(),
            _ => Self::paper(),
        }
    }

    /// A fresh optimiser for the trainable tensors of `params`.
    pub fn optimizer(&self, params: &Params) -> Sgd {
        Sgd::new(params, self.momentum)
            .nesterov(self.nesterov)
            .weight_decay(self.weight_decay)
            .clip_norm(self.clip_norm)
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`Error::Settings`] naming the first one.
    pub fn validate(&self) -> Result<()> {
        self.precision.validate()?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        for (name, holds, problem) in [
            ("epochs", self.epochs > 0, "at least 1 is needed"),
            ("batch", self.batch > 1, "at least 2 are needed"),
            (
                "learning_rate",
                positive(self.learning_rate),
                "a positive number is needed",
            ),
            (
                "momentum",
                share(self.momentum),
                "a number from 0 to below 1 is needed",
            ),
            (
                "weight_decay",
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "zero or a positive number is needed",
            ),
            (
                "clip_norm",
                self.clip_norm.is_none_or(positive),
                "a positive number is needed",
            ),
            (
                "smoothing",
                share(self.smoothing),
                "a number from 0 to below 1 is needed",
            ),
        ] {
            if !holds {
                let problem = problem.into();
                return Err(Error::Settings { name, problem });
            }
        }
        Ok(())
    }
}
