//! Other ways to find poisoned rows, from the literature, under one contract, so that they can be put beside the audit's own.
//!
//! Each judges by the rule that its authors gave, as far as one is known. None estimates a share of poison or a
//! false-discovery rate; what they leave open is left open in the report.

mod activation;
mod agreement;
mod norm;
mod simple;

use std::time::Instant;

use crate::audit::{Audit, fit};
use crate::data::Dataset;
use crate::decide::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict, unanswerable};
use crate::detect::{Evidence, View};
use crate::dvae::Dvae;
use crate::observe::Observer;
use crate::stats::ranks;
use crate::{Error, Labels, Result, Seed, Settings};

use activation::{Clustering, Spectral};
use agreement::{Agreement, Learner, TableEight};
use norm::Norm;

/// Another detector.
pub trait Rival {
    /// Its short name, as on the command line.
    fn name(&self) -> &'static str;

    /// Whether it looks at what a D-VAE makes of the rows.
    fn needs_model(&self) -> bool {
        false
    }

    /// Judges the readable rows of `suspects`.
    ///
    /// # Errors
    /// [`Error::Numeric`] where the work failed, [`Error::Interrupted`] when the observer says so.
    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement>;
}

/// What a rival looks at.
pub struct Suspects<'a> {
    /// The drop.
    pub data: &'a Dataset,
    /// A D-VAE that was fitted to it, for those that need one.
    pub model: Option<&'a Dvae>,
    /// Fixes what is drawn at random.
    pub seed: Seed,
}

impl<'a> Suspects<'a> {
    /// The model that `rival` needs.
    ///
    /// # Errors
    /// [`Error::Numeric`] if there is none.
    fn model(&self, rival: &dyn Rival) -> Result<&'a Dvae> {
        self.model.ok_or_else(|| Error::Numeric {
            stage: rival.name(),
            problem: "there is no model".into(),
        })
    }
}

/// What a rival says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// One number a readable row; higher is more suspicious.
    pub scores: Vec<f64>,
    /// The rows that its rule takes for poison.
    pub flagged: Vec<bool>,
    /// Whether its rule takes the drop for poisoned.
    pub poisoned: bool,
    /// Why, in a sentence.
    pub reason: String,
}

/// Names of the rivals, as on the command line.
pub const NAMES: [&str; 7] = [
    "norm",
    "agree",
    "simple-linear",
    "simple-2nn",
    "bias-shift",
    "spectral",
    "clustering",
];

/// The rival called `name`, if there is one.
pub fn named(name: &str) -> Option<Box<dyn Rival>> {
    Some(match name {
        "norm" => Box::new(Norm),
        "agree" => Box::new(TableEight),
        "simple-linear" => Box::new(Agreement(Learner::Linear)),
        "simple-2nn" => Box::new(Agreement(Learner::TwoLayers)),
        "bias-shift" => Box::new(Agreement(Learner::Shifted)),
        "spectral" => Box::new(Spectral),
        "clustering" => Box::new(Clustering),
        _ => return None,
    })
}

/// Audits `dataset` with `rival` in place of the product's own evidence and rule.
///
/// # Errors
/// As [`crate::audit::run`].
pub fn audit(
    dataset: Dataset,
    rival: &dyn Rival,
    settings: &Settings,
    model: Option<Dvae>,
    observer: &dyn Observer,
) -> Result<Audit> {
    let labels = dataset.labels();
    let labels = Labels::new(&labels, dataset.class_names.len());
    let begun = Instant::now();
    let (evidence, decision, model) = match unanswerable(labels) {
        Some(decision) => (Evidence::default(), decision, None),
        None => {
            let model = match model {
                None if rival.needs_model() => Some(fit(&dataset, settings, observer)?),
                model => model,
            };
            let suspects = Suspects {
                data: &dataset,
                model: model.as_ref(),
                seed: settings.seed.derive("rival", 0),
            };
            let judgement = rival.judge(&suspects, observer)?;
            let decision = judgement.decision(labels);
            let view = View {
                name: rival.name(),
                scores: judgement.scores,
                null: Vec::new(),
            };
            let evidence = Evidence {
                views: vec![view],
                ..Evidence::default()
            };
            (evidence, decision, model)
        }
    };
    Ok(Audit {
        dataset,
        evidence,
        decision,
        model,
        seconds: vec![(rival.name().into(), begun.elapsed().as_secs_f64())],
    })
}

impl Judgement {
    /// In the terms of the product: the order of the scores, and no claim about the share of poison.
    fn decision(&self, labels: Labels<'_>) -> Decision {
        let verdict = match self.poisoned {
            true => Verdict::Poisoned,
            false => Verdict::Clean,
        };
        let row = |(&flagged, rank): (&bool, f64)| RowDecision {
            flagged,
            poison_score: rank,
            q_value: 1.0,
            severity: match flagged && self.poisoned {
                true => Severity::Medium,
                false => Severity::None,
            },
        };
        let of = |chosen: &dyn Fn(usize) -> bool| {
            let rows = (0..labels.len()).filter(|&i| chosen(i));
            let (mut count, mut flagged) = (0, 0);
            rows.for_each(|i| {
                count += 1;
                flagged += usize::from(self.flagged[i]);
            });
            let ratio = Ratio {
                estimate: flagged as f64 / count.max(1) as f64,
                lo95: 0.0,
                hi95: 1.0,
            };
            (count, flagged, ratio)
        };
        let class = |label: u32| {
            let (count, flagged, ratio) = of(&|i| labels[i] == label);
            ClassDecision {
                label,
                count,
                flagged,
                ratio,
                verdict,
            }
        };
        Decision {
            verdict,
            reason: self.reason.clone(),
            ratio: of(&|_| true).2,
            rows: self
                .flagged
                .iter()
                .zip(ranks(&self.scores))
                .map(row)
                .collect(),
            classes: (0..labels.classes as u32).map(class).collect(),
        }
    }
}
