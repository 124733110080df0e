//! Rival `norm`: the length of the disentangled perturbation alone.
//!
//! - Looks at: the l2 norm of p̂.
//! - Rule: rows that lie more than three robust deviations above the median of their class; any makes the drop poisoned. Nobody
//!   has published a rule for it.
//! - Misses: next to everything: the class embedding gives every row of a class about the same p̂.
//! - Source: Yu et al., ICML 2024, whose p̂ it is.

use super::{Judgement, Rival, Suspects};
use crate::Result;
use crate::observe::Observer;
use crate::stats::quantiles;

/// Deviations above the median.
const FAR: f64 = 3.0;
/// Median of the absolute value of a standard normal variable.
const MEDIAN_OF_NORMAL: f64 = 0.674_489_75;

pub(super) struct Norm;

impl Rival for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn needs_model(&self) -> bool {
        true
    }

    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement> {
        let traces = suspects.model(self)?.traces(suspects.data, observer)?;
        Ok(outliers(traces.perturbation_l2, &suspects.data.labels()))
    }
}

fn outliers(scores: Vec<f64>, labels: &[u32]) -> Judgement {
    let classes = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let mut of_class = vec![Vec::new(); classes];
    for (&score, &label) in scores.iter().zip(labels) {
        of_class[label as usize].push(score);
    }
    let limit = |scores: &Vec<f64>| {
        let median = quantiles(scores, &[0.5]).first().copied().unwrap_or(0.0);
        let away: Vec<f64> = scores.iter().map(|score| (score - median).abs()).collect();
        let deviation = quantiles(&away, &[0.5])
            .first()
            .map_or(0.0, |m| m / MEDIAN_OF_NORMAL);
        median + FAR * deviation
    };
    let limits: Vec<f64> = of_class.iter().map(limit).collect();
    let rows = scores.iter().zip(labels);
    let flagged: Vec<bool> = rows
        .map(|(score, &label)| *score > limits[label as usize])
        .collect();
    let count = flagged.iter().filter(|&&flag| flag).count();
    Judgement {
        poisoned: count > 0,
        reason: format!(
            "{count} rows have a perturbation {FAR} deviations longer than their class"
        ),
        flagged,
        scores,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_for_its_class_is_flagged() {
        let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let usual = |i: u32| f64::from(i % 2) * 10.0 + f64::from(i % 7) / 10.0;
        let mut scores: Vec<f64> = (0..100).map(usual).collect();
        scores[4] = 5.0;
        let flagged = outliers(scores, &labels).flagged;
        assert_eq!((0..100).filter(|&i| flagged[i]).collect::<Vec<_>>(), [4]);
    }
}
