//! The decision: no truth, no ratio, no clean reference.
//!
//! Evidence under wrong labels is standard normal, and so is that of clean rows. Two things are looked for: a *part* of the
//! rows that stands well apart from the rest, and classes that stand apart as a *whole*, where no clean row is left to
//! compare with. Only then are rows flagged.

use super::share::interval;
use super::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict};
use crate::detect::Evidence;
use crate::mixture::{Anchor, Mixture};

/// Fewer readable rows than this answer nothing.
const LEAST_ROWS: usize = 200;
/// A part must stand this many clean standard deviations from the rest: clean data, split in two at will, stays below 3.
const SEPARATION: f64 = 3.5;
/// A part has at least this many rows: a picture and its copies also share a pattern.
const LEAST_PART: usize = 8;
/// A part is at least this share of its rows, with 97.5 % confidence, to be called poison...
const POISONED: f64 = 0.005;
/// ...and at least this share to be suspect.
const SUSPECT: f64 = 0.0025;
/// A class whose median row scores this high carries a pattern as a whole. Honest class content reaches a third of it.
const WHOLE_CLASS: f64 = 1.5;

/// The decision where the question cannot be answered, whatever the evidence: too few rows, or a single class.
pub fn unanswerable(labels: &[u32], classes: usize) -> Option<Decision> {
    let counts = count(labels, classes, |_| true);
    let present = counts.iter().filter(|&&n| n > 0).count();
    (labels.len() < LEAST_ROWS || present < 2).then(|| {
        let reason = format!(
            "{} readable rows in {present} classes: at least {LEAST_ROWS} rows in 2 classes are needed",
            labels.len()
        );
        nothing_found(Verdict::Inconclusive, reason, &counts, &vec![0.0; labels.len()], 1.0)
    })
}

/// Decides from the `evidence` on rows with `labels` below `classes`. Among the flagged rows, a share of about `fdr` is
/// expected to be clean.
pub fn decide(evidence: &Evidence, labels: &[u32], classes: usize, fdr: f64) -> Decision {
    if let Some(decision) = unanswerable(labels, classes) {
        return decision;
    }
    let counts = count(labels, classes, |_| true);
    let scores = evidence.joined(labels, classes);
    if scores.iter().any(|score| !score.is_finite()) {
        let reason = "some evidence is not a number".to_string();
        return nothing_found(Verdict::Inconclusive, reason, &counts, &scores, 1.0);
    }
    let posteriors = posteriors(&scores, labels, classes);
    let parts = count(labels, classes, |i| posteriors[i] > 0.5);
    let class_verdicts: Vec<Verdict> = parts
        .iter()
        .zip(&counts)
        .map(|(&k, &n)| judge(k, n))
        .collect();
    let whole = judge(parts.iter().sum(), labels.len());
    let verdict = class_verdicts
        .iter()
        .copied()
        .chain([whole])
        .fold(Verdict::Clean, worse);
    if verdict == Verdict::Clean {
        let reason = "no class-linked perturbation found".to_string();
        return nothing_found(verdict, reason, &counts, &scores, POISONED);
    }
    let rows = rows(&scores, &posteriors, fdr);
    let flagged = count(labels, classes, |i| rows[i].flagged);
    let all: Vec<usize> = (0..labels.len()).collect();
    Decision {
        verdict,
        reason: format!(
            "{} of {} rows carry a perturbation that is linked to their class, in {} of {classes} classes",
            flagged.iter().sum::<usize>(),
            labels.len(),
            flagged.iter().filter(|&&k| k >= LEAST_PART).count(),
        ),
        ratio: ratio(&posteriors, &all),
        classes: (0..classes)
            .map(|class| {
                let members: Vec<usize> = all
                    .iter()
                    .copied()
                    .filter(|&i| labels[i] as usize == class)
                    .collect();
                ClassDecision {
                    label: class as u32,
                    count: members.len(),
                    flagged: flagged[class],
                    ratio: ratio(&posteriors, &members),
                    verdict: class_verdicts[class],
                }
            })
            .collect(),
        rows,
    }
}

/// Probability of each row to carry a perturbation; zero throughout where nothing stands apart.
fn posteriors(scores: &[f64], labels: &[u32], classes: usize) -> Vec<f64> {
    let whole: Vec<bool> = (0..classes)
        .map(|class| {
            let members = labels
                .iter()
                .zip(scores)
                .filter(|(l, _)| **l as usize == class);
            let mut values: Vec<f64> = members.map(|(_, s)| *s).collect();
            values.sort_by(f64::total_cmp);
            values.len() >= LEAST_PART && values[values.len() / 2] >= WHOLE_CLASS
        })
        .collect();
    let mut posteriors = vec![0.0; scores.len()];
    for (kind, anchor) in [(false, Anchor::LOOSE), (true, Anchor::NULL)] {
        let members: Vec<usize> = (0..scores.len())
            .filter(|&i| whole[labels[i] as usize] == kind)
            .collect();
        let part_scores: Vec<f64> = members.iter().map(|&i| scores[i]).collect();
        let part_labels: Vec<u32> = members.iter().map(|&i| labels[i]).collect();
        let mixture = Mixture::fit(&part_scores, &part_labels, classes, anchor);
        // In a whole class there is no rest to stand apart from.
        if kind || mixture.separation() >= SEPARATION {
            for i in members {
                posteriors[i] = mixture.posterior(scores[i], labels[i]);
            }
        }
    }
    posteriors
}

/// What `part` of `rows` amounts to.
fn judge(part: usize, rows: usize) -> Verdict {
    let (low, _) = interval(part, rows);
    match part >= LEAST_PART {
        true if low >= POISONED => Verdict::Poisoned,
        true if low >= SUSPECT => Verdict::Suspect,
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

/// Flags the most probable rows, as many as keep the false-discovery rate.
fn rows(scores: &[f64], posteriors: &[f64], fdr: f64) -> Vec<RowDecision> {
    let q_values = q_values(scores, posteriors);
    let row = |((&score, &p), q_value): ((&f64, &f64), f64)| {
        let flagged = q_value <= fdr;
        RowDecision {
            flagged,
            poison_score: poison_score(score, p, flagged),
            q_value,
            severity: match p {
                _ if !flagged => Severity::None,
                _ if p > 0.99 => Severity::High,
                _ if p > 0.9 => Severity::Medium,
                _ => Severity::Low,
            },
        }
    };
    scores
        .iter()
        .zip(posteriors)
        .zip(q_values)
        .map(row)
        .collect()
}

/// Above 0.5 where the row is flagged. Half of it is the posterior, which saturates; the other half is the score, which
/// keeps the order of rows that are all but certain.
fn poison_score(score: f64, posterior: f64, flagged: bool) -> f64 {
    let rank = 0.5 + score / (1.0 + score.abs()) / 2.0;
    f64::from(u8::from(flagged)) / 2.0 + (posterior + rank) / 4.0
}

/// Expected share of clean rows among a row and all rows at least as probable (Efron's tail-area false-discovery rate).
fn q_values(scores: &[f64], posteriors: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| {
        posteriors[b]
            .total_cmp(&posteriors[a])
            .then(scores[b].total_cmp(&scores[a]))
    });
    let mut q_values = vec![1.0; scores.len()];
    let mut clean = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        clean += 1.0 - posteriors[i];
        q_values[i] = clean / (rank + 1) as f64;
    }
    q_values
}

/// Share of carrying rows among `members`: the rows that are likely at least, those that are possible at most.
fn ratio(posteriors: &[f64], members: &[usize]) -> Ratio {
    let above = |level| members.iter().filter(|&&i| posteriors[i] > level).count();
    let expected: f64 = members.iter().map(|&i| posteriors[i]).sum();
    Ratio {
        estimate: expected / members.len().max(1) as f64,
        low: interval(above(0.9), members.len()).0,
        high: interval(above(0.1), members.len()).1,
    }
}

/// A decision that flags no row; a share of up to `unseen` would have gone unnoticed.
fn nothing_found(
    verdict: Verdict,
    reason: String,
    counts: &[usize],
    scores: &[f64],
    unseen: f64,
) -> Decision {
    let ratio = Ratio {
        estimate: 0.0,
        low: 0.0,
        high: unseen,
    };
    let row = |&score: &f64| RowDecision {
        flagged: false,
        poison_score: poison_score(score, 0.0, false),
        q_value: 1.0,
        severity: Severity::None,
    };
    let classes = counts
        .iter()
        .enumerate()
        .map(|(label, &count)| ClassDecision {
            label: label as u32,
            count,
            flagged: 0,
            ratio,
            verdict,
        });
    Decision {
        verdict,
        reason,
        ratio,
        rows: scores.iter().map(row).collect(),
        classes: classes.collect(),
    }
}

/// Rows of each class that `holds`.
fn count(labels: &[u32], classes: usize, holds: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for (i, &label) in labels.iter().enumerate() {
        counts[label as usize] += usize::from(holds(i));
    }
    counts
}
