//! Orthogonal projection (Sandoval-Segura et al., "What Can We Learn from Unlearnable Datasets?", NeurIPS 2023): a linear
//! classifier finds the directions that predict the class best, and all pictures lose them.
//!
//! The published training also augments strongly; that belongs to whoever trains. Projected pictures leave [0, 1] a little:
//! to be stored without loss they are clipped and rounded, which the published code, training on floats, does not need.

use candle_core::{Device, Tensor};
use faer::Mat;
use rayon::prelude::*;
use serde_json::json;

use super::{Cure, Job, Purifier, require_stored_size};
use crate::data::Dataset;
use crate::nn::Precision;
use crate::nn::epochs::{Loss, Tally, step};
use crate::nn::ops::{cross_entropy, linear};
use crate::nn::optim::Sgd;
use crate::nn::params::{Init, Params};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// The projection and the training of its linear classifier.
#[derive(Clone, Copy, Debug)]
pub struct Lfu {
    /// Passes over the rows; the learning rate falls to a tenth at a half, and again at three quarters.
    pub epochs: usize,
    /// Rows in one step, in sample order.
    pub batch: usize,
    /// Learning rate of the first half.
    pub learning_rate: f64,
}

impl Default for Lfu {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch: 1024,
            learning_rate: 0.1,
        }
    }
}

/// The directions that are taken out.
#[derive(Clone, Debug)]
pub struct Projection {
    /// What the classifier learnt, `[classes, dim]`.
    pub weights: Vec<f32>,
    /// An orthonormal basis of the weights' span, `[directions, dim]`.
    pub basis: Vec<f32>,
    dim: usize,
}

impl Lfu {
    /// Learns the directions from the readable rows of `data`.
    ///
    /// # Errors
    /// [`Error::Numeric`] if the loss stops being a number, [`Error::Interrupted`].
    pub fn learn(&self, data: &Dataset, seed: Seed, observer: &dyn Observer) -> Result<Projection> {
        let (classes, dim) = (data.class_names.len(), data.height * data.width * 3);
        let labels = data.labels();
        let mut params = Params::new(seed.derive("lfu.init", 0));
        let weight = params.trainable("weight", &[classes, dim], Init::fan_in(dim))?;
        let bias = Tensor::zeros(classes, candle_core::DType::F32, &Device::Cpu)?;
        let mut sgd = Sgd::new(&params, 0.0);
        observer.stage("train linear", self.epochs as u64);
        for epoch in 0..self.epochs {
            let falls = (2 * epoch >= self.epochs) as i32 + (4 * epoch >= 3 * self.epochs) as i32;
            let rate = self.learning_rate * 0.1f64.powi(falls);
            for start in (0..labels.len()).step_by(self.batch.max(1)) {
                observer.check()?;
                let rows = start..labels.len().min(start + self.batch.max(1));
                let pixels = &data.pixels()[rows.start * dim..rows.end * dim];
                let x: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let x = Tensor::from_vec(x, (rows.len(), dim), &Device::Cpu)?;
                let done = step(&mut sgd, rate, Precision::F32, |mode| {
                    let logits = linear(mode, &x, &weight, &bias)?;
                    let loss = cross_entropy(mode, &logits, &labels[rows], 0.0)?;
                    let tally = Entropy(loss.to_scalar()?);
                    Ok(Loss {
                        terms: vec![(loss, 1.0)],
                        tally,
                    })
                })?;
                if done.tally.is_none() {
                    return Err(Error::Numeric {
                        stage: "lfu",
                        problem: format!("the loss is not finite in epoch {}", epoch + 1),
                    });
                }
            }
            observer.progress(epoch as u64 + 1);
        }
        Projection::new(weight.flatten_all()?.to_vec1()?, dim)
    }
}

impl Projection {
    /// # Errors
    /// [`Error::Settings`] where the classes outnumber the values of a picture.
    fn new(weights: Vec<f32>, dim: usize) -> Result<Self> {
        let classes = weights.len() / dim;
        if classes > dim {
            return Err(Error::Settings {
                name: "--method",
                problem: format!("lfu needs fewer classes ({classes}) than values ({dim})"),
            });
        }
        let norm = |row: &[f32]| {
            row.iter()
                .map(|w| f64::from(*w).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let norms: Vec<f64> = weights.chunks_exact(dim).map(norm).collect();
        let columns = Mat::from_fn(dim, classes, |i, c| {
            f64::from(weights[c * dim + i]) / norms[c].max(f64::MIN_POSITIVE)
        });
        let q = columns.qr().compute_thin_Q();
        let basis = (0..classes).flat_map(|c| (0..dim).map(move |i| (i, c)));
        Ok(Self {
            basis: basis.map(|(i, c)| q[(i, c)] as f32).collect(),
            weights,
            dim,
        })
    }

    /// What is left of a picture's values.
    pub fn apply(&self, image: &[f32]) -> Vec<f32> {
        let mut left: Vec<f64> = image.iter().map(|&value| value.into()).collect();
        for direction in self.basis.chunks_exact(self.dim) {
            let pairs = left.iter().zip(direction);
            let part: f64 = pairs.map(|(value, q)| value * f64::from(*q)).sum();
            for (value, q) in left.iter_mut().zip(direction) {
                *value -= part * f64::from(*q);
            }
        }
        left.into_iter().map(|value| value as f32).collect()
    }
}

impl Purifier for Lfu {
    fn name(&self) -> &'static str {
        "lfu"
    }

    fn settings(&self) -> serde_json::Value {
        json!({
            "epochs": self.epochs,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "bytes": "clipped and rounded",
        })
    }

    fn purify(&self, data: &Dataset, job: Job<'_>) -> Result<Cure> {
        require_stored_size(data, self.name())?;
        let projection = self.learn(data, job.seed, job.observer)?;
        let images: Vec<Vec<u8>> = data
            .pixels()
            .par_chunks_exact(projection.dim)
            .map(|bytes| {
                let image: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let left = projection.apply(&image).into_iter();
                left.map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
                    .collect()
            })
            .collect();
        Ok(Cure::Block(images.concat()))
    }
}

/// Mean cross-entropy of a step, nats.
#[derive(Default)]
struct Entropy(f32);

impl Tally for Entropy {
    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    fn add(&mut self, other: &Self, weight: f32) {
        self.0 += weight * other.0;
    }
}

impl std::fmt::Display for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "loss {:.4}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::demo;
    use crate::observe::Silent;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    }

    #[test]
    fn the_basis_is_orthonormal_and_nothing_is_left_along_any_weight() {
        let drop = demo::dataset(60, Seed(0));
        let lfu = Lfu {
            epochs: 4,
            batch: 25,
            ..Lfu::default()
        };
        let projection = lfu.learn(&drop, Seed(0), &Silent).unwrap();
        let basis: Vec<&[f32]> = projection.basis.chunks_exact(projection.dim).collect();
        assert_eq!(basis.len(), 10);
        for (i, a) in basis.iter().enumerate() {
            for (j, b) in basis.iter().enumerate() {
                let expected = f64::from(i == j);
                assert!((dot(a, b) - expected).abs() < 1e-5, "{i} {j}");
            }
        }
        for k in 0..5 {
            let image: Vec<f32> = drop
                .image(k)
                .iter()
                .map(|&b| f32::from(b) / 255.0)
                .collect();
            let left = projection.apply(&image);
            for weight in projection.weights.chunks_exact(projection.dim) {
                assert!(dot(&left, weight).abs() < 1e-4);
                assert!(dot(&image, weight).abs() > 1e-3, "nothing to take out");
            }
        }
    }

    /// A class-wise pattern is what the classifier finds first: little of it is left.
    #[test]
    fn a_class_wise_pattern_is_taken_out() {
        let drop = demo::dataset(200, Seed(1));
        let dim = drop.image(0).len();
        let labels = drop.labels();
        let pattern = |label: u32, i: usize| {
            if (i / 3 / 8 + 5 * label as usize + i / 3 / 256).is_multiple_of(3) {
                12
            } else {
                -12
            }
        };
        let pixels = drop.pixels().iter().enumerate();
        let poisoned = pixels.map(|(at, &byte)| {
            let change = pattern(labels[at / dim], at % dim);
            (i32::from(byte) + change).clamp(0, 255) as u8
        });
        let names = drop.class_names.clone();
        let poisoned = Dataset::from_pixels("p", "", names, (32, 32), poisoned.collect(), &labels);
        let lfu = Lfu {
            epochs: 40,
            batch: 50,
            ..Lfu::default()
        };
        let projection = lfu.learn(&poisoned, Seed(0), &Silent).unwrap();
        let share = |label| {
            let mean = |i| (0..10).map(|other| pattern(other, i)).sum::<i32>() as f32 / 10.0;
            let own: Vec<f32> = (0..dim)
                .map(|i| pattern(label, i) as f32 - mean(i))
                .collect();
            let left = projection.apply(&own);
            dot(&left, &left) / dot(&own, &own)
        };
        let left = (0..10).map(share).sum::<f64>() / 10.0;
        assert!(left < 0.6, "{left} of the energy is left");
    }
}
