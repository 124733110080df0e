//! Classes that leave a group because people see why its rows stand apart.

use super::super::View;
use super::super::compare::mean_exceeds;
use super::super::eye::{Kind, MUCH};
use super::super::group::Group;
use super::Ties;
use crate::stats::moments;
use crate::{Labels, Result};

impl Ties<'_> {
    /// `group` without the classes whose rows in it people see to be of their class better than the rest of it, if they do not see it
    /// much less well than `view` says it, which looks for this `kind` of thing: horses that stand alike have the edges of their
    /// legs in one place.
    pub(in crate::detect) fn unseen(&self, group: Group, view: &View, kind: Kind) -> Result<Group> {
        let (faint, seen) = self.beside(view, kind)?;
        Ok(without_seen(group, &faint, seen, self.inquiry.labels))
    }
}

/// `group` without the classes of which more is `seen` in its rows than in the others, unless the `faint` evidence is [`MUCH`] times
/// as much.
fn without_seen(group: Group, faint: &[f64], seen: [&[f64]; 2], labels: Labels<'_>) -> Group {
    let (inside, outside) = group.sides();
    let is_seen = |class: usize| {
        let pick = |rows: &[usize], scores: &[f64]| -> Vec<f64> {
            let of_class = rows.iter().filter(|&&i| labels[i] as usize == class);
            of_class.map(|&i| scores[i]).collect()
        };
        let faint = moments(&pick(&inside, faint)).0;
        seen.iter().any(|seen| {
            let (seen, rest) = (pick(&inside, seen), pick(&outside, seen));
            mean_exceeds(&seen, &rest) && faint < MUCH * moments(&seen).0
        })
    };
    let is_seen: Vec<bool> = (0..labels.classes).map(is_seen).collect();
    group.without_classes(labels, &is_seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_people_see_in_its_rows_leaves_the_group() {
        let labels: Vec<u32> = (0..80).map(|i| i % 2).collect();
        let group = Group::of_rows(80, |i| i < 40);
        // What is seen of the second class, in the rows of the group and in the others.
        let left = |inside: f64, outside: f64| {
            let own = |i: usize| if i < 40 { inside } else { outside };
            let seen: Vec<f64> = (0..80).map(|i| own(i) * (i % 2) as f64).collect();
            let nothing = [0.0; 80];
            let group = group.clone();
            without_seen(
                group,
                &[6.0; 80],
                [&nothing, &seen],
                Labels::new(&labels, 2),
            )
        };
        let rows = |step: usize| -> Vec<usize> { (0..40).step_by(step).collect() };
        assert_eq!(left(3.0, 1.0).sides().0, rows(2));
        assert_eq!(
            left(3.0, 3.0).sides().0,
            rows(1),
            "no more than in the rest"
        );
        assert_eq!(
            left(1.5, 0.5).sides().0,
            rows(1),
            "faint evidence is much more"
        );
    }
}
