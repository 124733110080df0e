//! Table 9 of the D-VAE paper, the columns without a defense: what a classifier learns from a mixture of clean and poisoned
//! rows, by the share of the poisoned ones.

use serde::{Deserialize, Serialize};

use super::grounds::{CLEAN, Origin};
use super::learner::Training;
use super::{Experiment, Grounds, Learned, Learner, markdown};
use crate::Result;
use crate::observe::Observer;

/// The grid.
pub struct Table9<'a> {
    grounds: &'a Grounds,
    learner: &'a Learner,
    attacks: &'a [String],
    ratios: &'a [f64],
}

/// One mixture and how a classifier is trained on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    attack: String,
    ratio: f64,
    #[serde(flatten)]
    origin: Origin,
    training: Training,
}

impl<'a> Table9<'a> {
    /// Mixtures with each of `attacks` at each of `ratios`, and the clean rows.
    pub fn new(
        grounds: &'a Grounds,
        learner: &'a Learner,
        (attacks, ratios): (&'a [String], &'a [f64]),
    ) -> Self {
        Self {
            grounds,
            learner,
            attacks,
            ratios,
        }
    }

    fn cell(&self, attack: &str, ratio: f64) -> Mixture {
        Mixture {
            attack: attack.into(),
            ratio,
            origin: self.grounds.origin(),
            training: self.learner.training(),
        }
    }
}

impl Experiment for Table9<'_> {
    type Cell = Mixture;
    type Outcome = Learned;

    fn name(&self) -> &'static str {
        "table9"
    }

    fn cells(&self) -> Vec<Mixture> {
        let mixed = self.attacks.iter().flat_map(|attack| {
            let cell = move |&ratio: &f64| self.cell(attack, ratio);
            self.ratios.iter().map(cell)
        });
        [self.cell(CLEAN, 0.0)].into_iter().chain(mixed).collect()
    }

    fn run(&self, cell: &Mixture, observer: &dyn Observer) -> Result<Learned> {
        let (data, _) = self.grounds.mixture(&cell.attack, cell.ratio)?;
        self.learner
            .learn(&data, None, self.grounds.seed(), observer)
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
            "Accuracy on clean test rows, %, by the share of poisoned rows: {}, {}, no defense.\n\n{}",
            self.learner.training().describe(),
            self.grounds.origin().describe(),
            markdown(&head, &rows)
        )
    }
}
