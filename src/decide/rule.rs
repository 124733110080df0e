//! The decision: no truth, no ratio, no clean reference.
//!
//! Two things are poison: *groups* of rows that stand apart and are linked to their classes, and classes that carry a
//! pattern as a *whole*, where no clean row is left to compare with. A group without a link is suspect: pictures of
//! another source stand apart as well.

use super::rows::{poison_score, rows};
use super::share::interval;
use super::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict};
use crate::detect::{Evidence, Group, Whole};
use crate::mixture::{Anchor, Mixture};

/// Fewer readable rows than this answer nothing.
const LEAST_ROWS: usize = 200;
/// A part has at least this many rows: a picture and its copies also share a pattern.
const LEAST_PART: usize = 8;
/// A part is at least this share of the drop, with 97.5 % confidence, to be called poison...
const POISONED: f64 = 0.005;
/// ...or this share of one class: clean classes hold clusters of pictures that are near copies of each other.
const POISONED_CLASS: f64 = 0.015;
/// Rows of a larger probability are likely to carry...
const LIKELY: f64 = 0.9;
/// ...and of a larger one than this may.
const POSSIBLE: f64 = 0.1;
/// Of a class that carries as a whole, this share of the rows may carry without showing it: no clean rest says what a clean row of
/// the class would look like, and networks miss some of what they look for.
const UNSHOWN: f64 = 0.1;
/// A part of at least this share of the amounts above is suspect.
const SUSPECT: f64 = 2.0 / 3.0;

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
    let unsure = scores(evidence, &evidence.unlinked, labels.len());
    if unsure.iter().any(|score| !score.is_finite()) {
        let reason = "some evidence is not a number".to_string();
        return nothing_found(Verdict::Inconclusive, reason, &counts, &unsure, 1.0);
    }
    let poison = poison(evidence, labels);
    let named = verdict(&poison, labels, &counts);
    // Beside what is named, rows that merely stand apart are left alone: something always does, such as pictures with an
    // empty background.
    let odd: &[Group] = match named.0 {
        Verdict::Clean => &evidence.unlinked,
        _ => &[],
    };
    let scores = scores(evidence, odd, labels.len());
    let odd = members(odd, labels.len());
    let (verdict, class_verdicts) = beside(named, verdict(&odd, labels, &counts));
    if verdict == Verdict::Clean {
        let reason = "no class-linked perturbation found".to_string();
        return nothing_found(verdict, reason, &counts, &scores, POISONED);
    }
    let posteriors: Vec<f64> = poison.iter().zip(&odd).map(|(a, b)| a.max(*b)).collect();
    let possible = possible(&evidence.wholes, &posteriors, labels, &counts);
    let rows = rows(&scores, &posteriors, fdr);
    let flagged = count(labels, classes, |i| rows[i].flagged);
    let all: Vec<usize> = (0..labels.len()).collect();
    Decision {
        verdict,
        reason: reason(verdict, &poison, &flagged, labels.len()),
        ratio: ratio(&posteriors, &possible, &all),
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

/// A verdict of the drop and of each class.
type Verdicts = (Verdict, Vec<Verdict>);

/// What is `named` poison, and beside it what is merely odd, which is suspect at most.
fn beside((drop, classes): Verdicts, (odd_drop, odd_classes): Verdicts) -> Verdicts {
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
fn verdict(carry: &[f64], labels: &[u32], counts: &[usize]) -> Verdicts {
    let parts = count(labels, counts.len(), |i| carry[i] > 0.5);
    let classes = parts.iter().zip(counts);
    let classes: Vec<Verdict> = classes
        .map(|(&part, &rows)| judge(part, rows, POISONED_CLASS))
        .collect();
    let drop = judge(parts.iter().sum(), labels.len(), POISONED);
    (classes.iter().copied().fold(drop, worse), classes)
}

/// How far each row stands out, by whatever it stands out most: what is linked to the classes, and the `odd` groups.
fn scores(evidence: &Evidence, odd: &[Group], rows: usize) -> Vec<f64> {
    let groups = evidence.linked.iter().chain(odd);
    let groups = groups.map(|group| &group.scores);
    let all: Vec<&Vec<f64>> = groups
        .chain(evidence.wholes.iter().map(|whole| &whole.scores))
        .collect();
    // Where nothing stands apart, the order of the rows rests on the evidence about their labels.
    let labelled = evidence.views.iter().filter(|view| !view.null.is_empty());
    let labelled: Vec<&Vec<f64>> = labelled.map(|view| &view.scores).collect();
    let by = if all.is_empty() { labelled } else { all };
    let most = |i: usize| by.iter().map(|scores| scores[i]).reduce(f64::max);
    (0..rows).map(|i| most(i).unwrap_or(0.0)).collect()
}

/// Probability of each row to be in a group.
fn members(groups: &[Group], rows: usize) -> Vec<f64> {
    let most = |i: usize| {
        groups
            .iter()
            .map(|group| group.members[i])
            .fold(0.0, f64::max)
    };
    (0..rows).map(most).collect()
}

/// Probability of each row to carry what is linked to its class.
fn poison(evidence: &Evidence, labels: &[u32]) -> Vec<f64> {
    let mut poison = members(&evidence.linked, labels.len());
    for whole in &evidence.wholes {
        for (poison, p) in poison.iter_mut().zip(carriers(whole, labels)) {
            *poison = poison.max(p);
        }
    }
    poison
}

/// Probability of each row of the classes that carry as a whole, by the law of wrong labels alone; zero for all others.
fn carriers(whole: &Whole, labels: &[u32]) -> Vec<f64> {
    let inside: Vec<usize> = (0..labels.len())
        .filter(|&i| whole.classes[labels[i] as usize])
        .collect();
    let part_scores: Vec<f64> = inside.iter().map(|&i| whole.scores[i]).collect();
    let part_labels: Vec<u32> = inside.iter().map(|&i| labels[i]).collect();
    let mixture = Mixture::fit(
        &part_scores,
        &part_labels,
        whole.classes.len(),
        Anchor::NULL,
    );
    let mut carriers = vec![0.0; labels.len()];
    for &i in &inside {
        carriers[i] = mixture.posterior(whole.scores[i], labels[i]);
    }
    carriers
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

/// Whether each row may carry: by its own probability, or because nearly all of its class does, as a whole.
fn possible(wholes: &[Whole], posteriors: &[f64], labels: &[u32], counts: &[usize]) -> Vec<bool> {
    let mut expected = vec![0.0; counts.len()];
    for (p, &label) in posteriors.iter().zip(labels) {
        expected[label as usize] += p;
    }
    let is_all = |class: usize| {
        let carries = wholes.iter().any(|whole| whole.classes[class]);
        carries && expected[class] >= (1.0 - UNSHOWN) * counts[class] as f64
    };
    let is_all: Vec<bool> = (0..counts.len()).map(is_all).collect();
    let rows = posteriors.iter().zip(labels);
    rows.map(|(&p, &label)| p > POSSIBLE || is_all[label as usize])
        .collect()
}

/// Share of carrying rows among `members`: the rows that are likely at least, those that are `possible` at most.
fn ratio(posteriors: &[f64], possible: &[bool], members: &[usize]) -> Ratio {
    let likely = members.iter().filter(|&&i| posteriors[i] > LIKELY).count();
    let possible = members.iter().filter(|&&i| possible[i]).count();
    let expected: f64 = members.iter().map(|&i| posteriors[i]).sum();
    Ratio {
        estimate: expected / members.len().max(1) as f64,
        low: interval(likely, members.len()).0,
        high: interval(possible, members.len()).1,
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
        decide(&evidence, &labels(), CLASSES, 0.01)
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
            assert!(ratio.low <= share && share <= ratio.high, "{ratio:?}");
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
        let decision = decide(&evidence, &labels(), CLASSES, 0.01);
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
        let decision = decide(&evidence, &labels(), CLASSES, 0.01);
        let [all, some] = [0, 1].map(|class| decision.classes[class].ratio);
        assert!(all.high == 1.0 && all.estimate < 1.0, "{all:?}");
        assert!(some.high < 0.8 && some.low > 0.5, "{some:?}");
    }

    #[test]
    fn what_cannot_be_answered_is_inconclusive() {
        assert!(unanswerable(&[0; 1000], 1).is_some());
        assert!(unanswerable(&[0, 1], 2).is_some());
        let labels: Vec<u32> = (0..1000).map(|i| i % 2).collect();
        assert!(unanswerable(&labels, 2).is_none());
        let mut evidence = Evidence::default();
        evidence.linked.push(group(|i| i < 9));
        evidence.linked[0].scores[3] = f64::NAN;
        let decision = decide(&evidence, &self::labels(), CLASSES, 0.01);
        assert_eq!(decision.verdict, Verdict::Inconclusive);
    }
}
