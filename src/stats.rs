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
            auc: auc(scores, truth),
        }
    }
}

/// `None` where one kind of row or flag is absent.
fn matthews(flags: &[bool], truth: &[bool]) -> Option<f64> {
    let table = aview1(flags)
        .to_owned()
        .confusion_matrix(aview1(truth))
        .ok()?;
    Some(f64::from(table.mcc())).filter(|value| value.is_finite())
}

fn quotient(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Area under the ROC curve: the chance that a poisoned row scores above a clean one, ties counting half. `None` unless
/// both kinds are present. Computed from mid-ranks (Mann and Whitney), exact for any scale of the scores.
///
/// # Panics
/// If the lengths differ: a defect in the caller.
pub fn auc(scores: &[f64], truth: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), truth.len(), "a score for each row");
    let positives = truth.iter().filter(|&&poisoned| poisoned).count();
    let negatives = truth.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut rank_sum = 0.0;
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let middle = below as f64 + (tied.len() + 1) as f64 / 2.0;
        rank_sum += middle * tied.iter().filter(|&&row| truth[row]).count() as f64;
        below += tied.len();
    }
    let least = positives as f64 * (positives + 1) as f64 / 2.0;
    Some((rank_sum - least) / (positives as f64 * negatives as f64))
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
            let scores: Vec<f64> = flags
                .iter()
                .map(|&flag| f64::from(u8::from(flag)))
                .collect();
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
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantiles(&values, &[0.0, 0.5, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!(quantiles(&[7.0], &[0.25]), [7.0]);
        assert!(quantiles(&[], &[0.5]).is_empty());
    }
}
