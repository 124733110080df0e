//! Table 1 of the D-VAE paper, and the right half of its Table 8: what the disentangled perturbation p̂ does to a classifier when
//! it is added to clean pictures. If p̂ is the poison, a classifier that learns from x + p̂ knows poisoned pictures and fails on
//! clean ones. p̂ is that of the mean latents, and the sums are rounded to bytes, where the reference code draws latents and truncates.
//!
//! In Table 1 the model is fitted to a drop with every row poisoned, and p̂ is added to the clean picture of each row. In Table
//! 8 a few rows are poisoned, and p̂ is added to the others, which are then the training set.

use serde::{Deserialize, Serialize};

use super::grounds::Origin;
use super::learner::Training;
use super::{Experiment, Grounds, Learner, markdown, number, percent};
use crate::Result;
use crate::audit::fit;
use crate::data::Dataset;
use crate::dvae::Latent;
use crate::observe::Observer;
use crate::settings::Preset;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriers {
    /// Every row poisoned.
    TableOne,
    /// A few rows poisoned.
    TableEight,
}

/// The shares of poisoned rows in Table 8, and the published accuracies on the test rows there, %; the attack is not named.
const FEW: [(f64, f64); 4] = [(0.01, 10.09), (0.02, 10.11), (0.04, 12.29), (0.08, 10.01)];
/// Accuracies in Table 1 on the clean training pictures and on the poisoned ones, %, as far as they are known here.
const ALL: [(&str, f64, f64); 2] = [("em", 9.7, 91.3), ("lsp", 15.1, 99.9)];

/// The grid.
pub struct Carried<'a> {
    grounds: &'a Grounds,
    learner: &'a Learner,
    attacks: &'a [String],
    table: Carriers,
    preset: Preset,
}

/// One mixture, from which p̂ comes, and how a classifier is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carrying {
    attack: String,
    ratio: f64,
    preset: Preset,
    #[serde(flatten)]
    origin: Origin,
    training: Training,
}

/// What the classifier gets right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Of the clean test rows.
    pub test: f64,
    /// Of the clean pictures of all rows.
    pub clean: f64,
    /// Of their poisoned pictures.
    pub poisoned: f64,
}

impl<'a> Carried<'a> {
    /// The cells of `table` for each of `attacks`; the model is fitted by `preset`.
    pub fn new(
        grounds: &'a Grounds,
        learner: &'a Learner,
        table: Carriers,
        attacks: &'a [String],
        preset: Preset,
    ) -> Self {
        Self {
            grounds,
            learner,
            attacks,
            table,
            preset,
        }
    }

    fn cell(&self, attack: &str, ratio: f64) -> Carrying {
        Carrying {
            attack: attack.into(),
            ratio,
            preset: self.preset,
            origin: self.grounds.origin(),
            training: self.learner.training(),
        }
    }

    fn ratios(&self) -> Vec<f64> {
        match self.table {
            Carriers::TableOne => vec![1.0],
            Carriers::TableEight => FEW.iter().map(|(ratio, _)| *ratio).collect(),
        }
    }

    /// Clean pictures with the p̂ of the `mixture` added: of all rows, or of those that are not `poisoned` if that leaves any.
    fn lifted(
        &self,
        mixture: &Dataset,
        poisoned: &[bool],
        observer: &dyn Observer,
    ) -> Result<Dataset> {
        let model = fit(mixture, &self.grounds.settings(self.preset)?, observer)?;
        let clean = self.grounds.data();
        let size = clean.height * clean.width * 3;
        let all = poisoned.iter().all(|&is| is);
        let labels = clean.labels();
        let (mut pixels, mut kept) = (Vec::new(), Vec::new());
        model.apply_batches(mixture, Latent::Mean, observer, |batch| {
            for (row, p) in batch.rows.zip(batch.perturbation.chunks_exact(size)) {
                if all || !poisoned[row] {
                    let sums = clean.image(row).iter().zip(p);
                    let levels = sums.map(|(&x, p)| (f32::from(x) + 255.0 * p).round() as u8);
                    pixels.extend(levels);
                    kept.push(labels[row]);
                }
            }
            Ok(())
        })?;
        Ok(Dataset::from_pixels(
            &clean.format,
            "clean rows and p̂",
            clean.class_names.clone(),
            (clean.height, clean.width),
            pixels,
            &kept,
        ))
    }
}

impl Experiment for Carried<'_> {
    type Cell = Carrying;
    type Outcome = Effect;

    fn name(&self) -> &'static str {
        match self.table {
            Carriers::TableOne => "table1",
            Carriers::TableEight => "table8-right",
        }
    }

    fn cells(&self) -> Vec<Carrying> {
        let ratios = self.ratios();
        let of = |attack: &String| -> Vec<Carrying> {
            let ratios = ratios.iter();
            ratios.map(|&ratio| self.cell(attack, ratio)).collect()
        };
        self.attacks.iter().flat_map(of).collect()
    }

    fn run(&self, cell: &Carrying, observer: &dyn Observer) -> Result<Effect> {
        let (mixture, poisoned) = self.grounds.mixture(&cell.attack, cell.ratio)?;
        let lifted = self.lifted(&mixture, &poisoned, observer)?;
        let (poison, _) = self.grounds.mixture(&cell.attack, 1.0)?;
        let trained = self
            .learner
            .train(&lifted, None, self.grounds.seed(), observer)?;
        let accuracy = |data: &Dataset| Learner::accuracy(&trained, data, observer);
        Ok(Effect {
            test: accuracy(self.learner.test())?,
            clean: accuracy(self.grounds.data())?,
            poisoned: accuracy(&poison)?,
        })
    }

    fn table(&self, outcome: &dyn Fn(&Carrying) -> Option<Effect>) -> String {
        let head = [
            "attack",
            "share poisoned",
            "clean training rows T",
            "clean test rows",
            "poisoned rows P",
            "published: T",
            "test",
            "P",
        ];
        let row = |cell: Carrying| {
            let effect = outcome(&cell)?;
            let few = FEW.iter().find(|(ratio, _)| *ratio == cell.ratio);
            let all = ALL.iter().find(|(attack, ..)| *attack == cell.attack);
            let all = all.filter(|_| self.table == Carriers::TableOne);
            Some(vec![
                cell.attack,
                cell.ratio.to_string(),
                percent(Some(effect.clean)),
                percent(Some(effect.test)),
                percent(Some(effect.poisoned)),
                number(all.map(|all| all.1), 1),
                number(few.map(|few| few.1), 2),
                number(all.map(|all| all.2), 1),
            ])
        };
        let rows: Vec<_> = self.cells().into_iter().filter_map(row).collect();
        format!(
            "Accuracy, %, of a classifier trained on x + p̂: {}, {}, preset {}. Published figures are for ResNet-18 and \
             50,000 rows.\n\n{}",
            self.learner.training().describe(),
            self.grounds.origin().describe(),
            self.preset,
            markdown(&head.map(String::from), &rows)
        )
    }
}
