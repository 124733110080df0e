//! DECIDE: from scores to verdict, threshold, ratio and gate. Pure: no files, no tensors, no truth.

mod allowance;
mod carriers;
pub mod gate;
mod rows;
mod rule;
mod share;
mod verdicts;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stats::Metrics;

pub use allowance::Allowance;
pub use rule::{decide, unanswerable};

/// What the drop, or one class of it, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No class-linked perturbation was found.
    Clean,
    /// Something is there, but too weak or too small to be sure.
    Suspect,
    /// Class-linked perturbations are present.
    Poisoned,
    /// The question could not be answered: too few rows, or the work failed.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Suspect => "suspect",
            Self::Poisoned => "poisoned",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// How sure the flag on a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not flagged.
    None,
    /// Weak.
    Low,
    /// Likely.
    Medium,
    /// Near certain.
    High,
}

/// A share with its 95 % interval, all in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The estimate.
    pub estimate: f64,
    /// Lower end.
    pub lo95: f64,
    /// Upper end.
    pub hi95: f64,
}

/// What was decided of one readable row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowDecision {
    /// Above the threshold.
    pub flagged: bool,
    /// In [0, 1]; higher is worse.
    pub poison_score: f64,
    /// The smallest false-discovery rate at which this row would be flagged.
    pub q_value: f64,
    /// Band of the flag.
    pub severity: Severity,
}

/// What was decided of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassDecision {
    /// The label.
    pub label: u32,
    /// Readable rows.
    pub count: usize,
    /// Flagged rows.
    pub flagged: usize,
    /// Share of poisoned rows.
    pub ratio: Ratio,
    /// What the class is.
    pub verdict: Verdict,
}

/// What was decided of the drop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What the drop is.
    pub verdict: Verdict,
    /// Why, in a sentence for a person.
    pub reason: String,
    /// Share of poisoned rows.
    pub ratio: Ratio,
    /// Readable rows, in block order.
    pub rows: Vec<RowDecision>,
    /// Classes, by label.
    pub classes: Vec<ClassDecision>,
}

impl Decision {
    /// How flags and poison scores of the block rows `rows` compare with their `truth`, which has an entry for each of them.
    ///
    /// # Panics
    /// If it has another number of entries: a defect in the caller.
    pub fn against(&self, rows: &[usize], truth: &[bool]) -> Metrics {
        let judged = rows.iter().map(|&row| &self.rows[row]);
        let (flags, scores): (Vec<bool>, Vec<f64>) =
            judged.map(|row| (row.flagged, row.poison_score)).unzip();
        Metrics::new(&flags, &scores, truth)
    }

    /// As [`Decision::against`] of all readable rows.
    ///
    /// # Panics
    /// As there.
    pub fn against_all(&self, truth: &[bool]) -> Metrics {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        self.against(&all, truth)
    }
}
