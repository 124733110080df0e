//! Groups: rows that differ from the rest of the drop in the same way, found by a self-trained linear discriminant
//! (Fisher 1936).
//!
//! A perturbation leaves several traces in a row: its noise floor rises, its texture changes, it matches the pattern of
//! its class. Each trace overlaps with what natural pictures show; together they do not. Nobody says which rows carry, so
//! the direction is learnt from the rows that stand out most in one trace, then from those that stand out in that
//! direction, and so on. On natural pictures this ends on a slope, on carrying rows in two heaps with a gap between them.

use rayon::prelude::*;

use super::View;
use super::discriminant::Profile;
use super::eye::Kind;
use super::net;
use crate::Result;
use crate::mixture::{Anchor, Mixture};
use crate::stats::{moments, quantiles};

/// Shares of the rows that self-training starts from: the unknown share of the poison is near one of them.
const STARTS: [f64; 5] = [0.004, 0.03, 0.2, 0.5, 0.85];
/// Most refinements...
const ROUNDS: usize = 8;
/// ...fewer where all probabilities together move by less than this.
const SETTLED: f64 = 0.1;
/// What a gap is, where the discriminant was free to look for one: clean photographs, split in two at will, stay below 5
/// deviations, and a tenth and more of the rows of a split slope are in doubt.
const SEARCHED: Gap = Gap {
    separation: 6.5,
    doubt: 0.05,
};
/// A group that is no farther from the rest than self-training has to put it is none at all...
const VAGUE: f64 = 1.01 * Anchor::FAR.gap;
/// ...and of those that are, and have rows enough to teach by some and ask about the others, the farthest are looked at more closely.
const MOST_VAGUE: usize = 2;
const LEAST_VAGUE: f64 = 2.0 * net::LEAST as f64;
/// What a gap is in a score whose law without a pattern is known, which is that under wrong labels. Clean photographs stay
/// below 3 deviations, unless pictures that look alike draw out the tail; then a third of the rows and more is in doubt.
const KNOWN: Gap = Gap {
    separation: 2.5,
    doubt: 0.2,
};
/// Share of the rows without a pattern that are spread wider than a normal law has them. Under wrong labels, 3 to 9 rows in 10,000
/// are beyond 4 deviations: among a hundred that carry these would be many.
const OUTLIERS: f64 = 0.005;
/// A group has at least this many rows: a picture and its copies are alike as well.
pub(super) const LEAST: usize = 8;
/// Groups that share this much of their rows are one...
const ALIKE: f64 = 0.95;
/// ...and two accounts of one if they share this much.
const SAME: f64 = 0.8;
/// A class of which a larger share is in the group has no rest to differ from: what sets it apart may be honest content.
const WHOLE: f64 = 0.97;
/// Share of a group's rows that makes it one of a class.
const ONE_CLASS: f64 = 0.9;

/// Between a group and the rest.
struct Gap {
    /// Least distance, in deviations of the rest.
    separation: f64,
    /// Largest expected share of rows, among the group's, whose side is open.
    doubt: f64,
}

/// Rows that stand apart from the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Distance of each row from the rest, in deviations of the rest.
    pub scores: Vec<f64>,
    /// Probability of each row to be in the group.
    pub members: Vec<f64>,
    /// Expected share of rows, among the group's, whose side is open.
    pub doubt: f64,
}

impl Group {
    pub(super) fn new(scores: Vec<f64>, members: Vec<f64>) -> Self {
        let open: f64 = members.iter().map(|p| p * (1.0 - p)).sum();
        let total: f64 = members.iter().sum();
        Self {
            doubt: open / total.max(f64::MIN_POSITIVE),
            scores,
            members,
        }
    }

    /// The rows that are not in this group, without the classes that are all outside.
    pub(super) fn rest(&self, labels: &[u32], classes: usize) -> Self {
        let scores = self.scores.iter().map(|score| -score).collect();
        let members = self.members.iter().map(|p| 1.0 - p).collect();
        Self::new(scores, members).without_whole_classes(labels, classes)
    }

    /// This group of some `rows` as one of `all` rows, the others outside.
    pub(super) fn spread(self, rows: &[usize], all: usize) -> Self {
        let least = self.scores.iter().copied().fold(0.0, f64::min);
        let (mut scores, mut members) = (vec![least; all], vec![0.0; all]);
        for (at, &row) in rows.iter().enumerate() {
            scores[row] = self.scores[at];
            members[row] = self.members[at];
        }
        Self::new(scores, members)
    }

    /// Numbers of the rows that are rather in the group than not, and of the others.
    pub(super) fn sides(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.members.len()).partition(|&i| self.members[i] > 0.5)
    }

    /// By how much all probabilities together differ from those that `carries` holds.
    pub(super) fn moved_from(&self, carries: &[f64]) -> f64 {
        let pairs = self.members.iter().zip(carries);
        pairs.map(|(a, b)| (a - b).abs()).sum()
    }

    /// Whether most of the rows are in the `known` group already.
    pub(super) fn is_within(&self, known: &Self) -> bool {
        let pairs = self.members.iter().zip(&known.members);
        let both: f64 = pairs.map(|(a, b)| a.min(*b)).sum();
        both > 0.5 * self.members.iter().sum::<f64>()
    }

    /// Whether it is of the rows of the `known` group, with fewer in doubt, and loses none of its classes: the surest accounts are
    /// those that leave out the class that is hardest to tell.
    pub(super) fn is_surer_of(&self, known: &Self, labels: &[u32], classes: usize) -> bool {
        self.doubt < known.doubt
            && shared(self, known) >= SAME
            && self.has_classes_of(known, labels, classes)
    }

    /// Whether it holds most of the rows that the `other` group has of each class, of which it has more than a few.
    fn has_classes_of(&self, other: &Self, labels: &[u32], classes: usize) -> bool {
        let mut rows = vec![(0f64, 0f64); classes];
        let members = self.members.iter().zip(&other.members).zip(labels);
        for ((&own, &of_other), &label) in members {
            let (both, all) = &mut rows[label as usize];
            *both += own.min(of_other);
            *all += of_other;
        }
        let few = LEAST as f64;
        rows.iter()
            .all(|(both, all)| *all < few || *both > 0.5 * all)
    }

    /// Whether nearly all of its rows are of one class.
    pub(super) fn is_of_one_class(&self, labels: &[u32], classes: usize) -> bool {
        let inside = self.sides().0;
        let mut counts = vec![0; classes];
        inside.iter().for_each(|&i| counts[labels[i] as usize] += 1);
        let most = counts.into_iter().max().unwrap_or(0);
        most as f64 >= ONE_CLASS * inside.len() as f64
    }

    /// Whether its rows have on the mean more of one of the `traces` than the others. A perturbation is added to a picture; rows
    /// that have less of everything, as grey ones have among coloured, are of another source.
    pub(super) fn stands_out(&self, traces: &[&View]) -> bool {
        let (inside, outside) = self.sides();
        traces.iter().any(|trace| {
            let pick =
                |rows: &[usize]| -> Vec<f64> { rows.iter().map(|&i| trace.scores[i]).collect() };
            moments(&pick(&inside)).0 > moments(&pick(&outside)).0
        })
    }

    /// All rows that are in one of the `groups`; `None` if there are none.
    pub(super) fn union(groups: &[Self]) -> Option<Self> {
        let most = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a.max(*b)).collect();
        let both = |all: Self, group: Self| {
            let scores = most(&all.scores, &group.scores);
            Self::new(scores, most(&all.members, &group.members))
        };
        groups.iter().cloned().reduce(both)
    }

    /// The group without the classes that are in it as a whole, if enough is left.
    pub(super) fn of_parts(self, labels: &[u32], classes: usize) -> Option<Self> {
        let group = self.without_whole_classes(labels, classes);
        (group.sides().0.len() >= LEAST).then_some(group)
    }

    fn without_whole_classes(self, labels: &[u32], classes: usize) -> Self {
        let mut inside = vec![(0f64, 0f64); classes];
        for (&p, &label) in self.members.iter().zip(labels) {
            let (members, rows) = &mut inside[label as usize];
            *members += p;
            *rows += 1.0;
        }
        let whole = inside.iter().map(|(members, rows)| *members > WHOLE * rows);
        self.without_classes(labels, &whole.collect::<Vec<_>>())
    }

    /// The group without the rows of the classes that are `left_out`.
    pub(super) fn without_classes(mut self, labels: &[u32], left_out: &[bool]) -> Self {
        let rows = self.members.iter_mut().zip(labels);
        let left_out = rows.filter(|(_, label)| left_out[**label as usize]);
        left_out.for_each(|(p, _)| *p = 0.0);
        self
    }
}

/// Which rows self-training starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Those in which a trace is largest.
    Most,
    /// Those in which it is least.
    Least,
}

/// What self-training ends on.
pub(super) struct Trained {
    /// Groups with a gap between them and the rest, the surest first.
    pub(super) apart: Vec<Group>,
    /// The loud part of a slope, or a group with too many natural rows to show a gap: those farthest from the rest.
    pub(super) vague: Vec<Group>,
}

/// All groups that self-training finds from one `end` of the `traces` of the rows, each in each of the `profiles`.
pub(super) fn find(
    profiles: &[Profile],
    traces: &[&View],
    end: End,
    labels: &[u32],
    classes: usize,
) -> Result<Trained> {
    let sign = match end {
        End::Most => 1.0,
        End::Least => -1.0,
    };
    let mut starts = Vec::new();
    for trace in traces {
        let scores: Vec<f64> = trace.scores.iter().map(|score| sign * score).collect();
        for limit in quantiles(&scores, &STARTS.map(|share| 1.0 - share)) {
            let carries = scores
                .iter()
                .map(|&score| f64::from(u8::from(score > limit)));
            let carries: Vec<f64> = carries.collect();
            starts.extend(profiles.iter().map(|profile| (profile, carries.clone())));
        }
    }
    let mut ends: Vec<(Group, f64)> = starts
        .into_par_iter()
        .map(|(profile, carries)| refine(profile, carries, Anchor::FAR, labels, classes))
        .collect::<Result<_>>()?;
    let groups = ends
        .iter()
        .filter_map(|end| stands_apart(end.clone(), &SEARCHED, labels, classes));
    let mut apart = distinct(groups, ALIKE);
    apart.sort_by(|a, b| a.doubt.total_cmp(&b.doubt));
    ends.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sizes = LEAST_VAGUE..0.5 * labels.len() as f64;
    let is_vague = |(group, separation): &(Group, f64)| {
        *separation > VAGUE && sizes.contains(&group.members.iter().sum())
    };
    let vague = ends.into_iter().filter(is_vague).map(|(group, _)| group);
    let mut vague = distinct(vague, SAME);
    vague.truncate(MOST_VAGUE);
    Ok(Trained { apart, vague })
}

/// The first of any `groups` that share so much of their rows.
fn distinct(groups: impl Iterator<Item = Group>, share: f64) -> Vec<Group> {
    let mut distinct: Vec<Group> = Vec::new();
    for group in groups {
        if !distinct.iter().any(|known| shared(known, &group) >= share) {
            distinct.push(group);
        }
    }
    distinct
}

/// The group that self-training ends on from the rows that `carries` holds, and how far it is from the rest, if that is far enough,
/// whatever is in doubt.
pub(super) fn from(
    profile: &Profile,
    carries: Vec<f64>,
    labels: &[u32],
    classes: usize,
) -> Result<Option<(Group, f64)>> {
    let end = refine(profile, carries, Anchor::FAR, labels, classes)?;
    Ok((end.1 >= SEARCHED.separation).then_some(end))
}

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
}

/// The rows that stand apart by one view alone.
pub(super) fn by_evidence(evident: &Evident<'_>, labels: &[u32], classes: usize) -> Option<Group> {
    let (anchor, gap) = match evident.lawful {
        true => (Anchor::LOOSE, &KNOWN),
        false => (Anchor::FAR, &SEARCHED),
    };
    let scores = &evident.view.scores;
    let mut mixture = Mixture::fit(scores, labels, classes, anchor);
    let group = stands_apart(told(scores.clone(), &mixture, labels), gap, labels, classes)?;
    if !evident.lawful {
        return Some(group);
    }
    mixture.tail = OUTLIERS;
    let (group, _) = told(scores.clone(), &mixture, labels);
    group.of_parts(labels, classes)
}

/// The share that two groups have in common of all their rows.
fn shared(one: &Group, other: &Group) -> f64 {
    let pairs = || one.members.iter().zip(&other.members);
    let both: f64 = pairs().map(|(a, b)| a.min(*b)).sum();
    let either: f64 = pairs().map(|(a, b)| a.max(*b)).sum();
    both / either.max(f64::MIN_POSITIVE)
}

/// Trains a discriminant on the rows that carry, and says anew which rows carry, until it has settled.
fn refine(
    profile: &Profile,
    mut carries: Vec<f64>,
    anchor: Anchor,
    labels: &[u32],
    classes: usize,
) -> Result<(Group, f64)> {
    let mut rounds = ROUNDS;
    loop {
        let scores = profile.scores(&carries)?;
        let mixture = Mixture::fit(&scores, labels, classes, anchor);
        let (group, separation) = told(scores, &mixture, labels);
        rounds -= 1;
        if rounds == 0 || group.moved_from(&carries) < SETTLED {
            return Ok((group, separation));
        }
        carries = group.members;
    }
}

/// The rows that a `mixture` of their scores says do carry, and how far the sides are apart, in deviations of the rest.
fn told(scores: Vec<f64>, mixture: &Mixture, labels: &[u32]) -> (Group, f64) {
    let members = mixture.posteriors(&scores, labels);
    (Group::new(scores, members), mixture.separation())
}

/// The group without the classes that are in it as a whole, if there is a gap between it and the rest.
fn stands_apart(
    (group, separation): (Group, f64),
    gap: &Gap,
    labels: &[u32],
    classes: usize,
) -> Option<Group> {
    if separation < gap.separation || group.doubt > gap.doubt {
        return None;
    }
    group.of_parts(labels, classes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::folds::Folds;
    use super::super::linalg::Rows;
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    const ROWS: usize = 2000;
    const DIM: usize = 12;

    /// Normal rows; those that `carries` names are moved in four features, the first of which is the trace.
    fn found(carries: impl Fn(usize) -> bool, move_by: f32) -> Vec<Group> {
        let rng = &mut crate::Seed(4).stream("group", 0);
        let mut values: Vec<f32> = (0..ROWS * DIM)
            .map(|_| StandardNormal.sample(rng))
            .collect();
        for i in (0..ROWS).filter(|&i| carries(i)) {
            values[i * DIM..i * DIM + 4]
                .iter_mut()
                .for_each(|v| *v += move_by);
        }
        let labels: Vec<u32> = (0..ROWS as u32).map(|i| i % 4).collect();
        let rows = Rows { values, dim: DIM };
        let trace = View {
            name: "trace",
            scores: (0..ROWS).map(|i| f64::from(rows.row(i)[0])).collect(),
            null: Vec::new(),
        };
        let folds = Folds::draw(&labels, 4, crate::Seed(0));
        find(
            &[Profile::new(&rows, &folds)],
            &[&trace],
            End::Most,
            &labels,
            4,
        )
        .unwrap()
        .apart
    }

    #[test]
    fn rows_that_overlap_in_each_trace_stand_apart_in_all_together() {
        for every in [50, 5] {
            let groups = found(|i| i % every == 0, 4.0);
            assert!(!groups.is_empty(), "{every}");
            for group in groups {
                let wrong = (0..ROWS).filter(|&i| (group.members[i] > 0.5) != (i % every == 0));
                assert!(wrong.count() <= 2 + ROWS / every / 50, "{every}");
            }
        }
    }

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
        let group = by_evidence(&Evident::lawful(&view, Kind::Place), &labels, 4).unwrap();
        let sure = (0..rows).filter(|&i| group.members[i] > 0.9);
        let (found, natural): (Vec<usize>, Vec<usize>) = sure.partition(|&i| carries(i));
        assert!(
            found.len() >= 35 && natural.len() <= 1,
            "{found:?} {natural:?}"
        );
    }

    #[test]
    fn a_slope_has_no_gap() {
        assert!(found(|_| false, 0.0).is_empty());
        assert!(found(|i| i % 5 == 0, 1.0).is_empty());
    }

    #[test]
    fn an_account_of_the_same_rows_is_surer_with_fewer_in_doubt() {
        let of = |members: [f64; 6]| Group::new(vec![0.0; 6], members.into());
        let surer = |one: &Group, other: &Group| one.is_surer_of(other, &[0; 6], 1);
        let vague = of([1.0, 1.0, 1.0, 1.0, 0.6, 0.0]);
        assert!(surer(&of([1.0, 1.0, 1.0, 1.0, 1.0, 0.0]), &vague));
        assert!(!surer(&of([1.0, 1.0, 1.0, 1.0, 0.6, 0.6]), &vague));
        let others = of([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(!surer(&others, &vague), "other rows");
    }

    #[test]
    fn an_account_that_loses_a_class_is_not_surer() {
        let labels: Vec<u32> = (0..200).map(|i| u32::from(i < 20)).collect();
        let of = |from: usize, p: f64| {
            let members = (0..200).map(|i| if i < from { 0.0 } else { p });
            Group::new(vec![0.0; 200], members.collect())
        };
        let surer = |from: usize| of(from, 0.99).is_surer_of(&of(0, 0.9), &labels, 2);
        assert!(surer(0) && surer(5));
        assert!(!surer(20), "a class is lost");
        let few = of(15, 0.9);
        assert!(
            of(20, 0.99).is_surer_of(&few, &labels, 2),
            "five rows are no class"
        );
    }

    #[test]
    fn a_group_of_some_rows_keeps_its_rows_among_all() {
        let group = Group::new(vec![-1.0, 7.0], vec![0.0, 1.0]).spread(&[2, 4], 6);
        assert_eq!(group.sides().0, [4]);
        assert_eq!(group.scores, [-1.0, -1.0, -1.0, -1.0, 7.0, -1.0]);
    }

    #[test]
    fn rows_that_have_less_of_every_trace_do_not_stand_out() {
        let trace = |inside: f64| View {
            name: "trace",
            scores: (0..20).map(|i| if i < 5 { inside } else { 0.0 }).collect(),
            null: Vec::new(),
        };
        let members = (0..20).map(|i| f64::from(u8::from(i < 5)));
        let group = Group::new(vec![0.0; 20], members.collect());
        let [less, more] = [-1.0, 1.0].map(trace);
        assert!(group.stands_out(&[&less, &more]));
        assert!(!group.stands_out(&[&less, &less]));
    }

    #[test]
    fn nearly_all_rows_of_one_class_make_a_group_of_it() {
        let group = |of_class: usize| {
            let members = (0..20).map(|i| f64::from(u8::from(i < 10)));
            let labels: Vec<u32> = (0..20).map(|i| u32::from(i >= of_class)).collect();
            Group::new(vec![0.0; 20], members.collect()).is_of_one_class(&labels, 2)
        };
        assert!(group(9) && group(1) && !group(7));
    }

    #[test]
    fn a_class_as_a_whole_is_no_group() {
        assert!(found(|i| i % 4 == 1, 5.0).is_empty());
    }
}
