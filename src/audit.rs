//! The product on one page: a loaded drop in, evidence and a decision out.

use std::time::Instant;

use crate::data::Dataset;
use crate::decide::{Decision, decide, unanswerable};
use crate::detect::{Evidence, Part, collect};
use crate::dvae::{Dvae, DvaeConfig};
use crate::observe::Observer;
use crate::settings::{Preset, Settings};
use crate::{Labels, Result};

/// What an audit hands to its report.
#[derive(Debug)]
pub struct Audit {
    /// The drop that was audited.
    pub dataset: Dataset,
    /// What was measured on its readable rows.
    pub evidence: Evidence,
    /// What was decided.
    pub decision: Decision,
    /// The model; `None` where the drop was too small to train one.
    pub model: Option<Dvae>,
    /// Wall-clock seconds of each stage, in order.
    pub seconds: Vec<(String, f64)>,
}

/// Fits a D-VAE to `dataset` (or takes `model`), scores each row and decides.
///
/// # Errors
/// [`Error::Settings`](crate::Error::Settings) where `model` was fitted to another image size or fewer classes,
/// [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so, and
/// [`Error::Numeric`](crate::Error::Numeric) where the work failed.
pub fn run(
    dataset: Dataset,
    settings: &Settings,
    model: Option<Dvae>,
    observer: &dyn Observer,
) -> Result<Audit> {
    run_without(None, dataset, settings, model, observer)
}

/// As [`run`], but what is found does not look at one `part` of the evidence: what the part adds is the difference.
///
/// # Errors
/// As [`run`].
pub fn run_without(
    part: Option<Part>,
    dataset: Dataset,
    settings: &Settings,
    model: Option<Dvae>,
    observer: &dyn Observer,
) -> Result<Audit> {
    let labels = dataset.labels();
    let labels = Labels::new(&labels, dataset.class_names.len());
    if let Some(decision) = unanswerable(labels) {
        return Ok(Audit {
            evidence: Evidence::default(),
            decision,
            model: None,
            seconds: Vec::new(),
            dataset,
        });
    }
    let mut clock = Clock::default();
    let model = match model {
        Some(model) => {
            if model.provenance().data != dataset.fingerprint {
                // Its reconstructions still hold; its perturbations are those of the other drop.
                observer.note("the saved model was fitted to other data");
            }
            model
        }
        None => fit(&dataset, settings, observer)?,
    };
    clock.lap("fit");
    let traces = model.traces(&dataset, observer)?;
    clock.lap("disentangle");
    let evidence = collect(&dataset, traces, settings.seed, part, observer)?;
    clock.lap("score");
    let decision = decide(&evidence, labels, settings.fdr);
    clock.lap("decide");
    Ok(Audit {
        dataset,
        evidence,
        decision,
        model: Some(model),
        seconds: clock.laps,
    })
}

/// Fits the model that `settings` ask for: the same one for the same data and seed.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so, and
/// [`Error::Numeric`](crate::Error::Numeric) where the training diverged.
pub fn fit(dataset: &Dataset, settings: &Settings, observer: &dyn Observer) -> Result<Dvae> {
    let config = match settings.preset {
        Preset::Fast => DvaeConfig::fast_for(dataset.readable().len()),
        Preset::Paper => DvaeConfig::paper(),
    };
    Dvae::fit(dataset, &config, settings.seed, observer)
}

/// Times the stages.
struct Clock {
    begun: Instant,
    laps: Vec<(String, f64)>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            laps: Vec::new(),
        }
    }
}

impl Clock {
    fn lap(&mut self, stage: &str) {
        self.laps
            .push((stage.into(), self.begun.elapsed().as_secs_f64()));
        self.begun = Instant::now();
    }
}
