//! What is common to everything that is asked about a drop.

use super::folds::Folds;
use super::grain::Grain;
use super::net::Learner;
use crate::observe::Observer;
use crate::{Labels, Seed};

/// The rows that are asked about, how they are taken apart, and who watches.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) folds: &'a Folds,
    pub(super) seed: Seed,
    pub(super) observer: &'a dyn Observer,
}

impl<'a> Inquiry<'a> {
    /// Of seed 0, watched by nobody.
    #[cfg(test)]
    pub(super) fn unwatched(labels: Labels<'a>, folds: &'a Folds) -> Self {
        Self {
            labels,
            folds,
            seed: Seed(0),
            observer: &crate::observe::Silent,
        }
    }

    /// What trains networks that see this `grain` of the rows.
    pub(super) fn learner(self, grain: &'a Grain<'a>) -> Learner<'a> {
        let inquiry = self;
        Learner { grain, inquiry }
    }

    /// The same, with other random numbers, for one `purpose` and `round`.
    pub(super) fn derive(self, purpose: &'static str, round: u64) -> Self {
        let seed = self.seed.derive(purpose, round);
        Self { seed, ..self }
    }

    /// The numbers of all rows.
    pub(super) fn rows(self) -> Vec<usize> {
        (0..self.labels.len()).collect()
    }
}
