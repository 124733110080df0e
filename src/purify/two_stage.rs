//! Two stages of the D-VAE (Algorithm 1 of the paper, as its published code runs it).
//!
//! A first model with a small rate limit takes most of the perturbation: x1 = x0 - p0, in bytes. A second one, fitted
//! afresh to x1 with a larger limit, takes what is left, x2 = x1 - p1, kept in floats, and reconstructs that: x3. Bytes are
//! truncated, as there. The latent is sampled at every inference there ([`Inference`]), and all of p0 is subtracted
//! ([`Subtracted`]).

use serde::Serialize;
use serde_json::json;

use super::kept::fitted;
use super::{Cure, Inference, Job, Purifier, require_stored_size, truncated};
use crate::data::Dataset;
use crate::dvae::DvaeConfig;
use crate::{Error, Result};

/// The method with its switches.
#[derive(Clone, Debug)]
pub struct TwoStage {
    /// Networks and trainings of the two stages.
    pub stages: [DvaeConfig; 2],
    /// What the first stage takes from the pictures.
    pub subtracted: Subtracted,
    /// What is done.
    pub steps: Steps,
    /// How both models are asked.
    pub inference: Inference,
}

/// Which part of p0 the first stage subtracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subtracted {
    /// All of it, as published.
    All,
    /// What is loud in it: at least six times its root mean square. The dense noise that was added is hardly in the p0 of a
    /// small network, nor is there a rate for it in the second stage; what is there is natural, and would be lost. But a pixel that
    /// says the class is worth its rate to the second stage, and stands out of p0.
    Loud,
}

/// Root mean squares. In 10,000 clean rows of CIFAR-10, one value of p0 in 100,000 is as loud as that; a pixel that says the class
/// is of 10 to 20.
const LOUD: f64 = 6.0;

/// The parts of the method that the ablation (Table 7) takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Subtracts what the first model finds. Without it x1 is x0.
    pub first_stage: bool,
    /// Subtracts what the second model finds in x1. Without it x2 is x1.
    pub second_inference: bool,
    /// Fits a second model. Without it the result is x1.
    pub second_stage: bool,
    /// Reconstructs x2. Without it the result is x2, in bytes.
    pub third_inference: bool,
}

impl Steps {
    /// The whole method.
    pub const ALL: Self = Self {
        first_stage: true,
        second_inference: true,
        second_stage: true,
        third_inference: true,
    };

    /// The variants of Table 7, numbered from 1: without the first stage, without the second inference, without the
    /// second stage, without the third inference, and 5, of which the published code does not say what it is: here one
    /// model and one inference, the reconstruction of x0 under the second rate limit. `None` for other numbers.
    pub fn variant(number: usize) -> Option<Self> {
        let all = Self::ALL;
        Some(match number {
            1 => Self {
                first_stage: false,
                ..all
            },
            2 => Self {
                second_inference: false,
                ..all
            },
            3 => Self {
                second_stage: false,
                ..all
            },
            4 => Self {
                third_inference: false,
                ..all
            },
            5 => Self {
                first_stage: false,
                second_inference: false,
                ..all
            },
            _ => return None,
        })
    }

    /// # Errors
    /// [`Error::Settings`] where a stage has nothing to do, or all have not.
    fn validate(self) -> Result<()> {
        let idle = self.second_stage && !self.second_inference && !self.third_inference;
        if idle || !(self.first_stage || self.second_stage) {
            return Err(Error::Settings {
                name: "steps",
                problem: "a stage is left without an inference, or none is left".into(),
            });
        }
        Ok(())
    }
}

impl TwoStage {
    /// The published rate limit of the first stage.
    pub const FIRST_RATE: f64 = 1.0;
    /// The published rate limit of the second stage on CIFAR-10.
    pub const SECOND_RATE: f64 = 3.0;

    /// The whole method as published, with networks of this size and training, but for their rate limits.
    pub fn new(network: DvaeConfig) -> Self {
        let stage = |kld_limit| DvaeConfig {
            kld_limit,
            perturbation_decoder: true,
            ..network.clone()
        };
        Self {
            stages: [Self::FIRST_RATE, Self::SECOND_RATE].map(stage),
            subtracted: Subtracted::All,
            steps: Steps::ALL,
            inference: Inference::Sampled,
        }
    }

    /// The whole method sized for a CPU and a drop of so many `rows`.
    pub fn fast(rows: usize) -> Self {
        let second = DvaeConfig {
            kld_limit: Self::SECOND_RATE,
            ..DvaeConfig::fast_pictures_for(rows)
        };
        Self {
            stages: [DvaeConfig::fast_labels_for(rows), second],
            subtracted: Subtracted::Loud,
            steps: Steps::ALL,
            inference: Inference::Mean,
        }
    }

    /// x1, `[readable, height, width, 3]`.
    fn first(&self, data: &Dataset, job: Job<'_>) -> Result<Vec<u8>> {
        if !self.steps.first_stage {
            return Ok(data.pixels().to_vec());
        }
        let seed = job.seed.derive("purify.stage", 1);
        let model = fitted("stage-1", data, &self.stages[0], seed, job)?;
        let latent = self.inference.latent(job.seed, 1);
        let loud = match self.subtracted {
            Subtracted::All => 0.0,
            // Asked twice, since p0 of all rows is four times what their pixels take.
            Subtracted::Loud => {
                let mut squares = 0.0;
                model.apply_batches(data, latent, job.observer, |batch| {
                    let batch = batch.perturbation.iter().map(|&p| f64::from(p).powi(2));
                    squares += batch.sum::<f64>();
                    Ok(())
                })?;
                (LOUD * (squares / data.pixels().len().max(1) as f64).sqrt()) as f32
            }
        };
        let mut x1 = Vec::with_capacity(data.pixels().len());
        model.apply_batches(data, latent, job.observer, |batch| {
            let bytes = &data.pixels()[x1.len()..];
            let less = bytes.iter().zip(&batch.perturbation);
            let less = less.map(|(&x, p)| match p.abs() >= loud {
                true => truncated(f32::from(x) / 255.0 - p),
                false => x,
            });
            x1.extend(less);
            Ok(())
        })?;
        Ok(x1)
    }

    /// x3 from x1, which `data` holds.
    fn second(&self, data: &Dataset, job: Job<'_>) -> Result<Vec<u8>> {
        let seed = job.seed.derive("purify.stage", 2);
        let model = fitted("stage-2", data, &self.stages[1], seed, job)?;
        let [latent, again] = [2, 3].map(|index| self.inference.latent(job.seed, index));
        let labels = data.labels();
        let mut x3 = Vec::with_capacity(data.pixels().len());
        model.apply_batches(data, latent, job.observer, |batch| {
            let x1 = data.pixels()[x3.len()..].iter();
            let x1 = x1.map(|&byte| f32::from(byte) / 255.0);
            if !self.steps.second_inference {
                // The inference that was to give p1 already gives the reconstruction of x1.
                x3.extend(batch.reconstruction.into_iter().map(truncated));
                return Ok(());
            }
            let less = x1.zip(&batch.perturbation);
            let x2: Vec<f32> = less.map(|(x, p)| (x - p).clamp(0.0, 1.0)).collect();
            if !self.steps.third_inference {
                x3.extend(x2.into_iter().map(truncated));
                return Ok(());
            }
            let (first, labels) = (batch.rows.start, &labels[batch.rows]);
            let parts = model.apply_reals(&x2, labels, again, first)?;
            x3.extend(parts.reconstruction.into_iter().map(truncated));
            Ok(())
        })?;
        Ok(x3)
    }
}

impl Purifier for TwoStage {
    fn name(&self) -> &'static str {
        "dvae"
    }

    fn settings(&self) -> serde_json::Value {
        json!({
            "stages": self.stages,
            "subtracted": self.subtracted,
            "steps": self.steps,
            "latent": self.inference,
            "bytes": "truncated",
        })
    }

    fn purify(&self, data: &Dataset, job: Job<'_>) -> Result<Cure> {
        require_stored_size(data, self.name())?;
        self.steps.validate()?;
        // Both before the first is fitted.
        self.stages.iter().try_for_each(DvaeConfig::validate)?;
        let x1 = self.first(data, job)?;
        if !self.steps.second_stage {
            return Ok(Cure::Block(x1));
        }
        let cleaner = Dataset::from_pixels(
            "stage-1",
            "the drop after the first stage",
            data.class_names.clone(),
            (data.height, data.width),
            x1,
            &data.labels(),
        );
        Ok(Cure::Block(self.second(&cleaner, job)?))
    }
}
