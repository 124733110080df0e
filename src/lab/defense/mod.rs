//! Defenses that the paper compares with, and that act while a classifier trains: a change of the pictures of each step, on
//! top of the training of the test classifiers. Defenses that act on the data before are in `purify`; the one of them that
//! needs clean data, AVATAR, is here, as no user of a suspect drop has any.

mod adversarial;
mod avatar;
mod plasma;
mod trivial;
mod ueraser;

use candle_core::{Device, Tensor};

use crate::nn::Precision;
use crate::nn::epochs::{Clock, Epochs};
use crate::nn::likelihood::Epoch;
use crate::observe::Observer;
use crate::zoo::{Architecture, Classifier, Recipe, Samples, Trained};
use crate::{Result, Seed};

pub use adversarial::Adversarial;
pub use avatar::{Avatar, Denoiser, Schooling};
pub use ueraser::UEraser;

/// A way to train on pictures that may be unlearnable.
pub trait Defense {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// How the classifier is trained; the learning rate is [`Defense::rate`]'s.
    fn recipe(&self) -> Recipe;

    /// The learning rate of a step of a training by `recipe`.
    fn rate(&self, recipe: &Recipe, clock: Clock) -> f64;

    /// What the step trains on in place of `pictures`, `[rows, height, width, 3]` in [0, 1]; values stay there.
    ///
    /// # Errors
    /// If the network refuses them.
    fn pictures(&self, pictures: Vec<f32>, step: &Step<'_>) -> Result<Vec<f32>>;
}

/// One step of a training, before it is taken.
pub struct Step<'a> {
    /// The network as it is.
    pub network: &'a dyn Classifier,
    /// Batch, height, width, channels.
    pub shape: (usize, usize, usize, usize),
    /// The rows in the batch; each draws from streams of its own.
    pub rows: &'a [usize],
    /// Their labels.
    pub labels: &'a [u32],
    /// When it is.
    pub clock: Clock,
    /// The seed of its randomness.
    pub seed: Seed,
}

impl Step<'_> {
    fn tensor(&self, pictures: Vec<f32>) -> Result<Tensor> {
        Ok(Tensor::from_vec(pictures, self.shape, &Device::Cpu)?)
    }
}

/// Trains a fresh network on `samples` by the recipe and under the protection of `defense`, for `epochs` in place of the
/// recipe's where given, with convolutions of `precision`.
///
/// # Errors
/// [`crate::Error::Settings`] for settings that cannot work, [`crate::Error::Numeric`] for too few rows or when the loss
/// stops being a number, [`crate::Error::Interrupted`].
pub fn train(
    samples: &Samples<'_>,
    architecture: Architecture,
    defense: &dyn Defense,
    (epochs, precision): (Option<usize>, Precision),
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Trained> {
    let usual = defense.recipe();
    let recipe = Recipe {
        epochs: epochs.unwrap_or(usual.epochs),
        precision,
        ..usual
    };
    recipe.validate()?;
    let classifier = architecture.build(samples, seed.derive("zoo.init", 0))?;
    let plan = Epochs {
        name: defense.name(),
        rows: samples.len(),
        batch: recipe.batch,
        epochs: recipe.epochs,
        precision: recipe.precision,
        shuffle: (seed, "zoo.shuffle"),
    };
    let history = plan.run(
        &mut recipe.optimizer(classifier.params()),
        |clock| defense.rate(&recipe, clock),
        |clock, rows, mode| {
            let views = seed.derive("zoo.view", clock.epoch as u64);
            let view = |row: usize| {
                let stream = &mut views.stream("zoo.view", row as u64);
                recipe.augment.draw(stream)
            };
            let pictures = samples.batch(rows, view)?;
            let labels = samples.labels_of(rows);
            let step = Step {
                network: &*classifier,
                shape: pictures.dims4()?,
                rows,
                labels: &labels,
                clock,
                seed: seed.derive("defense", clock.step as u64),
            };
            let changed = defense.pictures(pictures.flatten_all()?.to_vec1()?, &step)?;
            let logits = classifier.forward(&step.tensor(changed)?, mode)?;
            Epoch::loss(mode, &logits, &labels, recipe.smoothing)
        },
        observer,
    )?;
    Ok(Trained {
        classifier,
        history,
    })
}

/// `peak`, and a tenth of it for each of `drops`, shares of the training that are over.
fn falling(peak: f64, drops: &[f64], clock: Clock) -> f64 {
    let passed = |share: &&f64| clock.epoch as f64 >= **share * clock.epochs as f64;
    peak * 0.1f64.powi(drops.iter().filter(passed).count() as i32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::demo;
    use crate::observe::Silent;

    /// Leaves the pictures alone.
    struct Plain;

    impl Defense for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn recipe(&self) -> Recipe {
            Recipe {
                epochs: 2,
                batch: 16,
                ..Recipe::paper()
            }
        }
        fn rate(&self, recipe: &Recipe, clock: Clock) -> f64 {
            crate::nn::schedule::cosine(recipe.learning_rate, clock.epoch, clock.epochs)
        }
        fn pictures(&self, pictures: Vec<f32>, _: &Step<'_>) -> Result<Vec<f32>> {
            Ok(pictures)
        }
    }

    /// The loop is the test classifiers': without a defense in it, the same network comes out.
    #[test]
    fn without_a_defense_the_training_is_that_of_the_zoo() {
        let data = demo::dataset(48, Seed(0));
        let samples = Samples::from(&data);
        let ours = train(
            &samples,
            Architecture::Small,
            &Plain,
            (None, Precision::F32),
            Seed(1),
            &Silent,
        )
        .unwrap();
        let recipe = Plain.recipe();
        let zoo =
            crate::zoo::train(&samples, Architecture::Small, &recipe, Seed(1), &Silent).unwrap();
        assert_eq!(ours.history, zoo.history);
    }

    #[test]
    fn rates_fall_at_the_shares() {
        let rate = |epoch| {
            let clock = Clock {
                epoch,
                epochs: 100,
                step: 0,
                steps: 0,
            };
            falling(0.1, &[0.75, 0.9], clock)
        };
        for (epoch, expected) in [(0, 0.1), (74, 0.1), (75, 0.01), (90, 0.001)] {
            assert!((rate(epoch) - expected).abs() < 1e-12, "{epoch}");
        }
    }
}
