//! Parts of the drop for cross-fitting: whoever trains on a row knows its label, so a row is judged by models of the others.

use std::collections::HashSet;

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::{Labels, Seed};

/// Parts of the data; a row is scored by a model of the other parts.
const FOLDS: usize = 5;
/// Wrong labels drawn for each row.
pub(super) const WRONG_LABELS: usize = 4;

/// A partition of the rows, drawn at random so that no order of the drop can gather rows in one fold; every class is
/// spread evenly.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folds {
    /// Row numbers of each fold.
    pub(super) members: Vec<Vec<usize>>,
    /// Classes of the labels, at least two.
    pub(super) classes: usize,
    seed: Seed,
}

impl Folds {
    pub(super) fn draw(labels: Labels<'_>, seed: Seed) -> Self {
        let mut members = vec![Vec::new(); FOLDS];
        let mut next = 0;
        for class in 0..labels.classes {
            let mut rows: Vec<usize> = (0..labels.len())
                .filter(|&i| labels[i] as usize == class)
                .collect();
            rows.shuffle(&mut seed.stream("folds", class as u64));
            for row in rows {
                members[next % FOLDS].push(row);
                next += 1;
            }
        }
        Self {
            members,
            classes: labels.classes,
            seed,
        }
    }

    /// Without all rows but `rows`.
    pub(super) fn within(&self, rows: &[usize]) -> Self {
        let chosen: HashSet<&usize> = rows.iter().collect();
        let keep = |fold: &Vec<usize>| {
            let kept = fold.iter().filter(|row| chosen.contains(row));
            kept.copied().collect()
        };
        Self {
            members: self.members.iter().map(keep).collect(),
            classes: self.classes,
            seed: self.seed,
        }
    }

    /// Of `rows` alone, ascending, numbered by their places there.
    pub(super) fn renumbered(&self, rows: &[usize]) -> Self {
        let place = |row: &usize| rows.binary_search(row).ok();
        let fold = |fold: &Vec<usize>| fold.iter().filter_map(place).collect();
        Self {
            members: self.members.iter().map(fold).collect(),
            classes: self.classes,
            seed: self.seed,
        }
    }

    /// Labels other than its `own` that row `row` is looked at under, the same by all views: what these say together of wrong labels is
    /// known only if they are asked about the same ones.
    pub(super) fn wrong_labels(&self, row: usize, own: u32) -> [u32; WRONG_LABELS] {
        let rng = &mut self.seed.stream("wrong labels", row as u64);
        let classes = self.classes as u32;
        std::array::from_fn(|_| (own + rng.random_range(1..classes)) % classes)
    }

    /// All rows, fold by fold.
    pub(super) fn order(&self) -> Vec<usize> {
        self.members.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_fold_and_every_class_in_every_fold() {
        let labels: Vec<u32> = (0..100).map(|i| i % 4).collect();
        let folds = Folds::draw(Labels::new(&labels, 4), Seed(0));
        let mut all: Vec<usize> = folds.order();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert!(
            folds
                .members
                .iter()
                .all(|fold| (0..4).all(|c| fold.iter().any(|&i| labels[i] == c)))
        );
    }

    #[test]
    fn renumbered_folds_hold_the_places_of_the_rows() {
        let labels: Vec<u32> = (0..50).map(|i| i % 2).collect();
        let folds = Folds::draw(Labels::new(&labels, 2), Seed(1));
        let rows: Vec<usize> = (0..50).step_by(3).collect();
        let few = folds.renumbered(&rows);
        let mut places = few.order();
        for (fold, few) in folds.members.iter().zip(&few.members) {
            assert!(few.iter().all(|&place| fold.contains(&rows[place])));
        }
        places.sort_unstable();
        assert_eq!(places, (0..rows.len()).collect::<Vec<_>>());
    }
}
