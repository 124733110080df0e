//! The decision: no truth, no ratio, no clean reference.
//!
//! Evidence under wrong labels is standard normal, and so is that of clean rows. Two things are looked for: a *part* of the
//! rows that stands well apart from the rest, and classes that stand apart as a *whole*, where no clean row is left to
//! compare with. Only then are rows flagged.

use super::rows::{poison_score, rows};
use super::share::interval;
use super::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict};
use crate::detect::Evidence;
use crate::mixture::{Anchor, Mixture};
use crate::stats::quantiles;

/// Fewer readable rows than this answer nothing.
const LEAST_ROWS: usize = 200;
/// A part must stand this many clean standard deviations from the rest: clean data, split in two at will, stays below 3
/// unless pictures that look alike draw out the tail...
const SEPARATION: f64 = 2.5;
/// ...and that tail has no gap before it: of the rows that it claims, a third and more are in doubt. Rows that carry one
/// pattern or none leave less doubt than this, however few carry.
const LARGEST_DOUBT: f64 = 0.2;
/// A part has at least this many rows: a picture and its copies also share a pattern.
const LEAST_PART: usize = 8;
/// A part is at least this share of the drop, with 97.5 % confidence, to be called poison...
const POISONED: f64 = 0.005;
/// ...or this share of one class: clean classes hold clusters of pictures that are near copies of each other.
const POISONED_CLASS: f64 = 0.015;
/// A part of at least this share of the amounts above is suspect.
const SUSPECT: f64 = 2.0 / 3.0;
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
    let whole_classes: Vec<bool> = (0..classes)
        .map(|class| stands_apart_as_a_whole(&scores, labels, class))
        .collect();
    let posteriors = posteriors(&scores, labels, &whole_classes);
    let parts = count(labels, classes, |i| posteriors[i] > 0.5);
    let class_verdicts: Vec<Verdict> = (0..classes)
        .map(|class| {
            let rows = labels.iter().zip(&posteriors);
            let members = rows.filter(|(label, _)| **label as usize == class);
            let carry: Vec<f64> = members.map(|(_, &p)| p).collect();
            if whole_classes[class] || doubt(&carry) <= LARGEST_DOUBT {
                judge(parts[class], counts[class], POISONED_CLASS)
            } else {
                Verdict::Clean
            }
        })
        .collect();
    let whole = judge(parts.iter().sum(), labels.len(), POISONED);
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

/// Probability of each row to carry a perturbation; zero where nothing stands apart.
fn posteriors(scores: &[f64], labels: &[u32], whole_classes: &[bool]) -> Vec<f64> {
    let mut posteriors = vec![0.0; scores.len()];
    for (in_whole_class, anchor) in [(false, Anchor::LOOSE), (true, Anchor::NULL)] {
        let members: Vec<usize> = (0..scores.len())
            .filter(|&i| whole_classes[labels[i] as usize] == in_whole_class)
            .collect();
        let part_scores: Vec<f64> = members.iter().map(|&i| scores[i]).collect();
        let part_labels: Vec<u32> = members.iter().map(|&i| labels[i]).collect();
        let mixture = Mixture::fit(&part_scores, &part_labels, whole_classes.len(), anchor);
        let posterior = |(&score, &label): (&f64, &u32)| mixture.posterior(score, label);
        let carry: Vec<f64> = part_scores
            .iter()
            .zip(&part_labels)
            .map(posterior)
            .collect();
        // A whole class has no rest that a part of it could stand apart from.
        if in_whole_class || part_stands_apart(&mixture, &carry) {
            members
                .iter()
                .zip(carry)
                .for_each(|(&i, p)| posteriors[i] = p);
        }
    }
    posteriors
}

/// Whether the typical row of `class` carries.
fn stands_apart_as_a_whole(scores: &[f64], labels: &[u32], class: usize) -> bool {
    let rows = labels.iter().zip(scores);
    let members = rows.filter(|(label, _)| **label as usize == class);
    let values: Vec<f64> = members.map(|(_, score)| *score).collect();
    let median = quantiles(&values, &[0.5]);
    values.len() >= LEAST_PART && median.first().is_some_and(|&median| median >= WHOLE_CLASS)
}

/// Whether the rows that `carry` are a part of their own, not the tail of the rest.
fn part_stands_apart(mixture: &Mixture, carry: &[f64]) -> bool {
    mixture.separation() >= SEPARATION && doubt(carry) <= LARGEST_DOUBT
}

/// Expected share of rows, among those that carry, whose side is open.
fn doubt(carry: &[f64]) -> f64 {
    let open: f64 = carry.iter().map(|p| p * (1.0 - p)).sum();
    open / carry.iter().sum::<f64>().max(f64::MIN_POSITIVE)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::View;
    use rand_distr::{Distribution, StandardNormal};

    const CLASSES: usize = 4;
    const ROWS: usize = 2000;

    /// Scores of rows whose labels go round the classes; `lift(row)` says how much a row carries.
    fn decided(lift: impl Fn(usize) -> f64) -> Decision {
        let draw = |n: usize, purpose: &str| -> Vec<f64> {
            let rng = &mut crate::Seed(1).stream(purpose, 0);
            (0..n).map(|_| StandardNormal.sample(rng)).collect()
        };
        let mut scores = draw(ROWS, "scores");
        (0..ROWS).for_each(|i| scores[i] += lift(i));
        let evidence = Evidence {
            views: vec![View {
                name: "test",
                scores,
                null: draw(ROWS, "null"),
            }],
            ..Evidence::default()
        };
        let labels: Vec<u32> = (0..ROWS).map(|i| (i % CLASSES) as u32).collect();
        decide(&evidence, &labels, CLASSES, 0.01)
    }

    fn flagged(decision: &Decision) -> usize {
        decision.rows.iter().filter(|row| row.flagged).count()
    }

    #[test]
    fn clean_rows_are_clean_even_with_honest_content_and_a_few_copies() {
        for lift in [0.0, 0.7] {
            let decision = decided(|i| {
                if i % CLASSES == 1 && i < 24 {
                    15.0
                } else {
                    lift
                }
            });
            assert_eq!(decision.verdict, Verdict::Clean, "{}", decision.reason);
            assert_eq!(flagged(&decision), 0);
        }
    }

    #[test]
    fn a_tail_without_a_gap_before_it_is_not_a_part() {
        // One class in four draws a tenth of its rows out into an exponential tail, as pictures that look alike do.
        let decision = decided(|i| match i % CLASSES {
            1 if i % 40 == 1 => -2.5 * ((i as f64 + 0.5) / ROWS as f64).ln(),
            _ => 0.0,
        });
        assert_eq!(decision.verdict, Verdict::Clean, "{}", decision.reason);
    }

    #[test]
    fn a_part_is_flagged_and_its_ratio_covered() {
        for (every, share) in [(5, 0.2), (20, 0.05), (3, 1.0 / 3.0)] {
            let decision = decided(|i| if i % every == 0 { 8.0 } else { 0.0 });
            assert_eq!(decision.verdict, Verdict::Poisoned, "{}", decision.reason);
            let ratio = decision.ratio;
            assert!(ratio.low <= share && share <= ratio.high, "{ratio:?}");
            let wrong = |i: usize| decision.rows[i].flagged != i.is_multiple_of(every);
            // One flag in a hundred may be wrong: seven of the most.
            assert!((0..ROWS).filter(|&i| wrong(i)).count() <= 8);
        }
    }

    #[test]
    fn one_poisoned_class_is_named() {
        let decision = decided(|i| {
            if i % CLASSES == 2 && i % 3 == 0 {
                9.0
            } else {
                0.0
            }
        });
        let poisoned = decision
            .classes
            .iter()
            .filter(|c| c.verdict == Verdict::Poisoned);
        assert_eq!(poisoned.map(|c| c.label).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_drop_without_a_clean_row_is_poisoned() {
        let decision = decided(|_| 3.0);
        assert_eq!(decision.verdict, Verdict::Poisoned);
        assert!(flagged(&decision) > ROWS * 9 / 10, "{}", flagged(&decision));
    }

    #[test]
    fn what_cannot_be_answered_is_inconclusive() {
        assert!(unanswerable(&[0; 1000], 1).is_some());
        assert!(unanswerable(&[0, 1], 2).is_some());
        let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
        assert!(unanswerable(&labels, 2).is_none());
    }
}
