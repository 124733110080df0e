//! What stands apart: the search for groups, their links to the classes, and their exact rows.

use super::discriminant::Profile;
use super::evident::Evident;
use super::eye::Eye;
use super::grain::Grain;
use super::group::{self, Group};
use super::inquiry::Inquiry;
use super::linalg::Rows;
use super::link::Ties;
use super::self_training::{Ends, Start};
use super::sharpen::Sharpener;
use super::split::Gap;
use super::{View, copies, loudest, sources};
use crate::{Labels, Result};

/// Linked groups that together hold less than one in this many rows explain nothing about the others.
const FEW: usize = 50;

/// How often what was found is taken away to look beneath it.
const LAYERS: usize = 2;

/// Fewer rows are not looked at for what lies beneath.
const LEAST_BENEATH: usize = 50;

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
    /// Whether networks tell the rows of what was found.
    pub(super) exact: bool,
    /// What rows are told apart by: few numbers, and all.
    pub(super) features: [&'a Rows; 2],
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    /// What they see.
    pub(super) eye: &'a Eye<'a>,
    pub(super) inquiry: Inquiry<'a>,
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    linked: Vec<Group>,
    unlinked: Vec<Group>,
}

impl Found {
    /// Whether most of `group` is known already.
    fn knows(&self, group: &Group) -> bool {
        let mut known = self.linked.iter().chain(&self.unlinked);
        known.any(|known| group.is_within(known))
    }

    /// Whether `group` is a surer account of a linked one, whose place it then takes: what one view told is told better by all.
    fn takes_over(&mut self, group: &Group, labels: Labels<'_>) -> bool {
        let mut linked = self.linked.iter_mut();
        let known = linked.find(|known| group.is_surer_of(known, labels));
        known.map(|known| known.clone_from(group)).is_some()
    }

    /// Beside what is linked, fewer other rows that stand apart are a part of it if they are of one class: too few to show a link
    /// by.
    fn settle(&mut self, labels: Labels<'_>) {
        let linked = labels.len() - self.rest(labels.len()).len();
        let is_part =
            |group: &mut Group| group.sides().0.len() < linked && group.is_of_one_class(labels);
        let parts = self.unlinked.extract_if(.., is_part);
        self.linked.extend(parts);
    }

    /// Whether the linked groups hold too few of the `rows` to explain the others.
    fn is_little(&self, rows: usize) -> bool {
        rows - self.rest(rows).len() < rows / FEW
    }

    /// Numbers of the rows that are in no linked group.
    fn rest(&self, rows: usize) -> Vec<usize> {
        match Group::union(&self.linked) {
            Some(all) => all.sides().1,
            None => (0..rows).collect(),
        }
    }
}

impl Search<'_> {
    /// The groups that are linked to the classes, and those that are not.
    pub(super) fn groups(&self) -> Result<(Vec<Group>, Vec<Group>)> {
        let profiles = self
            .features
            .map(|rows| Profile::new(rows, self.inquiry.folds));
        let labels = self.inquiry.labels;
        let [few, all] = [0, 1].map(|k| self.sharpener(self.features[k], &profiles[k]));
        let mut sharpener = &few;
        let mut found = Found::default();
        self.by_evidence(&mut found)?;
        let ends = Ends::find(&profiles, &self.traces(), Start::Most, labels)?;
        self.sort(ends.apart(), &mut found)?;
        if self.exact && found.is_little(labels.len()) {
            let loudest = loudest::groups(&profiles[1], self.loud)?;
            self.bring_out(sharpener, &[ends.vague(), loudest].concat(), &mut found)?;
        }
        for _ in 0..LAYERS {
            let before = found.linked.len();
            if before == 0 {
                break;
            }
            self.sort(self.beneath(&found)?, &mut found)?;
            if found.linked.len() == before {
                break;
            }
        }
        if found.is_little(labels.len()) {
            let linked = |rest: &Group| self.is_linked(rest);
            let rest = beside_the_quiet(&profiles, self.loud, labels, linked)?;
            found.linked.extend(rest);
        }
        if found.is_little(labels.len())
            && let Some(group) = self.by_source(&profiles[1])?
        {
            found.linked.push(group);
            // What tells them is not among the few.
            sharpener = &all;
        }
        found.settle(labels);
        found.unlinked.retain(|group| group.stands_out(self.loud));
        if self.exact {
            self.sharpen(sharpener, &mut found)?;
        }
        let ties = self.ties();
        // That whole classes differ is no suspicion.
        let is_odd = |group: &Group| !ties.are_whole_classes(&group.sides().0);
        found.unlinked.retain(is_odd);
        Ok((found.linked, found.unlinked))
    }

    /// What tells rows more sharply, beside these `features`.
    fn sharpener<'b>(&'b self, features: &'b Rows, profile: &'b Profile) -> Sharpener<'b> {
        Sharpener {
            features,
            profile,
            labelled: self.labelled,
            grain: self.grain,
            inquiry: self.inquiry,
        }
    }

    /// What can be brought out of the `vague` groups.
    fn bring_out(
        &self,
        sharpener: &Sharpener<'_>,
        vague: &[Group],
        found: &mut Found,
    ) -> Result<()> {
        for group in vague {
            let sharp = sharpener.bring_out(group)?;
            self.sort(Vec::from_iter(sharp), found)?;
        }
        Ok(())
    }

    /// That of two sources that is linked, if one is. Two of them alone are no suspicion.
    fn by_source(&self, profile: &Profile) -> Result<Option<Group>> {
        let labels = self.inquiry.labels;
        let Some(one) = sources::apart(profile, self.features[0], labels)? else {
            return Ok(None);
        };
        let one = self.different(one);
        let other = one.rest(labels);
        for source in [one, other] {
            if self.is_linked(&source)? {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// Whether `group` has rows enough, and they are linked beside all others.
    fn is_linked(&self, group: &Group) -> Result<bool> {
        let (inside, outside) = group.sides();
        Ok(inside.len() >= group::LEAST && self.ties().hold(&inside, &outside)?)
    }

    /// Says more sharply which rows are in the linked groups, or in the others if there are none: a link may show in them then.
    fn sharpen(&self, sharpener: &Sharpener<'_>, found: &mut Found) -> Result<()> {
        if let Some(all) = Group::union(&found.linked) {
            if let Some(sharp) = sharpener.sharpen(&all)? {
                found.linked = vec![sharp];
            }
            return Ok(());
        }
        for group in std::mem::take(&mut found.unlinked) {
            match sharpener.sharpen(&group)? {
                Some(sharp) => self.sort(vec![sharp], found)?,
                None => found.unlinked.push(group),
            }
        }
        Ok(())
    }

    /// All traces that a search may start from.
    fn traces(&self) -> Vec<&View> {
        [self.loud, self.labelled].concat()
    }

    /// Groups that stand apart by one view alone.
    fn by_evidence(&self, found: &mut Found) -> Result<()> {
        let ties = self.ties();
        for evident in self.evident {
            let Some(group) = evident.group(self.inquiry.labels) else {
                continue;
            };
            let group = self.different(group);
            let Evident { view, kind, .. } = *evident;
            let unseen = ties.unseen(group.clone(), view, kind)?;
            let (inside, outside) = unseen.sides();
            if inside.len() < group::LEAST {
                continue;
            }
            // Where people see any class well, they must see little of what makes the rows a group.
            let is_clear = group.doubt <= Gap::SEARCHED.doubt && group.is_mostly(&unseen);
            let linked = ties.beyond(view, kind, &inside, &[])?
                || is_clear && ties.beyond(view, kind, &inside, &outside)?;
            if linked {
                found.linked.push(unseen);
            }
        }
        Ok(())
    }

    /// Tells the new ones among the `groups` by whether they are linked.
    fn sort(&self, groups: Vec<Group>, found: &mut Found) -> Result<()> {
        let labels = self.inquiry.labels;
        for group in groups {
            let group = self.different(group);
            let inside = group.sides().0;
            let known = inside.len() < group::LEAST
                || found.takes_over(&group, labels)
                || found.knows(&group);
            if known {
                continue;
            }
            let mut others = found.rest(labels.len());
            others.retain(|&i| group.members[i] <= 0.5);
            match self.ties().hold(&inside, &others)? {
                true => found.linked.push(group),
                false => found.unlinked.push(group),
            }
        }
        Ok(())
    }

    /// Groups among the rows that are in no linked group: what most classes carry may hide what one of them does.
    fn beneath(&self, found: &Found) -> Result<Vec<Group>> {
        let Inquiry { labels, folds, .. } = self.inquiry;
        let rest = found.rest(labels.len());
        if rest.len() < LEAST_BENEATH {
            return Ok(Vec::new());
        }
        let pick = |scores: &[f64]| rest.iter().map(|&i| scores[i]).collect();
        let traces = self.traces();
        let traces: Vec<View> = traces
            .iter()
            .map(|view| View {
                name: view.name,
                scores: pick(&view.scores),
                null: Vec::new(),
            })
            .collect();
        let folds = folds.renumbered(&rest);
        let profiles = self
            .features
            .map(|rows| Profile::new(&rows.select(&rest), &folds));
        let of_rest: Vec<u32> = rest.iter().map(|&i| labels[i]).collect();
        let of_rest = Labels::new(&of_rest, labels.classes);
        let traces: Vec<&View> = traces.iter().collect();
        let ends = Ends::find(&profiles, &traces, Start::Most, of_rest)?;
        Ok(ends
            .apart()
            .into_iter()
            .map(|group| group.spread(&rest, labels.len()))
            .collect())
    }

    /// The group without pictures that look alike.
    fn different(&self, group: Group) -> Group {
        copies::without_copies(group, self.eye.grain, self.inquiry.labels)
    }

    fn ties(&self) -> Ties<'_> {
        Ties {
            views: self.strict,
            grain: self.grain,
            eye: self.eye,
            inquiry: self.inquiry,
        }
    }
}

/// Where many rows carry, loud natural ones hide them, and it is the others that stand apart, by being quiet in the `loud` views.
/// Grey pictures stand apart as well, which is no poison: the rest must be `linked`.
fn beside_the_quiet(
    profiles: &[Profile],
    loud: &[&View],
    labels: Labels<'_>,
    linked: impl Fn(&Group) -> Result<bool>,
) -> Result<Option<Group>> {
    let ends = Ends::find(profiles, loud, Start::Least, labels)?;
    for quiet in ends.apart() {
        let rest = quiet.rest(labels);
        if linked(&rest)? {
            return Ok(Some(rest));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand_distr::{Distribution, StandardNormal};

    use super::super::folds::Folds;
    use super::*;
    use crate::Seed;

    #[test]
    fn beside_what_is_linked_rows_of_one_class_are_a_part_of_it() {
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        let group = |inside: fn(usize) -> bool| Group::of_rows(40, inside);
        let of_both = || group(|i| i < 10);
        let of_one = || group(|i| i < 20 && i % 2 == 1);
        let larger = || group(|i| i % 2 == 0);
        let settled = |linked: Vec<Group>| {
            let unlinked = vec![of_both(), of_one(), larger()];
            let mut found = Found { linked, unlinked };
            found.settle(Labels::new(&labels, 2));
            (found.linked, found.unlinked)
        };
        let poison = group(|i| i >= 20);
        let alone = settled(vec![poison.clone()]);
        assert_eq!(alone, (vec![poison, of_one()], vec![of_both(), larger()]));
        assert_eq!(
            settled(vec![]),
            (vec![], vec![of_both(), of_one(), larger()])
        );
    }

    #[test]
    fn the_rest_of_the_quiet_may_be_few_or_most_and_must_be_linked() {
        const DIM: usize = 12;
        let rows = 2000;
        for of_ten in [2, 8] {
            let rng = &mut Seed(4).stream("quiet", 0);
            let mut values: Vec<f32> = (0..rows * DIM)
                .map(|_| StandardNormal.sample(&mut *rng))
                .collect();
            let carries = |row: usize| row / 4 % 10 < of_ten;
            for row in (0..rows).filter(|&row| carries(row)) {
                let moved = &mut values[row * DIM..][..4];
                moved.iter_mut().for_each(|v| *v += 5.0);
            }
            let features = Rows { values, dim: DIM };
            let view = View {
                name: "loud",
                scores: (0..rows)
                    .map(|row| f64::from(features.row(row)[0]))
                    .collect(),
                null: Vec::new(),
            };
            let labels: Vec<u32> = (0..rows as u32).map(|row| row % 4).collect();
            let labels = Labels::new(&labels, 4);
            let folds = Folds::draw(labels, Seed(0));
            let profiles = [Profile::new(&features, &folds)];
            let found = |linked: bool| {
                beside_the_quiet(&profiles, &[&view], labels, |_| Ok(linked)).unwrap()
            };
            let rest = found(true).unwrap_or_else(|| panic!("{of_ten} of ten"));
            let wrong = (0..rows).filter(|&row| (rest.members[row] > 0.5) != carries(row));
            assert!(wrong.count() < rows / 100, "{of_ten} of ten");
            assert_eq!(found(false), None);
        }
    }
}
