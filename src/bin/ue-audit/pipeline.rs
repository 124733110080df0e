//! The one call into the audit itself.

use std::path::Path;

use ue_audit::data::Dataset;
use ue_audit::decide::Decision;
use ue_audit::detect::Evidence;
use ue_audit::observe::Observer;
use ue_audit::settings::Settings;
use ue_audit::{Error, Result};

/// What an audit hands to its report.
pub(crate) struct Audit {
    pub(crate) dataset: Dataset,
    pub(crate) evidence: Evidence,
    pub(crate) decision: Decision,
    /// `[n, height, width, 3]` in [0, 1] pixel units, as the perturbation.
    pub(crate) reconstruction: Vec<f32>,
    pub(crate) perturbation: Vec<f32>,
    /// Wall-clock seconds of each stage.
    pub(crate) seconds: Vec<(String, f64)>,
}

/// Fits (or loads `model`), scores, decides, and saves the model if asked.
pub(crate) fn audit(
    _dataset: Dataset,
    _settings: &Settings,
    _model: Option<&Path>,
    _save_model: Option<&Path>,
    _observer: &dyn Observer,
) -> Result<Audit> {
    Err(Error::Settings {
        name: "scan",
        problem: "not wired yet".into(),
    })
}
