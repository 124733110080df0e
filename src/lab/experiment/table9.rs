//! Table 9 of the D-VAE paper: what a classifier learns from a mixture of clean and poisoned rows, by the share of the poisoned
//! ones and by what is done about them.

use serde::{Deserialize, Serialize};

use super::grounds::{CLEAN, Origin};
use super::learner::Training;
use super::pure::{purified, settings};
use super::{Experiment, Grounds, Learned, Learner, Table8, columns_of, markdown, mean, percent};
use crate::data::Dataset;
use crate::lab::detector::OURS;
use crate::observe::Observer;
use crate::settings::Preset;
use crate::{Error, Result};

/// The clean rows alone, by the truth: what whoever drops can reach.
const CLEAN_PART: &str = "clean-part";
/// Scan, then drop what is flagged.
const DROP: &str = "drop";
/// Scan, then purify what is flagged.
const FLAGGED: &str = "dvae-flagged";
/// What purifies, flagged rows or all.
const PURIFIER: &str = "dvae";
/// All columns: nothing done, by the truth, by the scan, and all rows purified.
const REMEDIES: [&str; 6] = ["none", CLEAN_PART, DROP, FLAGGED, "jpeg", PURIFIER];

/// The grid.
pub struct Table9<'a> {
    grounds: &'a Grounds,
    learner: &'a Learner,
    attacks: &'a [String],
    ratios: &'a [f64],
    remedies: Vec<&'static str>,
    preset: Preset,
    scans: Table8<'a>,
}

/// One mixture, what is done about it, and how a classifier is then trained on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    attack: String,
    ratio: f64,
    remedy: String,
    preset: Preset,
    /// What the purifier is made of, if there is one; cells of before that was kept have none.
    #[serde(default)]
    settings: serde_json::Value,
    #[serde(flatten)]
    origin: Origin,
    training: Training,
    /// Of the program: another one may flag otherwise.
    version: String,
}

impl Remedy {
    /// Whether no row is left to train on, if the scan is right.
    fn leaves_nothing(&self) -> bool {
        self.ratio >= 1.0 && [CLEAN_PART, DROP].contains(&self.remedy.as_str())
    }
}

impl<'a> Table9<'a> {
    /// The clean rows and mixtures with each of `attacks` at each of `ratios`; of the columns those among `remedies`, or all if
    /// there are none. Scans and purifiers train by `preset`.
    ///
    /// # Errors
    /// [`Error::Settings`] for a remedy that is no column of the table.
    pub fn new(
        grounds: &'a Grounds,
        learner: &'a Learner,
        (attacks, ratios): (&'a [String], &'a [f64]),
        remedies: &[String],
        preset: Preset,
    ) -> Result<Self> {
        Ok(Self {
            grounds,
            learner,
            attacks,
            ratios,
            remedies: columns_of(&REMEDIES, remedies)?,
            preset,
            scans: Table8::new(grounds, (attacks, ratios), &[OURS.into()], preset)?,
        })
    }

    /// The scans that its columns need, which must be finished before.
    pub fn scans(&self) -> Option<&Table8<'a>> {
        let scans = |remedy: &&str| [DROP, FLAGGED].contains(remedy);
        self.remedies.iter().any(scans).then_some(&self.scans)
    }

    fn cell(&self, (attack, ratio): (&str, f64), remedy: &str) -> Remedy {
        let purifier = if remedy == FLAGGED { PURIFIER } else { remedy };
        Remedy {
            // The clean part is the same whatever the rest carries.
            attack: if remedy == CLEAN_PART { CLEAN } else { attack }.into(),
            ratio,
            remedy: remedy.into(),
            preset: self.preset,
            settings: settings(purifier, self.preset, self.grounds.data().readable().len()),
            origin: self.grounds.origin(),
            training: self.learner.training(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// The mixtures, the clean rows first.
    fn mixtures(&self) -> impl Iterator<Item = (&str, f64)> {
        let of = |attack: &'a String| self.ratios.iter().map(|&ratio| (attack.as_str(), ratio));
        let mixed = self.attacks.iter().flat_map(of);
        [(CLEAN, 0.0)].into_iter().chain(mixed)
    }

    /// Which rows of the mixture of a cell a scan flags.
    fn flagged(&self, cell: &Remedy) -> Result<Vec<bool>> {
        let mixture = (cell.attack.as_str(), cell.ratio);
        self.scans.flagged(&self.scans.cell(mixture, OURS))
    }

    /// The mixture of a cell after its remedy.
    fn remedied(&self, cell: &Remedy, observer: &dyn Observer) -> Result<Dataset> {
        let (drop, _) = self.grounds.mixture(&cell.attack, cell.ratio)?;
        let pure = |name| {
            let pure = purified(&drop, name, self.preset, self.grounds.seed(), observer)?;
            pure.ok_or_else(|| Error::Settings {
                name: "defense",
                problem: format!("there is no purifier {name}"),
            })
        };
        match cell.remedy.as_str() {
            CLEAN_PART if cell.ratio > 0.0 => without(&drop, &self.grounds.chosen(cell.ratio)?),
            "none" | CLEAN_PART => Ok(drop),
            DROP => without(&drop, &self.flagged(cell)?),
            FLAGGED => {
                let (flagged, pure) = (self.flagged(cell)?, pure(PURIFIER)?);
                let of = |(k, &flagged): (usize, &bool)| match flagged {
                    true => pure.image(k),
                    false => drop.image(k),
                };
                let pixels = flagged.iter().enumerate().flat_map(of).copied();
                Ok(drop.with_pixels(pixels.collect()))
            }
            purifier => pure(purifier),
        }
    }
}

/// The rows that are not `unwanted`.
fn without(drop: &Dataset, unwanted: &[bool]) -> Result<Dataset> {
    let rest: Vec<usize> = (0..unwanted.len()).filter(|&k| !unwanted[k]).collect();
    if rest.is_empty() {
        return Err(Error::Numeric {
            stage: "drop",
            problem: "no row is left to train on".into(),
        });
    }
    Ok(drop.only(&rest))
}

impl Experiment for Table9<'_> {
    type Cell = Remedy;
    type Outcome = Learned;

    fn name(&self) -> &'static str {
        "table9"
    }

    fn cells(&self) -> Vec<Remedy> {
        let of = |mixture| {
            let remedies = self.remedies.iter();
            remedies.map(move |remedy| self.cell(mixture, remedy))
        };
        let cells = self.mixtures().flat_map(of);
        cells.filter(|cell| !cell.leaves_nothing()).collect()
    }

    fn run(&self, cell: &Remedy, observer: &dyn Observer) -> Result<Learned> {
        let data = self.remedied(cell, observer)?;
        self.learner
            .learn(&data, None, self.grounds.seed(), observer)
    }

    fn table(&self, outcome: &dyn Fn(&Remedy) -> Option<Learned>) -> String {
        let accuracy = |mixture, remedy: &str| Some(outcome(&self.cell(mixture, remedy))?.accuracy);
        let line = |name: &str, ratio: f64, of: &dyn Fn(&str) -> Option<f64>| -> Vec<String> {
            let cells = self.remedies.iter().map(|remedy| percent(of(remedy)));
            [name.to_owned(), ratio.to_string()]
                .into_iter()
                .chain(cells)
                .collect()
        };
        let each = self
            .mixtures()
            .map(|mixture| line(mixture.0, mixture.1, &|remedy| accuracy(mixture, remedy)));
        let means = self.ratios.iter().map(|&ratio| {
            line("mean of the attacks", ratio, &|remedy| {
                let attacks = self.attacks.iter();
                mean(attacks.map(|attack| accuracy((attack, ratio), remedy)))
            })
        });
        let head = ["attack", "share"]
            .into_iter()
            .chain(self.remedies.iter().copied());
        let head: Vec<String> = head.map(String::from).collect();
        let rows: Vec<Vec<String>> = each.chain(means).collect();
        format!(
            "Accuracy on clean test rows, %, by the share of poisoned rows and what is done about them: {}, {}, preset {}. \
             `{CLEAN_PART}` trains on the clean rows alone, by the truth; `{DROP}` on what a scan does not flag; `{FLAGGED}` \
             on all rows, those that a scan flags purified.\n\n{}",
            self.learner.training().describe(),
            self.grounds.origin().describe(),
            self.preset,
            markdown(&head, &rows)
        )
    }
}
