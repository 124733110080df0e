//! What stands apart: the search for groups, their links to the classes, and their exact rows.

use super::crossfit::Folds;
use super::discriminant::Profile;
use super::eye::Eye;
use super::grain::Grain;
use super::group::{self, End, Evident, Group};
use super::linalg::Rows;
use super::link::Ties;
use super::sharpen::sharpened;
use super::{View, copies};
use crate::observe::Observer;
use crate::{Result, Seed};

/// Linked groups that together hold less than one in this many rows explain nothing about most of the drop.
const FEW: usize = 50;

/// What is known of the rows.
pub(super) struct Search<'a> {
    /// Views that look at no label.
    pub(super) loud: &'a [&'a View],
    /// Views that do.
    pub(super) labelled: &'a [&'a View],
    /// Those of them by which rows may stand apart without a search.
    pub(super) evident: &'a [Evident<'a>],
    /// Those of them that honest pictures of a class do not raise.
    pub(super) strict: &'a [&'a View],
    /// What rows are told apart by: few numbers, and all.
    pub(super) features: [&'a Rows; 2],
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    /// What they see.
    pub(super) eye: &'a Eye<'a>,
    pub(super) labels: &'a [u32],
    pub(super) folds: &'a Folds,
    pub(super) seed: Seed,
}

impl Search<'_> {
    /// The groups that are linked to the classes, and those that are not.
    pub(super) fn groups(&self, observer: &dyn Observer) -> Result<(Vec<Group>, Vec<Group>)> {
        let profiles = self.features.map(|rows| Profile::new(rows, self.folds));
        let (mut linked, unlinked) = self.most(&profiles, observer)?;
        let found = Group::union(&linked).map_or(0, |all| all.sides().0.len());
        if found < self.labels.len() / FEW {
            linked.extend(self.beside_the_quiet(&profiles, observer)?);
        }
        if let Some(all) = Group::union(&linked) {
            let ([few, _], faint) = (self.features, self.grain);
            let (labels, folds) = (self.labels, self.folds);
            let sharp = sharpened(&all, few, faint, labels, folds, self.seed, observer)?;
            linked = sharp.map_or(linked, |sharp| vec![sharp]);
        }
        Ok((linked, unlinked))
    }

    /// Groups of rows that have more of something than the rest.
    fn most(
        &self,
        profiles: &[Profile],
        observer: &dyn Observer,
    ) -> Result<(Vec<Group>, Vec<Group>)> {
        let (labels, classes) = (self.labels, self.folds.classes);
        let different = |group| copies::without_copies(group, self.eye.grain, labels, classes);
        let (mut linked, mut unlinked) = (Vec::new(), Vec::new());
        for evident in self.evident {
            let Some(group) = group::by_evidence(evident, labels, classes) else {
                continue;
            };
            let group = different(group);
            let Evident { view, kind, .. } = *evident;
            if self.ties().beyond(view, kind, &group.sides().0, observer)? {
                linked.push(group);
            }
        }
        let traces = [self.loud, self.labelled].concat();
        for group in group::find(profiles, &traces, End::Most, labels, classes)? {
            let group = different(group);
            let known = |known: &Vec<Group>| known.iter().any(|known| group.is_within(known));
            let (inside, outside) = group.sides();
            if inside.len() < group::LEAST || known(&linked) || known(&unlinked) {
                continue;
            }
            match self.ties().hold(&inside, &outside, observer)? {
                true => linked.push(group),
                false => unlinked.push(group),
            }
        }
        Ok((linked, unlinked))
    }

    /// Where most rows carry, it is the others that stand apart, by being quiet. So do grey pictures, which is no poison: the
    /// rest must be linked.
    fn beside_the_quiet(
        &self,
        profiles: &[Profile],
        observer: &dyn Observer,
    ) -> Result<Option<Group>> {
        let (labels, classes) = (self.labels, self.folds.classes);
        for quiet in group::find(profiles, self.loud, End::Least, labels, classes)? {
            let rest = quiet.rest(labels, classes);
            let (inside, outside) = rest.sides();
            if inside.len() > outside.len() && self.ties().taught(&inside, observer)? {
                return Ok(Some(rest));
            }
        }
        Ok(None)
    }

    fn ties(&self) -> Ties<'_> {
        Ties {
            views: self.strict,
            grain: self.grain,
            eye: self.eye,
            labels: self.labels,
            folds: self.folds,
            seed: self.seed,
        }
    }
}
