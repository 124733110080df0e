//! An audit with its model read from and written to disk.

use std::path::Path;

use ue_audit::Result;
use ue_audit::audit::{Audit, run};
use ue_audit::data::Dataset;
use ue_audit::dvae::Dvae;
use ue_audit::observe::Observer;
use ue_audit::settings::Settings;

/// What `model` makes of rows of `dataset`, for the pictures of an audit.
pub(crate) fn take_apart(
    model: &Dvae,
    dataset: &Dataset,
) -> impl Fn(&[usize]) -> Result<(Vec<f32>, Vec<f32>)> {
    |rows| {
        let parts = model.apply_rows(dataset, rows)?;
        Ok((parts.reconstruction, parts.perturbation))
    }
}

/// Audits `dataset` by the `detector`, or by the product's own evidence, with the saved `model` or a new one; saves the
/// model if asked.
pub(crate) fn audit(
    dataset: Dataset,
    settings: &Settings,
    (detector, model): (Option<&str>, Option<&Path>),
    save_model: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Audit> {
    let model = model.map(Dvae::load).transpose()?;
    let audit = match detector {
        #[cfg(feature = "lab")]
        Some(name) => {
            use ue_audit::lab::detector::Detector;
            Detector::named(name)?.audit(dataset, settings, model, observer)?
        }
        _ => run(dataset, settings, model, observer)?,
    };
    if let (Some(path), Some(model)) = (save_model, &audit.model) {
        model.save(path)?;
    }
    Ok(audit)
}
