//! What the carrying rows amount to: a verdict of the drop and of each class.

use super::Verdict;
use super::share::interval;
use crate::Labels;

/// A part has at least this many rows: a picture and its copies also share a pattern.
pub(super) const LEAST_PART: usize = 8;
/// A part is at least this share of the drop, with 97.5 % confidence, to be called poison...
pub(super) const POISONED: f64 = 0.005;
/// ...or this share of one class: clean classes hold clusters of pictures that are near copies of each other.
const POISONED_CLASS: f64 = 0.015;
/// A part of at least this share of the amounts above is suspect.
const SUSPECT: f64 = 2.0 / 3.0;

/// A verdict of the drop and of each class.
pub(super) type Verdicts = (Verdict, Vec<Verdict>);

/// What is `named` poison, and beside it what is merely odd, which is suspect at most.
pub(super) fn beside((drop, classes): Verdicts, (odd_drop, odd_classes): Verdicts) -> Verdicts {
    let suspect = |verdict: Verdict| match verdict {
        Verdict::Poisoned => Verdict::Suspect,
        other => other,
    };
    let classes = classes.into_iter().zip(odd_classes);
    (
        worse(drop, suspect(odd_drop)),
        classes.map(|(a, b)| worse(a, suspect(b))).collect(),
    )
}

/// Verdict of the drop and of each class, from the probability of each row to carry what counts.
pub(super) fn verdict(carry: &[f64], labels: Labels<'_>) -> Verdicts {
    let parts = labels.counts_of((0..labels.len()).filter(|&i| carry[i] > 0.5));
    let classes = parts.iter().zip(labels.counts());
    let classes: Vec<Verdict> = classes
        .map(|(&part, rows)| judge(part, rows, POISONED_CLASS))
        .collect();
    let drop = judge(parts.iter().sum(), labels.len(), POISONED);
    (classes.iter().copied().fold(drop, worse), classes)
}

/// What `part` of `rows` amounts to, where the share `poisoned` is poison.
fn judge(part: usize, rows: usize, poisoned: f64) -> Verdict {
    let (low, _) = interval(part, rows);
    match part >= LEAST_PART {
        true if low >= poisoned => Verdict::Poisoned,
        true if low >= SUSPECT * poisoned => Verdict::Suspect,
        _ => Verdict::Clean,
    }
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Poisoned, _) | (_, Verdict::Poisoned) => Verdict::Poisoned,
        (Verdict::Suspect, _) | (_, Verdict::Suspect) => Verdict::Suspect,
        _ => a,
    }
}
