//! Training a classifier.

use std::fmt;

use serde::Serialize;

use super::{Architecture, Classifier, Evaluation, Recipe, Samples};
use crate::nn::epochs::{Epochs, Loss, Tally};
use crate::nn::ops::cross_entropy;
use crate::nn::optim::Sgd;
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// A classifier and how it came about.
pub struct Trained {
    /// The network.
    pub classifier: Box<dyn Classifier>,
    /// Means over each epoch.
    pub history: Vec<Epoch>,
}

impl Trained {
    /// How much of `samples` it gets right.
    ///
    /// # Errors
    /// As [`Evaluation::new`].
    pub fn test(&self, samples: &Samples<'_>, observer: &dyn Observer) -> Result<Evaluation> {
        Evaluation::new(&*self.classifier, samples, observer)
    }
}

/// Means over an epoch of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Epoch {
    /// Cross-entropy against the smoothed labels, nats.
    pub loss: f32,
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

/// Trains a fresh network on `samples`. The same samples, recipe and seed give the same network at any number of threads.
///
/// # Errors
/// [`Error::Settings`] for settings or image sizes that cannot work, [`Error::Numeric`] for too few rows or when the loss
/// stops being a number, [`Error::Interrupted`] when the observer says so.
pub fn train(
    samples: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Trained> {
    recipe.validate()?;
    let (side, least) = (
        samples.height.min(samples.width),
        architecture.smallest_side(),
    );
    if side < least {
        return Err(Error::Settings {
            name: "image size",
            problem: format!(
                "{}x{} is too small for {}; sides must be at least {least}",
                samples.height,
                samples.width,
                architecture.name()
            ),
        });
    }
    let classifier = architecture.build(samples, seed.derive("zoo.init", 0))?;
    let epochs = Epochs {
        name: architecture.name(),
        rows: samples.len(),
        batch: recipe.batch,
        epochs: recipe.epochs,
        shuffle: (seed, "zoo.shuffle"),
    };
    let mut optimizer = Sgd::new(classifier.params(), recipe.momentum)
        .nesterov(recipe.nesterov)
        .weight_decay(recipe.weight_decay)
        .clip_norm(recipe.clip_norm);
    let history = epochs.run(
        &mut optimizer,
        |clock| recipe.schedule.rate(recipe.learning_rate, clock),
        |clock, rows, mode| {
            let views = seed.derive("zoo.view", clock.epoch as u64);
            let x = samples.batch(rows, |row| {
                recipe
                    .augment
                    .draw(&mut views.stream("zoo.view", row as u64))
            })?;
            let logits = classifier.forward(&x, mode)?;
            let labels = samples.labels_of(rows);
            let loss = cross_entropy(mode, &logits, &labels, recipe.smoothing)?;
            let tally = Epoch {
                loss: loss.to_scalar()?,
            };
            Ok(Loss {
                terms: vec![(loss, 1.0)],
                tally,
            })
        },
        observer,
    )?;
    Ok(Trained {
        classifier,
        history,
    })
}
