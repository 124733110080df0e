//! Table 9 of the D-VAE paper, the columns without a defense: what a classifier learns from a mixture of clean and poisoned
//! rows, by the share of the poisoned ones.
//!
//! As there, the perturbation of a mixture is that of the set with every row poisoned, put on a part of the rows.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Experiment, Grounds, markdown};
use crate::data::{Dataset, LoadOptions, load, open};
use crate::lab::attack::{Storage, Stored, apply, choose_rows};
use crate::lab::poison::PERTURBATION_FILE;
use crate::observe::Observer;
use crate::zoo::{Architecture, Images, Recipe, Samples, train};
use crate::{Error, Result, Seed};

/// Defense of all cells so far.
const NO_DEFENSE: &str = "none";
/// Attack of the cell at ratio 0.
const CLEAN: &str = "clean";

/// The grid.
pub struct Table9<'a> {
    grounds: &'a Grounds,
    test: Dataset,
    attacks: &'a [String],
    ratios: &'a [f64],
    model: Architecture,
    recipe: Recipe,
}

/// One mixture and how a classifier is trained on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    attack: String,
    ratio: f64,
    defense: String,
    rows: usize,
    seed: u64,
    model: Architecture,
    epochs: usize,
    /// Of the clean rows.
    fingerprint: String,
    /// Of the test rows.
    test_fingerprint: String,
}

/// What it learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Share of clean test rows that it gets right.
    accuracy: f64,
    /// Cross-entropy in the last epoch of its training, nats.
    loss: f32,
}

impl<'a> Table9<'a> {
    /// Trains `model` on mixtures with each of `attacks` at each of `ratios`, and once on the clean rows; tests on `test`.
    ///
    /// # Errors
    /// If the test set cannot be read, or does not have the classes and the size of the clean rows.
    pub fn new(
        grounds: &'a Grounds,
        test: &Path,
        (attacks, ratios): (&'a [String], &'a [f64]),
        (model, epochs): (Architecture, Option<usize>),
        observer: &dyn Observer,
    ) -> Result<Self> {
        let limits = *grounds.limits();
        let options = LoadOptions {
            limits,
            max_rows: None,
        };
        let data = load(&*open(test, "auto", &limits)?, &options, observer)?;
        let clean = grounds.data();
        let alike = |data: &Dataset| (data.height, data.width, data.class_names.clone());
        if alike(&data) != alike(clean) {
            let problem = "its classes or the size of its pictures are not those of the source";
            return Err(Error::input(test, problem));
        }
        let mut recipe = Recipe::of(model);
        recipe.epochs = epochs.unwrap_or(recipe.epochs);
        Ok(Self {
            grounds,
            test: data,
            attacks,
            ratios,
            model,
            recipe,
        })
    }

    fn cell(&self, attack: &str, ratio: f64) -> Mixture {
        let data = self.grounds.data();
        Mixture {
            attack: attack.into(),
            ratio,
            defense: NO_DEFENSE.into(),
            rows: data.rows.len(),
            seed: self.grounds.seed().0,
            model: self.model,
            epochs: self.recipe.epochs,
            fingerprint: data.fingerprint.clone(),
            test_fingerprint: self.test.fingerprint.clone(),
        }
    }

    /// The pixels of the mixture.
    fn pixels(&self, cell: &Mixture) -> Result<Vec<u8>> {
        let data = self.grounds.data();
        let mut pixels = data.pixels().to_vec();
        if cell.attack == CLEAN {
            return Ok(pixels);
        }
        let file = self.grounds.poisoned(&cell.attack).join(PERTURBATION_FILE);
        let stored = Stored::read(&file)?;
        let size = data.height * data.width * 3;
        for k in choose_rows(data.readable().len(), cell.ratio, Seed(cell.seed))? {
            let row = data.readable()[k];
            let delta = stored.of(&[row], (data.height, data.width))?;
            let rgb = &mut pixels[k * size..(k + 1) * size];
            apply(rgb, delta.row(0), stored.budget, Storage::Round)?;
        }
        Ok(pixels)
    }
}

impl Experiment for Table9<'_> {
    type Cell = Mixture;
    type Outcome = Learned;

    const NAME: &'static str = "table9";

    fn cells(&self) -> Vec<Mixture> {
        let mixed = self.attacks.iter().flat_map(|attack| {
            let cell = move |&ratio: &f64| self.cell(attack, ratio);
            self.ratios.iter().map(cell)
        });
        [self.cell(CLEAN, 0.0)].into_iter().chain(mixed).collect()
    }

    fn run(&self, cell: &Mixture, observer: &dyn Observer) -> Result<Learned> {
        let pixels = self.pixels(cell)?;
        let samples = Samples {
            images: Images::Bytes(&pixels),
            ..Samples::from(self.grounds.data())
        };
        let seed = Seed(cell.seed);
        let trained = train(&samples, self.model, &self.recipe, seed, observer)?;
        let evaluation = trained.test(&Samples::from(&self.test), observer)?;
        let accuracy = evaluation.accuracy().ok_or_else(|| Error::Numeric {
            stage: "table9",
            problem: "the test set holds no picture that can be read".into(),
        })?;
        Ok(Learned {
            accuracy,
            loss: trained.history.last().map_or(f32::NAN, |epoch| epoch.loss),
        })
    }

    fn table(&self, outcome: &dyn Fn(&Mixture) -> Option<Learned>) -> String {
        let percent = |attack: &str, ratio: f64| {
            let learned = outcome(&self.cell(attack, ratio));
            learned.map_or("-".into(), |l| format!("{:.2}", 100.0 * l.accuracy))
        };
        let ratios = self.ratios.iter().map(|ratio| ratio.to_string());
        let head: Vec<String> = ["attack".into(), "0".into()]
            .into_iter()
            .chain(ratios)
            .collect();
        let row = |attack: &String| {
            let clean = percent(CLEAN, 0.0);
            let mixed = self.ratios.iter().map(|&ratio| percent(attack, ratio));
            [attack.clone(), clean].into_iter().chain(mixed).collect()
        };
        let rows: Vec<Vec<String>> = self.attacks.iter().map(row).collect();
        format!(
            "Accuracy on clean test rows, %, by the share of poisoned rows: {}, {} epochs, {} rows, seed {}, no defense.\n\n{}",
            self.model.name(),
            self.recipe.epochs,
            self.grounds.data().rows.len(),
            self.grounds.seed().0,
            markdown(&head, &rows)
        )
    }
}
