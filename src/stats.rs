//! Plain statistics in f64: detection metrics against a truth, and quantiles.

use linfa::prelude::ToConfusionMatrix;
use ndarray::aview1;
use serde::{Deserialize, Serialize};

/// How flags and scores compare with the truth; poisoned is the positive class. A quotient whose denominator is zero is
/// undefined and therefore `None`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows compared.
    pub rows: usize,
    /// Poisoned and flagged.
    pub true_positives: usize,
    /// Clean but flagged.
    pub false_positives: usize,
    /// Clean and not flagged.
    pub true_negatives: usize,
    /// Poisoned but not flagged.
    pub false_negatives: usize,
    /// Share of rows that are judged rightly.
    pub accuracy: Option<f64>,
    /// Share of poisoned rows that are flagged.
    pub recall: Option<f64>,
    /// Share of flagged rows that are poisoned.
    pub precision: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Correlation of flag and truth (Matthews), in \[-1, 1\]: the one number that a rare kind of row cannot flatter.
    pub matthews: Option<f64>,
    /// Share of clean rows that are flagged.
    pub false_positive_rate: Option<f64>,
    /// See [`auc`].
    pub auc: Option<f64>,
    /// Area under the curve of precision over recall, by steps (average precision).
    pub aupr: Option<f64>,
    /// Share of poisoned rows that score higher than all but 1 % of the clean ones.
    pub tpr_at_1_percent_fpr: Option<f64>,
    /// Mean of the shares of clean rows flagged and of poisoned rows not flagged (half total error rate).
    pub hter: Option<f64>,
}

impl Metrics {
    /// Compares `flags` and `scores` with `truth`, row by row.
    ///
    /// # Panics
    /// If the lengths differ: a defect in the caller.
    pub fn new(flags: &[bool], scores: &[f64], truth: &[bool]) -> Self {
        assert_eq!(flags.len(), truth.len(), "a flag for each row");
        let count = |flag, poisoned| {
            let pairs = flags.iter().zip(truth);
            pairs.filter(|&pair| pair == (&flag, &poisoned)).count()
        };
        let (tp, fp) = (count(true, true), count(true, false));
        let (tn, fn_) = (count(false, false), count(false, true));
        let errors = quotient(fp, fp + tn).zip(quotient(fn_, tp + fn_));
        let curve = Curve::new(scores, truth);
        Self {
            rows: truth.len(),
            true_positives: tp,
            false_positives: fp,
            true_negatives: tn,
            false_negatives: fn_,
            accuracy: quotient(tp + tn, truth.len()),
            recall: quotient(tp, tp + fn_),
            precision: quotient(tp, tp + fp),
            f1: quotient(2 * tp, 2 * tp + fp + fn_),
            matthews: matthews(flags, truth),
            false_positive_rate: quotient(fp, fp + tn),
            auc: curve.as_ref().map(Curve::area),
            aupr: curve.as_ref().map(Curve::average_precision),
            tpr_at_1_percent_fpr: curve.as_ref().map(|curve| curve.recall_at(0.01)),
            hter: errors.map(|(false_alarms, misses)| (false_alarms + misses) / 2.0),
        }
    }

    /// Every share, by its usual name.
    pub fn named(&self) -> [(&'static str, Option<f64>); 10] {
        [
            ("accuracy", self.accuracy),
            ("recall", self.recall),
            ("precision", self.precision),
            ("F1", self.f1),
            ("Matthews correlation", self.matthews),
            ("false positive rate", self.false_positive_rate),
            ("half total error rate", self.hter),
            ("AUC", self.auc),
            ("AUPR", self.aupr),
            ("TPR at 1 % FPR", self.tpr_at_1_percent_fpr),
        ]
    }
}

/// `None` where one kind of row or flag is absent.
fn matthews(flags: &[bool], truth: &[bool]) -> Option<f64> {
    let table = aview1(flags)
        .to_owned()
        .confusion_matrix(aview1(truth))
        .ok()?;
    // Rounding in f32 may leave it just outside.
    let value = f64::from(table.mcc());
    value.is_finite().then(|| value.clamp(-1.0, 1.0))
}

/// A part of the whole as a share; `None` of nothing.
pub(crate) fn quotient(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Area under the ROC curve: the chance that a poisoned row scores above a clean one, ties counting half, exact for any
/// scale of the scores. `None` unless both kinds are present.
///
/// # Panics
/// If the lengths differ: a defect in the caller.
pub fn auc(scores: &[f64], truth: &[bool]) -> Option<f64> {
    Some(Curve::new(scores, truth)?.area())
}

/// What flagging all rows above a score gives, for each score from the highest to the lowest.
struct Curve {
    /// Poisoned and clean rows at or above the score.
    steps: Vec<(usize, usize)>,
    positives: f64,
    negatives: f64,
}

impl Curve {
    /// `None` unless both kinds of rows are present.
    fn new(scores: &[f64], truth: &[bool]) -> Option<Self> {
        assert_eq!(scores.len(), truth.len(), "a score for each row");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let (mut poisoned, mut clean) = (0, 0);
        let mut steps = Vec::new();
        for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let hits = tied.iter().filter(|&&row| truth[row]).count();
            poisoned += hits;
            clean += tied.len() - hits;
            steps.push((poisoned, clean));
        }
        (poisoned > 0 && clean > 0).then_some(Self {
            steps,
            positives: poisoned as f64,
            negatives: clean as f64,
        })
    }

    /// Under the ROC curve, by trapezoids.
    fn area(&self) -> f64 {
        let mut last = (0, 0);
        let mut doubled = 0.0;
        for &(poisoned, clean) in &self.steps {
            doubled += (clean - last.1) as f64 * (poisoned + last.0) as f64;
            last = (poisoned, clean);
        }
        doubled / 2.0 / (self.positives * self.negatives)
    }

    fn average_precision(&self) -> f64 {
        let mut last = 0;
        let mut sum = 0.0;
        for &(poisoned, clean) in &self.steps {
            sum += (poisoned - last) as f64 * poisoned as f64 / (poisoned + clean) as f64;
            last = poisoned;
        }
        sum / self.positives
    }

    /// The most poisoned rows found while at most a share `alarms` of the clean ones is above the score.
    fn recall_at(&self, alarms: f64) -> f64 {
        let steps = self.steps.iter().rev();
        let allowed = steps
            .map(|&(poisoned, clean)| (poisoned as f64, clean as f64))
            .find(|(_, clean)| *clean <= alarms * self.negatives);
        allowed.map_or(0.0, |(poisoned, _)| poisoned / self.positives)
    }
}

/// Share of the values that each one is above, ties counting half: in (0, 1), in the order of `values`.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = (below as f64 + tied.len() as f64 / 2.0) / values.len() as f64;
        tied.iter().for_each(|&i| ranks[i] = rank);
        below += tied.len();
    }
    ranks
}

/// Mean and standard deviation of `values`; zeros if there are none.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (square / n).sqrt())
}

/// The `levels` quantiles of `values`, each level in [0, 1], interpolated linearly between order statistics. Empty if
/// there are no values.
pub fn quantiles(values: &[f64], levels: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return vec![];
    };
    let at = |level: &f64| {
        let place = level * last as f64;
        let (low, share) = (place.floor() as usize, place.fract());
        sorted[low] + share * (sorted[(low + 1).min(last)] - sorted[low])
    };
    levels.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The agreement rule with ten classes: every poisoned row is flagged, and a tenth of the clean ones.
    #[test]
    fn a_tenth_of_false_alarms_gives_the_published_scores() {
        for (ratio, expected) in [
            (0.2, [0.920, 0.714, 0.833]),
            (0.4, [0.940, 0.870, 0.930]),
            (0.6, [0.960, 0.938, 0.968]),
            (0.8, [0.980, 0.976, 0.988]),
        ] {
            let rows = 10_000;
            let poisoned = (rows as f64 * ratio) as usize;
            let truth: Vec<bool> = (0..rows).map(|row| row < poisoned).collect();
            let flags: Vec<bool> = (0..rows)
                .map(|row| row < poisoned || row % 10 == 0)
                .collect();
            let scores: Vec<f64> = flags.iter().map(|&flag| f64::from(flag)).collect();
            let got = Metrics::new(&flags, &scores, &truth);
            for (value, expected) in [got.accuracy, got.precision, got.f1].iter().zip(expected) {
                assert!(
                    (value.unwrap() - expected).abs() < 6e-4,
                    "{ratio}: {value:?} for {expected}"
                );
            }
            assert_eq!(got.recall, Some(1.0));
            assert!((got.auc.unwrap() - 0.95).abs() < 1e-9, "{:?}", got.auc);
        }
    }

    #[test]
    fn what_has_no_denominator_is_undefined() {
        let none = Metrics::new(&[false, false], &[0.1, 0.2], &[false, false]);
        assert_eq!(none.accuracy, Some(1.0));
        assert_eq!(
            (none.recall, none.precision, none.f1, none.auc),
            (None, None, None, None)
        );
        assert_eq!(Metrics::new(&[], &[], &[]).accuracy, None);
        let json = serde_json::to_string(&none).unwrap();
        assert!(json.contains("\"recall\":null"), "{json}");
        assert_eq!(serde_json::from_str::<Metrics>(&json).unwrap(), none);
    }

    #[test]
    fn the_correlation_of_flag_and_truth_stays_within_one() {
        let of = |flagged: fn(usize) -> bool| {
            let truth: Vec<bool> = (0..3000).map(|row| row < 76).collect();
            let flags: Vec<bool> = (0..3000).map(flagged).collect();
            Metrics::new(&flags, &vec![0.0; 3000], &truth).matthews
        };
        assert_eq!(of(|row| row < 76), Some(1.0));
        assert_eq!(of(|row| row >= 76), Some(-1.0));
        let half = of(|row| row < 38).unwrap();
        assert!((half - 0.7026).abs() < 1e-3, "{half}");
        assert_eq!(of(|_| false), None);
    }

    #[test]
    fn auc_counts_pairs() {
        let scores = [0.3_f64, 0.3, 0.1, 0.9, 0.3, -2.0, 0.5];
        let truth = [true, false, false, true, true, false, false];
        let mut pairs = vec![];
        for (p, _) in truth.iter().enumerate().filter(|(_, t)| **t) {
            for (n, _) in truth.iter().enumerate().filter(|(_, t)| !**t) {
                pairs.push(match scores[p].total_cmp(&scores[n]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                });
            }
        }
        let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
        assert!((auc(&scores, &truth).unwrap() - mean).abs() < 1e-12);
    }

    #[test]
    fn the_curve_is_that_of_a_worked_example() {
        let scores = [0.9, 0.8, 0.7, 0.7, 0.2];
        let truth = [true, false, true, false, true];
        let got = Metrics::new(&scores.map(|score| score > 0.6), &scores, &truth);
        let average_precision = (1.0 + 2.0 / 4.0 + 3.0 / 5.0) / 3.0;
        assert!((got.aupr.unwrap() - average_precision).abs() < 1e-12);
        assert_eq!(got.tpr_at_1_percent_fpr, Some(1.0 / 3.0));
        let hter = (1.0 + 1.0 / 3.0) / 2.0;
        assert!((got.hter.unwrap() - hter).abs() < 1e-12);
    }

    #[test]
    fn ties_share_a_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 5.0]), [0.5, 0.125, 0.5, 0.875]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantiles(&values, &[0.0, 0.5, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!(quantiles(&[7.0], &[0.25]), [7.0]);
        assert!(quantiles(&[], &[0.5]).is_empty());
    }
}
