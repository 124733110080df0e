//! Rows that stand apart by one view of the evidence alone, without a search.

use super::View;
use super::eye::Kind;
use super::group::Group;
use super::split::{Gap, Split};
use crate::Labels;
use crate::mixture::{Anchor, Mixture};

/// Share of the rows without a pattern that are spread wider than a normal law has them. Under wrong labels, 3 to 9 rows in 10,000
/// are beyond 4 deviations: among a hundred that carry these would be many.
const OUTLIERS: f64 = 0.005;

/// Evidence about labels by which rows may stand apart without a search.
#[derive(Clone, Copy)]
pub(super) struct Evident<'a> {
    pub(super) view: &'a View,
    pub(super) kind: Kind,
    /// Whether its law without a pattern is that under wrong labels, so that a small gap says enough.
    lawful: bool,
}

impl<'a> Evident<'a> {
    /// By a view whose law without a pattern is that under wrong labels.
    pub(super) fn lawful(view: &'a View, kind: Kind) -> Self {
        let lawful = true;
        Self { view, kind, lawful }
    }

    /// By a view without such a law.
    pub(super) fn lawless(view: &'a View, kind: Kind) -> Self {
        let lawful = false;
        Self { view, kind, lawful }
    }

    /// The rows that stand apart by this view.
    pub(super) fn group(&self, labels: Labels<'_>) -> Option<Group> {
        let (anchor, gap) = match self.lawful {
            true => (Anchor::LOOSE, &Gap::KNOWN),
            false => (Anchor::FAR, &Gap::SEARCHED),
        };
        let scores = &self.view.scores;
        let mut mixture = Mixture::fit(scores, labels, anchor);
        let split = Split::new(scores.clone(), &mixture, labels);
        let group = split.apart_by(gap, labels)?;
        if !self.lawful {
            return Some(group);
        }
        mixture.tail = OUTLIERS;
        let strict = Split::new(scores.clone(), &mixture, labels);
        strict.group.of_parts(labels)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn rows_beyond_a_normal_law_are_no_part_of_a_few_that_carry() {
        let rows = 10_000;
        let carries = |i: usize| i.is_multiple_of(200);
        let rng = &mut crate::Seed(4).stream("outliers", 0);
        let mut score = |i: usize| -> f64 {
            let z: f64 = StandardNormal.sample(rng);
            match i {
                _ if carries(i) => 9.0 + 3.0 * z,
                _ if i % 200 == 7 => 3.0 * z,
                _ => z,
            }
        };
        let view = View {
            name: "test",
            scores: (0..rows).map(&mut score).collect(),
            null: Vec::new(),
        };
        let labels: Vec<u32> = (0..rows as u32).map(|i| i / 200 % 4).collect();
        let group = Evident::lawful(&view, Kind::Place)
            .group(Labels::new(&labels, 4))
            .unwrap();
        let sure = (0..rows).filter(|&i| group.members[i] > 0.9);
        let (found, natural): (Vec<usize>, Vec<usize>) = sure.partition(|&i| carries(i));
        assert!(
            found.len() >= 35 && natural.len() <= 1,
            "{found:?} {natural:?}"
        );
    }
}
