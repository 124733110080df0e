//! REPORT: one serialisable result and its renderings, each a pure function of it.
//!
//! Everything here except [`Timings`] is the same bytes for the same data and seed: no clock, host, absolute path or
//! thread count is in it.

mod build;
mod change;
pub mod csv;
pub mod explain;
pub mod folder;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod panels;
mod rendering;
pub mod sarif;
pub mod sheet;
pub mod shortcut;
pub mod terminal;
mod timings;

use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::decide::gate::Gate;
use crate::decide::{Ratio, Verdict};
use crate::stats::Metrics;

pub use change::{Change, psnr};
pub use explain::{Explanation, Standing};
pub use rendering::Rendering;
pub use timings::{Stage, Timing, Timings};

/// The version of the layout of `results.json`.
pub const SCHEMA: &str = "ue-audit/results/v1";

/// The result of a scan; the content of `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that made it.
    pub tool: Tool,
    /// The settings it ran with.
    pub settings: Settings,
    /// The data it read.
    pub data: Data,
    /// What the drop is.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// What the gate made of it.
    pub gate: Gate,
    /// Share of poisoned rows.
    pub poison_ratio: Ratio,
    /// The classes, by label.
    pub classes: Vec<Class>,
    /// The measurements on the readable rows.
    pub views: Vec<ViewSummary>,
    /// Unreadable rows, by reason.
    pub bad_files: Vec<BadFileGroup>,
    /// How the flags compare with the truth, where it was given.
    pub metrics: Option<TruthMetrics>,
    /// Ids of the flagged rows, in sample order.
    pub flagged: Vec<String>,
    /// What a scan of this data would have caught, where that was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selftest: Vec<Power>,
    /// Where the time went.
    pub timings: Timing,
}

/// The program that made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The data that were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the format.
    pub format: String,
    /// The rule that recognised it.
    pub rule: String,
    /// BLAKE3 of the drop, in hex.
    pub fingerprint: String,
    /// Height of the pictures as scored.
    pub height: usize,
    /// Width of the pictures as scored.
    pub width: usize,
    /// All rows.
    pub rows: usize,
    /// Rows that were scored.
    pub readable: usize,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Rows left out on purpose.
    pub skipped: usize,
    /// Rows that were resized to be scored.
    pub resized: usize,
}

/// One class of the drop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// The label.
    pub label: u32,
    /// Its name.
    pub name: String,
    /// All rows of the class.
    pub count: usize,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Flagged rows.
    pub flagged: usize,
    /// Share of poisoned rows.
    pub ratio: Ratio,
    /// What the class is.
    pub verdict: Verdict,
}

/// How one measurement is distributed over the readable rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewSummary {
    /// As in the `evidence` column of `samples.csv`, or the name of a column of its own.
    pub name: String,
    /// Least value.
    pub min: f64,
    /// 25 % quantile.
    pub q25: f64,
    /// Median.
    pub median: f64,
    /// 75 % quantile.
    pub q75: f64,
    /// 99 % quantile.
    pub q99: f64,
    /// Largest value.
    pub max: f64,
}

/// Unreadable rows that share a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFileGroup {
    /// The first word of the reason, such as `truncated`.
    pub reason: String,
    /// How many rows.
    pub rows: usize,
    /// Ids of the first few, in sample order.
    pub examples: Vec<String>,
}

/// How a scan compares with the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthMetrics {
    /// Flags and poison score.
    pub detection: Metrics,
    /// The same, class by class, in label order.
    #[serde(default)]
    pub by_class: Vec<ClassMetrics>,
    /// Each measurement alone, the norms of the perturbation among them.
    pub auc_by_view: Vec<ViewAuc>,
}

/// How a scan compares with the truth on the rows of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub label: u32,
    /// Flags and poison score.
    pub detection: Metrics,
}

/// What a scan would have caught of one known poison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// The attack that was planted.
    pub attack: String,
    /// Rows of the slice that it was planted in.
    pub rows: usize,
    /// The smallest share of them that made the slice `poisoned`; absent if none did.
    pub caught: Option<f64>,
    /// The shares that were tried, ascending.
    pub trials: Vec<Trial>,
    /// Why the attack could not be planted, if it could not.
    pub problem: Option<String>,
}

/// One scan of a slice with planted poison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Share of the rows that were poisoned.
    pub ratio: f64,
    /// Their number.
    pub planted: usize,
    /// What the slice was taken for.
    pub verdict: Verdict,
    /// Share of the flagged rows that are poisoned.
    pub precision: Option<f64>,
    /// Share of the poisoned rows that are flagged.
    pub recall: Option<f64>,
}

/// How well one measurement alone ranks the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewAuc {
    /// As in [`ViewSummary::name`].
    pub name: String,
    /// Area under its ROC curve; absent where the truth has one kind of row only.
    pub auc: Option<f64>,
}
