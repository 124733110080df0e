//! Table 8 of the D-VAE paper, its left half: which of the poisoned rows of a mixture are found, by the share of the poisoned
//! ones; and the rivals on the same mixtures.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::grounds::{CLEAN, Origin};
use super::{Experiment, Grounds, markdown};
use crate::Result;
use crate::audit;
use crate::decide::{Ratio, Verdict};
use crate::lab::rival;
use crate::observe::Observer;
use crate::settings::Preset;
use crate::stats::Metrics;

/// The product's own evidence and rule, beside the [`rival::NAMES`].
pub const OURS: &str = "ours";

/// What the paper prints: attack, ratio, F1. It names no rule.
const PUBLISHED: [(&str, f64, f64); 8] = [
    ("em", 0.2, 0.830),
    ("em", 0.4, 0.930),
    ("em", 0.6, 0.968),
    ("em", 0.8, 0.989),
    ("lsp", 0.2, 0.641),
    ("lsp", 0.4, 0.893),
    ("lsp", 0.6, 0.954),
    ("lsp", 0.8, 0.984),
];

/// The grid.
pub struct Table8<'a> {
    grounds: &'a Grounds,
    attacks: &'a [String],
    ratios: &'a [f64],
    detectors: &'a [String],
}

/// One mixture and what judges it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    attack: String,
    ratio: f64,
    detector: String,
    #[serde(flatten)]
    origin: Origin,
    /// Of the program: another one may decide otherwise.
    version: String,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detected {
    /// Of the drop.
    pub verdict: Verdict,
    /// Against the truth.
    pub metrics: Metrics,
    /// Estimated share of poisoned rows, with the ends of its 95 % interval.
    pub share: [f64; 3],
    /// Time by the clock.
    pub seconds: f64,
}

impl<'a> Table8<'a> {
    /// The clean rows, and mixtures with each of `attacks` at each of `ratios`, judged by each of `detectors`: [`OURS`] or a
    /// rival.
    ///
    /// # Errors
    /// [`Error::Settings`] for an unknown detector.
    pub fn new(
        grounds: &'a Grounds,
        (attacks, ratios): (&'a [String], &'a [f64]),
        detectors: &'a [String],
    ) -> Result<Self> {
        let mut rivals = detectors.iter().filter(|name| *name != OURS);
        rivals.try_for_each(|name| rival::named(name).map(drop))?;
        Ok(Self {
            grounds,
            attacks,
            ratios,
            detectors,
        })
    }
}

impl Experiment for Table8<'_> {
    type Cell = Detection;
    type Outcome = Detected;

    fn name(&self) -> &'static str {
        "table8"
    }

    fn cells(&self) -> Vec<Detection> {
        let mixtures = self.ratios.iter().flat_map(|&ratio| {
            let attacks = self.attacks.iter();
            attacks.map(move |attack| (attack.as_str(), ratio))
        });
        let mixtures = [(CLEAN, 0.0)].into_iter().chain(mixtures);
        let cell = |(attack, ratio): (&str, f64), detector: &String| Detection {
            attack: attack.into(),
            ratio,
            detector: detector.clone(),
            origin: self.grounds.origin(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        mixtures
            .flat_map(|mixture| {
                self.detectors
                    .iter()
                    .map(move |detector| cell(mixture, detector))
            })
            .collect()
    }

    fn run(&self, cell: &Detection, observer: &dyn Observer) -> Result<Detected> {
        let (data, truth) = self.grounds.mixture(&cell.attack, cell.ratio)?;
        let settings = self.grounds.settings(Preset::default())?;
        let begun = Instant::now();
        let audit = match cell.detector.as_str() {
            OURS => audit::run(data, &settings, None, observer)?,
            name => rival::audit(data, &*rival::named(name)?, &settings, None, observer)?,
        };
        let Ratio {
            estimate,
            low,
            high,
        } = audit.decision.ratio;
        Ok(Detected {
            verdict: audit.decision.verdict,
            metrics: audit.decision.against_all(&truth),
            share: [estimate, low, high],
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    fn table(&self, outcome: &dyn Fn(&Detection) -> Option<Detected>) -> String {
        let head = [
            "attack",
            "share",
            "detector",
            "verdict",
            "flagged",
            "accuracy",
            "recall",
            "precision",
            "F1",
            "AUC",
            "estimated share, %",
            "seconds",
            "published F1",
        ];
        let number = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.4}"));
        let row = |cell: Detection| {
            let Detected {
                verdict,
                metrics,
                share,
                seconds,
            } = outcome(&cell)?;
            let [estimate, low, high] = share.map(|share| 100.0 * share);
            let flagged = metrics.true_positives + metrics.false_positives;
            let is_it = |(attack, ratio, _): &&(&str, f64, _)| {
                *attack == cell.attack && *ratio == cell.ratio
            };
            let published = PUBLISHED.iter().find(is_it).map(|(_, _, f1)| *f1);
            Some(vec![
                cell.attack,
                cell.ratio.to_string(),
                cell.detector,
                verdict.to_string(),
                flagged.to_string(),
                number(metrics.accuracy),
                number(metrics.recall),
                number(metrics.precision),
                number(metrics.f1),
                number(metrics.auc),
                format!("{estimate:.2} ({low:.2} to {high:.2})"),
                format!("{seconds:.0}"),
                number(published),
            ])
        };
        let rows: Vec<_> = self.cells().into_iter().filter_map(row).collect();
        format!(
            "Rows found, {}. The published figures are for 50,000 rows and a rule that is not named.\n\n{}",
            self.grounds.origin().describe(),
            markdown(&head.map(String::from), &rows)
        )
    }
}
