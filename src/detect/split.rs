//! A split of the rows in two by one score, and the gap that makes its upper side stand apart.

use super::group::Group;
use crate::Labels;
use crate::mixture::Mixture;

/// Between a group and the rest.
pub(super) struct Gap {
    /// Least distance, in deviations of the rest.
    pub(super) separation: f64,
    /// Largest expected share of rows, among the group's, whose side is open.
    pub(super) doubt: f64,
}

impl Gap {
    /// Where the discriminant was free to look for one: clean photographs, split in two at will, stay below 5
    /// deviations, and a tenth and more of the rows of a split slope are in doubt.
    pub(super) const SEARCHED: Self = Self {
        separation: 6.5,
        doubt: 0.05,
    };
    /// In a score whose law without a pattern is known, which is that under wrong labels. Clean photographs stay
    /// below 3 deviations, unless pictures that look alike draw out the tail; then a third of the rows and more is in doubt.
    pub(super) const KNOWN: Self = Self {
        separation: 2.5,
        doubt: 0.2,
    };
}

/// What a mixture of the rows' scores says of them.
#[derive(Clone, Debug)]
pub(super) struct Split {
    /// Its upper side.
    pub(super) group: Group,
    /// How far the sides are apart, in deviations of the rest.
    pub(super) separation: f64,
}

impl Split {
    pub(super) fn new(scores: Vec<f64>, mixture: &Mixture, labels: Labels<'_>) -> Self {
        let members = mixture.posteriors(&scores, labels);
        Self {
            group: Group::new(scores, members),
            separation: mixture.separation(),
        }
    }

    /// The group without the classes that are in it as a whole, if there is such a `gap` between it and the rest.
    pub(super) fn apart_by(&self, gap: &Gap, labels: Labels<'_>) -> Option<Group> {
        if self.separation < gap.separation || self.group.doubt > gap.doubt {
            return None;
        }
        self.group.clone().of_parts(labels)
    }
}
