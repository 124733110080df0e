//! What an audit of this data would have caught: known poison is planted in rows that the audit took for clean, in
//! smaller and smaller shares, until it is not found any more.

use super::attack::{Attack, Options, named};
use super::planting::Planting;
use crate::data::Dataset;
use crate::decide::{Decision, Verdict, decide};
use crate::detect::collect;
use crate::dvae::Dvae;
use crate::observe::Observer;
use crate::report::{Power, Trial};
use crate::{Error, Labels, Result, Seed, Settings};

/// What is planted unless asked otherwise: a pattern with a position, a texture without one, and noise that a network was
/// trained to make.
pub const ATTACKS: [&str; 3] = ["lsp", "ar", "em"];
/// Shares of the slice that are poisoned, ascending.
const RATIOS: [f64; 5] = [0.01, 0.02, 0.05, 0.1, 0.2];

/// An audited drop to plant in.
pub struct Grounds<'a> {
    /// The drop.
    pub dataset: &'a Dataset,
    /// What was decided of it.
    pub decision: &'a Decision,
    /// The model that was fitted to it; it is not fitted again to what is planted.
    pub model: &'a Dvae,
    /// The settings of the audit.
    pub settings: &'a Settings,
}

impl Grounds<'_> {
    /// Plants each of the `attacks` in a slice of at most `rows` of the rows that are not flagged, and finds the smallest share
    /// that makes the drop `poisoned`, by bisection.
    ///
    /// # Errors
    /// [`Error::Settings`] for an unknown attack, [`Error::Numeric`] where the work failed, [`Error::Interrupted`] when the
    /// observer says so. An attack that cannot work on such pictures is no error: its entry says so.
    pub fn powers(
        &self,
        attacks: &[String],
        rows: usize,
        observer: &dyn Observer,
    ) -> Result<Vec<Power>> {
        let slice = self.slice(rows);
        let seed = self.settings.seed.derive("selftest", 0);
        let attack =
            |name: &String| self.power(&*named(name, Options::default())?, &slice, seed, observer);
        attacks.iter().map(attack).collect()
    }

    /// Rows that are not flagged, spread evenly over the drop.
    fn slice(&self, most: usize) -> Dataset {
        let data = self.dataset;
        let judged = self.decision.rows.iter().enumerate();
        let passed = judged.filter(|(_, row)| !row.flagged).map(|(k, _)| k);
        let passed: Vec<usize> = passed.collect();
        let count = most.min(passed.len());
        let chosen: Vec<usize> = (0..count)
            .map(|k| passed[k * passed.len() / count])
            .collect();
        let labels = data.labels();
        let pixels = chosen.iter().flat_map(|&k| data.image(k)).copied();
        Dataset::from_pixels(
            "slice",
            "rows that the audit took for clean",
            data.class_names.clone(),
            (data.height, data.width),
            pixels.collect(),
            &chosen.iter().map(|&k| labels[k]).collect::<Vec<_>>(),
        )
    }

    fn power(
        &self,
        attack: &dyn Attack,
        slice: &Dataset,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Power> {
        let mut power = Power {
            attack: attack.name().into(),
            rows: slice.rows.len(),
            caught: None,
            trials: Vec::new(),
            problem: None,
        };
        let most = RATIOS[RATIOS.len() - 1];
        let planting = match Planting::new(attack, slice, most, seed, observer) {
            Err(Error::Settings { problem, .. }) => {
                power.problem = Some(problem);
                return Ok(power);
            }
            other => other?,
        };
        // The smallest share that is caught is among `open`, or none is.
        let mut open = 0..RATIOS.len();
        while !open.is_empty() {
            let middle = (open.start + open.end) / 2;
            let ratio = RATIOS[middle];
            let trial = self.trial(&planting, slice, ratio, observer)?;
            observer.note(&format!(
                "{} planted in {} of {} rows: {}",
                power.attack,
                trial.planted,
                slice.rows.len(),
                trial.verdict
            ));
            match trial.verdict {
                Verdict::Poisoned => {
                    power.caught = Some(ratio);
                    open.end = middle;
                }
                _ => open.start = middle + 1,
            }
            power.trials.push(trial);
        }
        power.trials.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        Ok(power)
    }

    fn trial(
        &self,
        planting: &Planting<'_>,
        slice: &Dataset,
        ratio: f64,
        observer: &dyn Observer,
    ) -> Result<Trial> {
        let planted = (slice.rows.len() as f64 * ratio) as usize;
        let data = planting.plant(planted)?;
        let Settings { seed, fdr, .. } = *self.settings;
        let traces = self.model.traces(&data, observer)?;
        let evidence = collect(&data, traces, seed, None, observer)?;
        let labels = data.labels();
        let labels = Labels::new(&labels, data.class_names.len());
        let decision = decide(&evidence, labels, fdr);
        let metrics = decision.against_all(&planting.truth(planted));
        Ok(Trial {
            ratio,
            planted,
            verdict: decision.verdict,
            precision: metrics.precision,
            recall: metrics.recall,
        })
    }
}
