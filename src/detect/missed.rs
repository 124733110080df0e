//! Classes that a group may have missed: one view may find a pattern in all classes but one.

use super::group::{self, Group};
use crate::Labels;

/// A class of which a group has less than this share of what it has of most classes is missed, or carries nothing.
const NEXT_TO_NONE: f64 = 0.05;

/// The rows of such classes.
pub(super) struct Missed(Vec<bool>);

impl Missed {
    /// Those of `group`; `None` if there are none, or if it has next to nothing of half of the classes: then it is of the others. A
    /// class of which it would have only a few rows anyway, it may lack by chance.
    pub(super) fn of(group: &Group, labels: Labels<'_>) -> Option<Self> {
        let by_class = group.by_class(labels);
        let usual = group::usual_share(&by_class);
        let is_missed = |&(inside, all): &(usize, usize)| {
            let expected = usual * all as f64;
            expected >= group::LEAST as f64 && (inside as f64) < NEXT_TO_NONE * expected
        };
        let is_missed: Vec<bool> = by_class.iter().map(is_missed).collect();
        let rows: Vec<bool> = labels.iter().map(|&of| is_missed[of as usize]).collect();
        rows.contains(&true).then_some(Self(rows))
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|&row| self.0[row])
    }

    /// Makes these rows teach nothing about the sides.
    pub(super) fn hide(&self, kinds: &mut [Option<u32>]) {
        self.rows().for_each(|row| kinds[row] = None);
    }

    /// The `group` with those of these rows whose `answers`, of a network that the other classes taught, are above zero.
    pub(super) fn added_to(&self, group: &Group, answers: &[f64]) -> Group {
        let mut members = group.members.clone();
        self.rows()
            .for_each(|row| members[row] = f64::from(answers[row] > 0.0));
        Group::new(group.scores.clone(), members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Classes of five, the last of which is empty, of which a group of one row in so many `of` 400 has next to nothing.
    fn missed(has: [bool; 4], of: usize) -> Option<Vec<bool>> {
        let labels: Vec<u32> = (0..400).map(|row| row / 20 % 4).collect();
        let member = |row: usize| row.is_multiple_of(of) && has[labels[row] as usize];
        let group = Group::of_rows(labels.len(), member);
        let missed = Missed::of(&group, Labels::new(&labels, 5))?;
        Some((0..4).map(|class| missed.0[20 * class]).collect())
    }

    #[test]
    fn one_class_of_four_may_be_missed() {
        let but_one = [true, true, false, true];
        assert_eq!(missed(but_one, 2).unwrap(), [false, false, true, false]);
        assert_eq!(missed([true; 4], 2), None);
        assert_eq!(missed([false, true, false, false], 2), None, "of one class");
        assert_eq!(missed([false, true, false, true], 2), None, "of half");
        assert_eq!(missed(but_one, 20), None, "by chance");
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
