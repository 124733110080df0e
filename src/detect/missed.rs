//! Classes that a group may have missed: one view may find a pattern in all classes but one, whose pattern is like another's.

use super::group::Group;
use crate::stats::tally;

/// A class of which a group has less than this share of what it has of most classes is missed, or carries nothing.
const NEXT_TO_NONE: f64 = 0.05;

/// The rows of such classes.
pub(super) struct Missed(Vec<bool>);

impl Missed {
    /// Those of `group`; `None` if there are none, or if it has next to nothing of half of the classes: then it is of the others.
    pub(super) fn of(group: &Group, labels: &[u32], classes: usize) -> Option<Self> {
        let inside = group.sides().0;
        let inside = tally(inside.into_iter().map(|row| labels[row]), classes);
        let all = tally(labels.iter().copied(), classes);
        let shares = inside.iter().zip(&all);
        let shares: Vec<f64> = shares.map(|(&k, &n)| k as f64 / n.max(1) as f64).collect();
        let mut sorted = shares.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted[classes.saturating_sub(1) / 2];
        let missed = |label: &u32| shares[*label as usize] < NEXT_TO_NONE * usual;
        let rows: Vec<bool> = labels.iter().map(missed).collect();
        rows.contains(&true).then_some(Self(rows))
    }

    /// Makes these rows teach nothing about the sides.
    pub(super) fn hide(&self, kinds: &mut [Option<u32>]) {
        let kinds = kinds.iter_mut().zip(&self.0);
        kinds
            .filter(|(_, missed)| **missed)
            .for_each(|(kind, _)| *kind = None);
    }

    /// The `group` with those of these rows whose `answers`, of a network that the other classes taught, are above zero.
    pub(super) fn added_to(&self, group: &Group, answers: &[f64]) -> Group {
        let mut members = group.members.clone();
        for ((member, &answer), _) in members
            .iter_mut()
            .zip(answers)
            .zip(&self.0)
            .filter(|(_, missed)| **missed)
        {
            *member = f64::from(u8::from(answer > 0.0));
        }
        Group::new(group.scores.clone(), members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ROWS: usize = 400;

    /// Classes of four of which a group of every other row has next to nothing.
    fn missed(has: [bool; 4]) -> Option<Vec<bool>> {
        let labels: Vec<u32> = (0..ROWS as u32).map(|row| row / 2 % 4).collect();
        let member = |row: usize| row.is_multiple_of(2) && (has[labels[row] as usize] || row < 8);
        let members = (0..ROWS).map(|row| f64::from(u8::from(member(row))));
        let group = Group::new(vec![0.0; ROWS], members.collect());
        let missed = Missed::of(&group, &labels, 4)?;
        Some((0..4).map(|class| missed.0[2 * class]).collect())
    }

    #[test]
    fn one_class_of_four_may_be_missed() {
        let found = missed([true, true, false, true]).unwrap();
        assert_eq!(found, [false, false, true, false]);
        assert_eq!(missed([true; 4]), None);
        assert_eq!(missed([false, true, false, false]), None, "of one class");
        assert_eq!(missed([false, true, false, true]), None, "of half of them");
    }

    #[test]
    fn rows_of_a_missed_class_are_told_by_what_the_others_teach() {
        let missed = Missed(vec![false, true, true, false]);
        let mut kinds = [Some(1), Some(0), Some(0), Some(0)];
        missed.hide(&mut kinds);
        assert_eq!(kinds, [Some(1), None, None, Some(0)]);
        let group = Group::new(vec![0.0; 4], vec![0.9, 0.0, 0.1, 0.2]);
        let all = missed.added_to(&group, &[-1.0, 2.0, -2.0, 3.0]);
        assert_eq!(all.members, [0.9, 1.0, 0.0, 0.2]);
    }
}
