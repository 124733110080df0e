//! Which rows carry: from groups and whole classes to a probability for each row.

use crate::Labels;
use crate::detect::{Evidence, Group, Whole};
use crate::mixture::{Anchor, Mixture};

/// Rows of a larger probability may carry.
const POSSIBLE: f64 = 0.1;
/// Of a class that carries as a whole, this share of the rows may carry without showing it: no clean rest says what a clean row of
/// the class would look like, and networks miss some of what they look for.
const UNSHOWN: f64 = 0.1;

/// How far each row stands out, by whatever it stands out most: what is linked to the classes, and the `odd` groups.
pub(super) fn scores(evidence: &Evidence, odd: &[Group], rows: usize) -> Vec<f64> {
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
pub(super) fn members(groups: &[Group], rows: usize) -> Vec<f64> {
    let most = |i: usize| {
        groups
            .iter()
            .map(|group| group.members[i])
            .fold(0.0, f64::max)
    };
    (0..rows).map(most).collect()
}

/// Probability of each row to carry what is linked to its class.
pub(super) fn poison(evidence: &Evidence, labels: Labels<'_>) -> Vec<f64> {
    let mut poison = members(&evidence.linked, labels.len());
    for whole in &evidence.wholes {
        for (poison, p) in poison.iter_mut().zip(carriers(whole, labels)) {
            *poison = poison.max(p);
        }
    }
    poison
}

/// Probability of each row of the classes that carry as a whole, by the law of wrong labels alone; zero for all others.
fn carriers(whole: &Whole, labels: Labels<'_>) -> Vec<f64> {
    let inside: Vec<usize> = (0..labels.len())
        .filter(|&i| whole.classes[labels[i] as usize])
        .collect();
    let part_scores: Vec<f64> = inside.iter().map(|&i| whole.scores[i]).collect();
    let part_labels: Vec<u32> = inside.iter().map(|&i| labels[i]).collect();
    let part_labels = Labels::new(&part_labels, labels.classes);
    let mixture = Mixture::fit(&part_scores, part_labels, Anchor::NULL);
    let mut carriers = vec![0.0; labels.len()];
    for &i in &inside {
        carriers[i] = mixture.posterior(whole.scores[i], labels[i]);
    }
    carriers
}

/// Whether each row may carry: by its own probability, or because nearly all of its class does, as a whole.
pub(super) fn possible(wholes: &[Whole], posteriors: &[f64], labels: Labels<'_>) -> Vec<bool> {
    let counts = labels.counts();
    let mut expected = vec![0.0; labels.classes];
    for (p, &label) in posteriors.iter().zip(labels) {
        expected[label as usize] += p;
    }
    let is_all = |class: usize| {
        let carries = wholes.iter().any(|whole| whole.classes[class]);
        carries && expected[class] >= (1.0 - UNSHOWN) * counts[class] as f64
    };
    let is_all: Vec<bool> = (0..labels.classes).map(is_all).collect();
    let rows = posteriors.iter().zip(labels);
    rows.map(|(&p, &label)| p > POSSIBLE || is_all[label as usize])
        .collect()
}
