//! Training a classifier.

use std::path::Path;

use super::{Architecture, Classifier, Evaluation, Recipe, Samples};
use crate::file::remove;
use crate::nn::epochs::Epochs;
use crate::nn::likelihood::Epoch;
use crate::nn::params::Params;
use crate::nn::resume::Resume;
use crate::observe::Observer;
use crate::{Result, Seed};

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

/// As [`train_watched`], unwatched.
///
/// # Errors
/// As [`train_watched`].
pub fn train(
    samples: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Trained> {
    train_with(
        Aside::Nothing,
        samples,
        architecture,
        recipe,
        seed,
        observer,
    )
}

/// As [`train`]; where the training stands is kept at `path`, from which one that was stopped goes on. The file is removed at
/// the end.
///
/// # Errors
/// As [`train`], and [`Error::Checkpoint`](crate::Error::Checkpoint) where another training has left the file.
pub fn train_from(
    path: &Path,
    samples: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Trained> {
    let kept = Aside::Keep(path);
    let trained = train_with(kept, samples, architecture, recipe, seed, observer)?;
    remove(path)?;
    Ok(trained)
}

/// Trains a fresh network on `samples`; `watch` sees its tensors after each epoch but the last, whose number it is told,
/// counted from 1. The same samples, recipe and seed give the same network at any number of threads.
///
/// # Errors
/// [`Error::Settings`](crate::Error::Settings) for settings or image sizes that cannot work, those of [`Epochs::run`], and whatever
/// `watch` returns.
pub fn train_watched(
    samples: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    watch: &mut dyn FnMut(usize, &Params) -> Result<()>,
    observer: &dyn Observer,
) -> Result<Trained> {
    train_with(
        Aside::Watch(watch),
        samples,
        architecture,
        recipe,
        seed,
        observer,
    )
}

/// What happens beside a training.
enum Aside<'a> {
    Nothing,
    /// Someone is told of each epoch.
    Watch(&'a mut dyn FnMut(usize, &Params) -> Result<()>),
    /// Where it stands is kept.
    Keep(&'a Path),
}

fn train_with(
    aside: Aside<'_>,
    samples: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Trained> {
    recipe.validate()?;
    let classifier = architecture.build(samples, seed.derive("zoo.init", 0))?;
    let name = architecture.name();
    let history = fit_with(aside, &*classifier, name, samples, recipe, seed, observer)?;
    Ok(Trained {
        classifier,
        history,
    })
}

/// Trains `classifier`, called `name` to `observer`, on `samples`; as [`train`] otherwise.
///
/// # Errors
/// As [`train`], without regard to the size of the images.
pub fn fit(
    classifier: &dyn Classifier,
    name: &'static str,
    samples: &Samples<'_>,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Vec<Epoch>> {
    let aside = Aside::Nothing;
    fit_with(aside, classifier, name, samples, recipe, seed, observer)
}

fn fit_with(
    mut aside: Aside<'_>,
    classifier: &dyn Classifier,
    name: &'static str,
    samples: &Samples<'_>,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Vec<Epoch>> {
    recipe.validate()?;
    let epochs = Epochs {
        name,
        rows: samples.len(),
        batch: recipe.batch,
        epochs: recipe.epochs,
        precision: recipe.precision,
        shuffle: (seed, "zoo.shuffle"),
    };
    let mut optimizer = recipe.optimizer(classifier.params());
    let params = classifier.params();
    let resume = match &aside {
        Aside::Keep(path) => {
            let owner = format!("{name} {recipe:?} {seed:?} {}", samples.fingerprint());
            Some(Resume::new(path, params, owner))
        }
        _ => None,
    };
    epochs.run_from(
        resume,
        &mut optimizer,
        |clock| recipe.schedule.rate(recipe.learning_rate, clock),
        |clock, rows, mode| {
            let begins = clock.step > 0 && clock.step * clock.epochs % clock.steps == 0;
            if let (Aside::Watch(watch), true) = (&mut aside, begins) {
                watch(clock.epoch, params)?;
            }
            let views = seed.derive("zoo.view", clock.epoch as u64);
            let x = samples.batch(rows, |row| {
                recipe
                    .augment
                    .draw(&mut views.stream("zoo.view", row as u64))
            })?;
            let logits = classifier.forward(&x, mode)?;
            let labels = samples.labels_of(rows);
            Epoch::loss(mode, &logits, &labels, recipe.smoothing)
        },
        observer,
    )
}
