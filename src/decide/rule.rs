//! The decision: no truth, no ratio, no clean reference.
//!
//! Two things are poison: *groups* of rows that stand apart and are linked to their classes, and classes that carry a
//! pattern as a *whole*, where no clean row is left to compare with. A group without a link is suspect: pictures of
//! another source stand apart as well.

use super::carriers::{members, poison, possible, scores};
use super::rows::{poison_score, rows};
use super::share::ratio;
use super::verdicts::{LEAST_PART, POISONED, beside, verdict};
use super::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict};
use crate::Labels;
use crate::detect::{Evidence, Group};

/// Fewer readable rows than this answer nothing.
const LEAST_ROWS: usize = 200;

/// The decision where the question cannot be answered, whatever the evidence: too few rows, or a single class.
pub fn unanswerable(labels: Labels<'_>) -> Option<Decision> {
    let counts = labels.counts();
    let present = counts.iter().filter(|&&n| n > 0).count();
    (labels.len() < LEAST_ROWS || present < 2).then(|| {
        let reason = format!(
            "{} readable rows in {present} classes: at least {LEAST_ROWS} rows in 2 classes are needed",
            labels.len()
        );
        nothing_found(Verdict::Inconclusive, reason, &counts, &vec![0.0; labels.len()], 1.0)
    })
}

/// Decides from the `evidence` on rows with these `labels`. Among the flagged rows, a share of about `fdr` is
/// expected to be clean.
pub fn decide(evidence: &Evidence, labels: Labels<'_>, fdr: f64) -> Decision {
    if let Some(decision) = unanswerable(labels) {
        return decision;
    }
    let counts = labels.counts();
    let unsure = scores(evidence, &evidence.unlinked, labels.len());
    if unsure.iter().any(|score| !score.is_finite()) {
        let reason = "some evidence is not a number".to_string();
        return nothing_found(Verdict::Inconclusive, reason, &counts, &unsure, 1.0);
    }
    let poison = poison(evidence, labels);
    let named = verdict(&poison, labels);
    // Beside what is named, rows that merely stand apart are left alone: something always does, such as pictures with an
    // empty background.
    let odd: &[Group] = match named.0 {
        Verdict::Clean => &evidence.unlinked,
        _ => &[],
    };
    let scores = scores(evidence, odd, labels.len());
    let odd = members(odd, labels.len());
    let (verdict, class_verdicts) = beside(named, verdict(&odd, labels));
    if verdict == Verdict::Clean {
        let reason = "no class-linked perturbation found".to_string();
        return nothing_found(verdict, reason, &counts, &scores, POISONED);
    }
    let posteriors: Vec<f64> = poison.iter().zip(&odd).map(|(a, b)| a.max(*b)).collect();
    let possible = possible(&evidence.wholes, &posteriors, labels);
    let rows = rows(&scores, &posteriors, fdr);
    let all: Vec<usize> = (0..labels.len()).collect();
    let flagged = all.iter().copied().filter(|&i| rows[i].flagged);
    let flagged = labels.counts_of(flagged);
    Decision {
        verdict,
        reason: reason(verdict, &poison, &flagged, labels.len()),
        ratio: ratio(&posteriors, &possible, &all),
        classes: (0..labels.classes)
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
                    ratio: ratio(&posteriors, &possible, &members),
                    verdict: class_verdicts[class],
                }
            })
            .collect(),
        rows,
    }
}

fn reason(verdict: Verdict, poison: &[f64], flagged: &[usize], rows: usize) -> String {
    let count: usize = flagged.iter().sum();
    if verdict == Verdict::Suspect && poison.iter().all(|&p| p < 0.5) {
        return format!(
            "{count} of {rows} rows share a kind of noise that the others lack; that it is linked to classes could not be \
             shown, and pictures of another source look the same"
        );
    }
    let classes = flagged.iter().filter(|&&k| k >= LEAST_PART).count();
    format!(
        "{count} of {rows} rows carry a perturbation that is linked to their class, in {classes} of {} classes",
        flagged.len()
    )
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
        lo95: 0.0,
        hi95: unseen,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Whole;

    const CLASSES: usize = 4;
    const ROWS: usize = 2000;

    /// A group of the rows that `carries` names; labels go round the classes.
    fn group(carries: impl Fn(usize) -> bool) -> Group {
        let members: Vec<f64> = (0..ROWS)
            .map(|i| if carries(i) { 0.999 } else { 0.0 })
            .collect();
        Group {
            scores: members.iter().map(|p| 10.0 * p).collect(),
            members,
            doubt: 0.001,
        }
    }

    fn labels() -> Vec<u32> {
        (0..ROWS).map(|i| (i % CLASSES) as u32).collect()
    }

    fn decided(linked: Vec<Group>, unlinked: Vec<Group>) -> Decision {
        let evidence = Evidence {
            linked,
            unlinked,
            ..Evidence::default()
        };
        decided_by(&evidence)
    }

    fn decided_by(evidence: &Evidence) -> Decision {
        decide(evidence, Labels::new(&labels(), CLASSES), 0.01)
    }

    fn flagged(decision: &Decision) -> usize {
        decision.rows.iter().filter(|row| row.flagged).count()
    }

    #[test]
    fn nothing_apart_is_clean() {
        let decision = decided(vec![], vec![]);
        assert_eq!((decision.verdict, flagged(&decision)), (Verdict::Clean, 0));
    }

    #[test]
    fn a_few_copies_in_one_class_are_clean() {
        let decision = decided(vec![group(|i| i % CLASSES == 1 && i < 28)], vec![]);
        assert_eq!((decision.verdict, flagged(&decision)), (Verdict::Clean, 0));
    }

    #[test]
    fn a_linked_group_is_poison_and_its_ratio_covered() {
        for (every, share) in [(5, 0.2), (20, 0.05), (3, 1.0 / 3.0)] {
            let decision = decided(vec![group(|i| i % every == 0)], vec![]);
            assert_eq!(decision.verdict, Verdict::Poisoned, "{}", decision.reason);
            let ratio = decision.ratio;
            assert!(ratio.lo95 <= share && share <= ratio.hi95, "{ratio:?}");
            assert!((0..ROWS).all(|i| decision.rows[i].flagged == i.is_multiple_of(every)));
        }
    }

    #[test]
    fn groups_of_several_attacks_are_taken_together() {
        let groups = vec![group(|i| i % 10 == 0), group(|i| i % 10 == 5)];
        assert_eq!(flagged(&decided(groups, vec![])), ROWS / 5);
    }

    #[test]
    fn an_unlinked_group_is_suspect_and_shown() {
        let decision = decided(vec![], vec![group(|i| i % 5 == 0)]);
        assert_eq!(decision.verdict, Verdict::Suspect);
        assert_eq!(flagged(&decision), ROWS / 5);
        assert!(
            decision.reason.contains("could not be shown"),
            "{}",
            decision.reason
        );
    }

    #[test]
    fn beside_what_is_named_rows_that_merely_stand_apart_are_left_alone() {
        let poison = || vec![group(|i| i % 10 == 0)];
        let odd = vec![group(|i| i % 5 == 1)];
        assert_eq!(decided(poison(), odd.clone()), decided(poison(), vec![]));
        let too_few = vec![group(|i| i < 8)];
        assert_eq!(decided(too_few, odd).verdict, Verdict::Suspect);
    }

    #[test]
    fn one_poisoned_class_is_named() {
        let decision = decided(vec![group(|i| i % CLASSES == 2 && i % 3 == 0)], vec![]);
        let poisoned = decision
            .classes
            .iter()
            .filter(|c| c.verdict == Verdict::Poisoned);
        assert_eq!(poisoned.map(|c| c.label).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn classes_that_carry_as_a_whole_are_poison() {
        let evidence = Evidence {
            wholes: vec![Whole {
                scores: (0..ROWS).map(|i| 3.0 + (i % 7) as f64 / 3.0).collect(),
                classes: vec![true, true, false, false],
            }],
            ..Evidence::default()
        };
        let decision = decided_by(&evidence);
        assert_eq!(decision.verdict, Verdict::Poisoned);
        let share = flagged(&decision) as f64 / ROWS as f64;
        assert!((0.45..=0.5).contains(&share), "{share}");
    }

    #[test]
    fn of_a_class_that_carries_as_a_whole_all_rows_may_carry_if_nearly_all_do() {
        // In the first class a few rows in a hundred do not show it, in the second a third.
        let shows = |i: usize| match i % CLASSES {
            0 => !(i / CLASSES).is_multiple_of(50),
            _ => !(i / CLASSES).is_multiple_of(3),
        };
        let score = |i: usize| (i % 7) as f64 / 7.0 + if shows(i) { 8.0 } else { -0.5 };
        let evidence = Evidence {
            wholes: vec![Whole {
                scores: (0..ROWS).map(score).collect(),
                classes: vec![true, true, false, false],
            }],
            ..Evidence::default()
        };
        let decision = decided_by(&evidence);
        let [all, some] = [0, 1].map(|class| decision.classes[class].ratio);
        assert!(all.hi95 == 1.0 && all.estimate < 1.0, "{all:?}");
        assert!(some.hi95 < 0.8 && some.lo95 > 0.5, "{some:?}");
    }

    #[test]
    fn what_cannot_be_answered_is_inconclusive() {
        let unanswerable = |labels: &[u32], classes| unanswerable(Labels::new(labels, classes));
        assert!(unanswerable(&[0; 1000], 1).is_some());
        assert!(unanswerable(&[0, 1], 2).is_some());
        let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
        assert!(unanswerable(&labels, 2).is_none());
        let mut evidence = Evidence::default();
        evidence.linked.push(group(|i| i < 9));
        evidence.linked[0].scores[3] = f64::NAN;
        let decision = decided_by(&evidence);
        assert_eq!(decision.verdict, Verdict::Inconclusive);
    }
}
