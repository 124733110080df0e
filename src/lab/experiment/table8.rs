//! Table 8 of the D-VAE paper, its left half: which of the poisoned rows of a mixture are found, by the share of the poisoned
//! ones; and the rivals on the same mixtures.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::grounds::{CLEAN, Origin};
use super::{Experiment, Grounds, markdown, number};
use crate::Result;
use crate::data::{Dataset, read_truth, write_truth};
use crate::decide::{Ratio, Verdict};
use crate::lab::detector::Detector;
use crate::observe::Observer;
use crate::settings::Preset;
use crate::stats::Metrics;

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
    detectors: Vec<String>,
    preset: Preset,
}

/// One mixture and what judges it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    attack: String,
    ratio: f64,
    detector: String,
    preset: Preset,
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
    /// The clean rows, and mixtures with each of `attacks` at each of `ratios`, judged by each of `detectors`, by their
    /// names. Those that train a D-VAE do so by `preset`.
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) for an unknown detector.
    pub fn new(
        grounds: &'a Grounds,
        (attacks, ratios): (&'a [String], &'a [f64]),
        detectors: &[String],
        preset: Preset,
    ) -> Result<Self> {
        detectors
            .iter()
            .try_for_each(|name| Detector::named(name).map(drop))?;
        Ok(Self {
            grounds,
            attacks,
            ratios,
            detectors: detectors.to_vec(),
            preset,
        })
    }

    /// What `detector` is asked of a mixture.
    pub fn cell(&self, (attack, ratio): (&str, f64), detector: &str) -> Detection {
        Detection {
            attack: attack.into(),
            ratio,
            detector: detector.into(),
            preset: self.preset,
            origin: self.grounds.origin(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// Which of the readable rows are flagged, once the `cell` is finished.
    ///
    /// # Errors
    /// As [`read_truth`]: if it is not finished, there is no file.
    pub fn flagged(&self, cell: &Detection) -> Result<Vec<bool>> {
        read_truth(&self.flags(cell), ids(self.grounds.data()))
    }

    /// Where the flags of a cell are kept, in the form of a truth file.
    fn flags(&self, cell: &Detection) -> PathBuf {
        let Detection {
            attack,
            ratio,
            detector,
            preset,
            ..
        } = cell;
        let what = format!("{attack}-{ratio}-{detector}-{preset}");
        let place = self.grounds.place("flags", &what);
        place.with_added_extension("csv")
    }
}

/// Of the readable rows.
fn ids(data: &Dataset) -> impl Iterator<Item = &str> {
    data.readable()
        .iter()
        .map(|&row| data.rows[row].id.as_str())
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
        mixtures
            .flat_map(|mixture| {
                self.detectors
                    .iter()
                    .map(move |detector| self.cell(mixture, detector))
            })
            .collect()
    }

    fn run(&self, cell: &Detection, observer: &dyn Observer) -> Result<Detected> {
        let (data, truth) = self.grounds.mixture(&cell.attack, cell.ratio)?;
        let settings = self.grounds.settings(cell.preset)?;
        let begun = Instant::now();
        let audit = Detector::named(&cell.detector)?.audit(data, &settings, None, observer)?;
        let flags = audit.decision.rows.iter().map(|row| row.flagged);
        write_truth(&self.flags(cell), ids(self.grounds.data()).zip(flags))?;
        let Ratio {
            estimate,
            lo95,
            hi95,
        } = audit.decision.ratio;
        Ok(Detected {
            verdict: audit.decision.verdict,
            metrics: audit.decision.against_all(&truth),
            share: [estimate, lo95, hi95],
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    fn is_there(&self, cell: &Detection) -> bool {
        self.flags(cell).exists()
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
                number(metrics.accuracy, 4),
                number(metrics.recall, 4),
                number(metrics.precision, 4),
                number(metrics.f1, 4),
                number(metrics.auc, 4),
                format!("{estimate:.2} ({low:.2} to {high:.2})"),
                format!("{seconds:.0}"),
                number(published, 4),
            ])
        };
        let rows: Vec<_> = self.cells().into_iter().filter_map(row).collect();
        format!(
            "Rows found, {}, preset {}. The published figures are for 50,000 rows and a rule that is not named.\n\n{}",
            self.grounds.origin().describe(),
            self.preset,
            markdown(&head.map(String::from), &rows)
        )
    }
}
