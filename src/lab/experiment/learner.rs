//! The classifier by which an experiment measures what can be learnt from a drop.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Grounds;
use crate::data::{Dataset, LoadOptions, load, open};
use crate::lab::defense::{self, Defense};
use crate::nn::Precision;
use crate::observe::Observer;
use crate::zoo::{Architecture, Recipe, Samples, Trained, train};
use crate::{Error, Result, Seed};

/// A classifier, how it is trained, and the clean rows that it is tested on.
pub struct Learner {
    test: Dataset,
    model: Architecture,
    recipe: Recipe,
}

/// What the outcome of a training depends on, beside its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    model: Architecture,
    epochs: usize,
    /// What its convolutions multiply.
    #[serde(default, skip_serializing_if = "Precision::is_usual")]
    precision: Precision,
    /// Of the test rows.
    test_fingerprint: String,
}

/// What was learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Share of the clean test rows that are right.
    pub accuracy: f64,
    /// Cross-entropy in the last epoch of the training, nats.
    pub loss: f32,
}

impl Learner {
    /// Trains `model` by its recipe, for `epochs` in place of the recipe's where given, with convolutions of `precision`; tests on the
    /// data at `test`.
    ///
    /// # Errors
    /// If the test set cannot be read, or does not have the classes and the size of the clean rows.
    pub fn new(
        grounds: &Grounds,
        test: &Path,
        (model, epochs, precision): (Architecture, Option<usize>, Precision),
        observer: &dyn Observer,
    ) -> Result<Self> {
        let limits = *grounds.limits();
        let options = LoadOptions {
            limits,
            max_rows: None,
        };
        let data = load(&*open(test, "auto", &limits)?, &options, observer)?;
        let alike = |data: &Dataset| (data.height, data.width, data.class_names.clone());
        if alike(&data) != alike(grounds.data()) {
            let problem = "its classes or the size of its pictures are not those of the source";
            return Err(Error::input(test, problem));
        }
        let usual = Recipe::of(model);
        let recipe = Recipe {
            epochs: epochs.unwrap_or(usual.epochs),
            precision,
            ..usual
        };
        recipe.validate()?;
        Ok(Self {
            test: data,
            model,
            recipe,
        })
    }

    /// For the cells.
    pub fn training(&self) -> Training {
        Training {
            model: self.model,
            epochs: self.recipe.epochs,
            precision: self.recipe.precision,
            test_fingerprint: self.test.fingerprint.clone(),
        }
    }

    /// The clean rows that are tested on.
    pub fn test(&self) -> &Dataset {
        &self.test
    }

    /// Trains on `data`, under the protection of `defense` if there is one, and tests.
    ///
    /// # Errors
    /// Those of [`Learner::train`] and [`Learner::accuracy`].
    pub fn learn(
        &self,
        data: &Dataset,
        defense: Option<&dyn Defense>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Learned> {
        let trained = self.train(data, defense, seed, observer)?;
        Ok(Learned {
            accuracy: Self::accuracy(&trained, &self.test, observer)?,
            loss: trained.history.last().map_or(f32::NAN, |epoch| epoch.loss),
        })
    }

    /// Trains on `data`, under the protection of `defense` if there is one.
    ///
    /// # Errors
    /// Those of the training.
    pub fn train(
        &self,
        data: &Dataset,
        defense: Option<&dyn Defense>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Trained> {
        let samples = Samples::from(data);
        let (model, recipe) = (self.model, &self.recipe);
        match defense {
            None => train(&samples, model, recipe, seed, observer),
            Some(defense) => {
                let training = (Some(recipe.epochs), recipe.precision);
                defense::train(&samples, model, defense, training, seed, observer)
            }
        }
    }

    /// Share of the readable rows of `data` that a classifier gets right.
    ///
    /// # Errors
    /// [`Error::Numeric`] if there are none, [`Error::Interrupted`] when the observer says so.
    pub fn accuracy(trained: &Trained, data: &Dataset, observer: &dyn Observer) -> Result<f64> {
        let evaluation = trained.test(&Samples::from(data), observer)?;
        evaluation.accuracy().ok_or_else(|| Error::Numeric {
            stage: "test",
            problem: "there is no picture that can be read".into(),
        })
    }
}

impl Training {
    /// In words, for the head of a table.
    pub fn describe(&self) -> String {
        let precision = match self.precision {
            Precision::F32 => "",
            Precision::Bf16 => " in bf16",
        };
        format!("{}, {} epochs{precision}", self.model.name(), self.epochs)
    }
}
