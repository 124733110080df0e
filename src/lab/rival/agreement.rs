//! Rivals that let a classifier vote: a row whose label it finds without having learnt it from honest content is poison.
//!
//! `simple-linear`, `simple-2nn` and `bias-shift` (Zhu et al., AAAI 2024):
//! - Look at: whether a network that did not train on a row finds its label. The first two are too simple for natural pictures;
//!   the third trains on pictures half a range darker, where clean ones teach nothing about bright ones.
//! - Rule: accuracy on held-out rows of at least 0.7 makes the drop poisoned. The authors judge drops, not rows: a row is
//!   flagged here if its label is found.
//! - Miss: small shares, and clean rows that are easy are flagged.
//! - Smaller here: 2,500 steps in place of 31,300, a cosine in place of two steps, 512 hidden units in place of 3,072, five folds,
//!   held-out rows as they are where those of the second network were augmented too; for the third the fast network and its
//!   recipe in place of ResNet-18, and the darker half of its two forms alone.
//!
//! `agree`, the rule that most probably made Table 8 of Yu et al., ICML 2024:
//! - Looks at: whether a network that trained on x + p̂ finds the label in x. There is no rule for drops: any flag counts.
//! - Misses: what the D-VAE does not disentangle (TAP and SEP in the paper); flags one clean row in as many as there are classes, by
//!   chance.
//! - Smaller here: the fast network in place of ResNet-18, and the D-VAE of the scan.

use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::simple::Simple;
use super::{Judgement, Rival, Suspects};
use crate::Result;
use crate::dvae::Latent;
use crate::nn::Mode;
use crate::nn::augment::{Augment, Border};
use crate::nn::likelihood::margin;
use crate::observe::Observer;
use crate::zoo::{Architecture, Classifier, Images, Recipe, Samples, Schedule, fit};

/// Parts of the rows; each is answered by a network that trained on the others.
const FOLDS: usize = 5;
/// Accuracy from which a drop counts as poisoned.
const BOUND: f64 = 0.7;
/// Steps of the simple networks.
const STEPS: usize = 2500;
/// Units of the hidden layer.
const HIDDEN: usize = 512;
/// Rows that the fast recipe was made for.
const USUAL_ROWS: usize = 50_000;
/// What `bias-shift` takes from each value.
const SHIFT: f32 = 0.5;
const NO_AUGMENT: Augment = Augment {
    padding: 0,
    border: Border::Zero,
    flip: false,
};

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learner {
    Linear,
    TwoLayers,
    Shifted,
}

pub(super) struct Agreement(pub(super) Learner);

impl Learner {
    /// For a training on so many `rows`.
    fn recipe(self, rows: usize) -> Recipe {
        let simple = Recipe {
            epochs: (STEPS * Recipe::paper().batch).div_ceil(rows.max(1)),
            learning_rate: 0.01,
            schedule: Schedule::Cosine,
            clip_norm: None,
            augment: NO_AUGMENT,
            ..Recipe::paper()
        };
        match self {
            Self::Linear => simple,
            Self::TwoLayers => Recipe {
                augment: Recipe::paper().augment,
                ..simple
            },
            Self::Shifted => Recipe {
                augment: NO_AUGMENT,
                ..Recipe::fast()
            },
        }
    }

    fn network(self, samples: &Samples<'_>, seed: crate::Seed) -> Result<Box<dyn Classifier>> {
        Ok(match self {
            Self::Linear => Box::new(Simple::new(samples, None, seed)?),
            Self::TwoLayers => Box::new(Simple::new(samples, Some(HIDDEN), seed)?),
            Self::Shifted => Architecture::Fast.build(samples, seed)?,
        })
    }

    /// What a network sees of a value while it learns.
    fn shift(self) -> f32 {
        match self {
            Self::Shifted => SHIFT,
            _ => 0.0,
        }
    }
}

impl Rival for Agreement {
    fn name(&self) -> &'static str {
        match self.0 {
            Learner::Linear => "simple-linear",
            Learner::TwoLayers => "simple-2nn",
            Learner::Shifted => "bias-shift",
        }
    }

    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement> {
        let samples = Samples::from(suspects.data);
        let mut scores = vec![0.0; samples.len()];
        // No order of the drop may gather a class in one fold.
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.shuffle(&mut suspects.seed.stream("folds", 0));
        for fold in 0..FOLDS {
            let numbered = order.iter().enumerate();
            let (held_out, training): (Vec<_>, Vec<_>) =
                numbered.partition(|(place, _)| place % FOLDS == fold);
            let [held_out, training] = [held_out, training]
                .map(|part| part.into_iter().map(|(_, row)| *row).collect::<Vec<_>>());
            let pixels = reals(suspects, &training, self.0.shift());
            let part = Samples {
                images: Images::Reals(&pixels),
                labels: samples.labels_of(&training),
                ..samples
            };
            let seed = suspects.seed.derive("fold", fold as u64);
            let network = self.0.network(&part, seed)?;
            let recipe = self.0.recipe(training.len());
            fit(&*network, self.name(), &part, &recipe, seed, observer)?;
            answer(&*network, &samples, &held_out, &mut scores, observer)?;
        }
        let agreed = scores.iter().filter(|score| **score > 0.0).count();
        let accuracy = agreed as f64 / scores.len().max(1) as f64;
        Ok(Judgement {
            flagged: scores.iter().map(|score| *score > 0.0).collect(),
            poisoned: accuracy >= BOUND,
            reason: format!(
                "{} finds {:.1} % of held-out labels; {:.0} % and more count as poisoned",
                self.name(),
                100.0 * accuracy,
                100.0 * BOUND
            ),
            scores,
        })
    }
}

pub(super) struct TableEight;

impl Rival for TableEight {
    fn name(&self) -> &'static str {
        "agree"
    }

    fn needs_model(&self) -> bool {
        true
    }

    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement> {
        let model = suspects.model(self)?;
        let samples = Samples::from(suspects.data);
        let rows: Vec<usize> = (0..samples.len()).collect();
        let mut pixels = reals(suspects, &rows, 0.0);
        let size = samples.height * samples.width * 3;
        model.apply_batches(suspects.data, Latent::Mean, observer, |batch| {
            let pixels = pixels[batch.rows.start * size..].iter_mut();
            let sums = pixels.zip(&batch.perturbation);
            sums.for_each(|(x, p)| *x = (*x + p).clamp(0.0, 1.0));
            Ok(())
        })?;
        let lifted = Samples {
            images: Images::Reals(&pixels),
            ..samples.clone()
        };
        let network = Architecture::Fast.build(&lifted, suspects.seed)?;
        let recipe = as_many_steps(lifted.len());
        fit(
            &*network,
            self.name(),
            &lifted,
            &recipe,
            suspects.seed,
            observer,
        )?;
        let mut scores = vec![0.0; samples.len()];
        answer(&*network, &samples, &rows, &mut scores, observer)?;
        let flagged: Vec<bool> = scores.iter().map(|score| *score > 0.0).collect();
        let count = flagged.iter().filter(|&&flag| flag).count();
        Ok(Judgement {
            poisoned: count > 0,
            reason: format!("a network that learnt x + p̂ finds the labels of {count} rows in x"),
            flagged,
            scores,
        })
    }
}

/// The fast recipe with as many steps on so many `rows` as it has on all of CIFAR-10.
fn as_many_steps(rows: usize) -> Recipe {
    let usual = Recipe::fast();
    Recipe {
        epochs: (usual.epochs * USUAL_ROWS).div_ceil(rows.clamp(1, USUAL_ROWS)),
        ..usual
    }
}

/// Pixels of some rows in [0, 1], less `shift`.
fn reals(suspects: &Suspects<'_>, rows: &[usize], shift: f32) -> Vec<f32> {
    let pictures = rows
        .par_iter()
        .flat_map_iter(|&row| suspects.data.image(row));
    pictures.map(|&v| f32::from(v) / 255.0 - shift).collect()
}

/// Writes the logit of each row's label less the highest other one.
fn answer(
    network: &dyn Classifier,
    samples: &Samples<'_>,
    rows: &[usize],
    scores: &mut [f64],
    observer: &dyn Observer,
) -> Result<()> {
    samples.in_batches(rows, observer, |rows, x| {
        let logits: Vec<Vec<f32>> = network.forward(x, Mode::Eval)?.to_vec2()?;
        for (&row, logits) in rows.iter().zip(&logits) {
            scores[row] = margin(logits, samples.labels[row]);
        }
        Ok(())
    })
}
