//! Tables 2 and 7 of the D-VAE paper: what a classifier learns from a drop with every row poisoned, by the defense. In Table
//! 2 the defenses are those that the paper compares, in Table 7 the two-stage method and what is left of it when parts are
//! taken away.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::grounds::{CLEAN, Origin};
use super::learner::Training;
use super::pure::purified;
use super::{Experiment, Grounds, Learner, columns_of, markdown, mean, percent};
use crate::Result;
use crate::data::Dataset;
use crate::lab::defense::{Adversarial, Defense, UEraser};
use crate::observe::Observer;
use crate::report::psnr;
use crate::settings::Preset;

/// The squeezes of which image shortcut squeezing takes the best (Liu et al., ICML 2023). Which one that is shows on the clean
/// test rows alone, in the paper's tables as in ours: it is what a user could reach who knew.
const SQUEEZES: [&str; 3] = ["jpeg", "gray", "bdr"];
/// Its column.
const ISS: &str = "iss (best)";

/// The grid.
pub struct Repairs<'a> {
    grounds: &'a Grounds,
    learner: &'a Learner,
    attacks: &'a [String],
    table: Table,
    defenses: Vec<&'static str>,
    preset: Preset,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Defenses.
    Two,
    /// Parts of the two-stage method.
    Seven,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Two => "table2",
            Self::Seven => "table7",
        }
    }

    /// Its columns.
    pub fn defenses(self) -> &'static [&'static str] {
        match self {
            Self::Two => &[
                "none", "jpeg", "gray", "bdr", "lfu", "ueraser", "at", "vae", "dvae",
            ],
            Self::Seven => &[
                "none", "dvae-1", "dvae-2", "dvae-3", "dvae-4", "dvae-5", "dvae",
            ],
        }
    }
}

/// A poison, a defense, and how a classifier is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    attack: String,
    defense: String,
    preset: Preset,
    #[serde(flatten)]
    origin: Origin,
    training: Training,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repaired {
    /// Share of the clean test rows that are right.
    pub accuracy: f64,
    /// Mean peak signal-to-noise ratio of what was trained on against the clean pictures, dB; absent where they are equal.
    pub psnr_db: Option<f64>,
    /// Time of the purification by the clock.
    pub seconds: f64,
}

impl<'a> Repairs<'a> {
    /// The cells of `table` for each of `attacks` and the clean rows; of its columns those among `defenses`, or all if there
    /// are none. Purifiers that train do so by `preset`.
    ///
    /// # Errors
    /// [`Error::Settings`] for a defense that is no column of the table.
    pub fn new(
        grounds: &'a Grounds,
        learner: &'a Learner,
        table: Table,
        (attacks, defenses): (&'a [String], &'a [String]),
        preset: Preset,
    ) -> Result<Self> {
        Ok(Self {
            grounds,
            learner,
            attacks,
            table,
            defenses: columns_of(table.defenses(), defenses)?,
            preset,
        })
    }

    fn cell(&self, attack: &str, defense: &str) -> Repair {
        Repair {
            attack: attack.into(),
            defense: defense.into(),
            preset: self.preset,
            origin: self.grounds.origin(),
            training: self.learner.training(),
        }
    }

    /// Attacks as rows, the clean rows first, and the mean over the attacks last.
    fn lines(&self, outcome: &dyn Fn(&Repair) -> Option<Repaired>) -> Vec<Vec<String>> {
        let accuracy = |attack: &str, defense: &str| {
            let of = |name: &str| outcome(&self.cell(attack, name)).map(|r| r.accuracy);
            match defense == ISS {
                true => SQUEEZES.into_iter().map(of).collect::<Option<Vec<_>>>(),
                false => of(defense).map(|accuracy| vec![accuracy]),
            }
            .map(|tried| tried.into_iter().fold(0.0, f64::max))
        };
        let columns = self.columns();
        let clean = CLEAN.to_owned();
        let of_attack = |attack: &String| {
            let cells = columns
                .iter()
                .map(|defense| percent(accuracy(attack, defense)));
            [attack.clone()].into_iter().chain(cells).collect()
        };
        let mean = |defense: &&str| {
            let attacks = self.attacks.iter();
            percent(mean(attacks.map(|attack| accuracy(attack, defense))))
        };
        let means = ["mean of the attacks".to_owned()];
        let means = means.into_iter().chain(columns.iter().map(mean)).collect();
        let rows = [&clean].into_iter().chain(self.attacks).map(of_attack);
        rows.chain([means]).collect()
    }

    fn columns(&self) -> Vec<&str> {
        let squeezed = SQUEEZES.iter().all(|name| self.defenses.contains(name));
        let iss = squeezed.then_some(ISS);
        self.defenses.iter().copied().chain(iss).collect()
    }
}

/// Mean over the pictures that differ.
fn mean_psnr(clean: &Dataset, pure: &Dataset) -> Option<f64> {
    let one = |k| psnr(clean.image(k), pure.image(k));
    let all: Vec<f64> = (0..clean.readable().len()).filter_map(one).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

impl Experiment for Repairs<'_> {
    type Cell = Repair;
    type Outcome = Repaired;

    fn name(&self) -> &'static str {
        self.table.name()
    }

    fn cells(&self) -> Vec<Repair> {
        let attacks = [CLEAN]
            .into_iter()
            .chain(self.attacks.iter().map(String::as_str));
        let of = |attack| {
            self.defenses
                .iter()
                .map(move |defense| self.cell(attack, defense))
        };
        attacks.flat_map(of).collect()
    }

    fn run(&self, cell: &Repair, observer: &dyn Observer) -> Result<Repaired> {
        let (drop, _) = self.grounds.mixture(&cell.attack, 1.0)?;
        let (seed, begun) = (self.grounds.seed(), Instant::now());
        let pure = purified(&drop, &cell.defense, self.preset, seed, observer)?;
        let pure = pure.unwrap_or(drop);
        let seconds = begun.elapsed().as_secs_f64();
        let defense: Option<Box<dyn Defense>> = match cell.defense.as_str() {
            "ueraser" => Some(Box::new(UEraser::default())),
            "at" => Some(Box::new(Adversarial::default())),
            _ => None,
        };
        let learned = self
            .learner
            .learn(&pure, defense.as_deref(), seed, observer)?;
        Ok(Repaired {
            accuracy: learned.accuracy,
            psnr_db: mean_psnr(self.grounds.data(), &pure),
            seconds,
        })
    }

    fn table(&self, outcome: &dyn Fn(&Repair) -> Option<Repaired>) -> String {
        let head: Vec<String> = ["attack"]
            .into_iter()
            .chain(self.columns())
            .map(String::from)
            .collect();
        let published = match self.table {
            Table::Two => {
                "Published for 50,000 rows, ResNet-18, 60 epochs, all eight attacks: 94.57 for clean rows without a \
                 defense, 90.01 for the mean of `dvae`."
            }
            Table::Seven => {
                "`dvae-1` has no first stage, `dvae-2` no second inference, `dvae-3` no second stage, `dvae-4` no third \
                 inference, `dvae-5` is one reconstruction."
            }
        };
        format!(
            "Accuracy on clean test rows, %, by the defense, every row poisoned: {}, {}, preset {}. Our scale is not \
             the paper's.\n\n{}\n{published}\n",
            self.learner.training().describe(),
            self.grounds.origin().describe(),
            self.preset,
            markdown(&head, &self.lines(outcome))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::pure::method;
    use super::*;

    #[test]
    fn every_column_that_is_no_training_is_a_purifier() {
        for table in [Table::Two, Table::Seven] {
            for &defense in table.defenses() {
                let trains = ["none", "ueraser", "at"].contains(&defense);
                assert_eq!(method(defense).is_none(), trains, "{defense}");
            }
        }
    }
}
