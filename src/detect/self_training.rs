//! Self-training: groups found by a linear discriminant (Fisher 1936) that learns from what it said itself.
//!
//! A perturbation leaves several traces in a row: its noise floor rises, its texture changes, it matches the pattern of
//! its class. Each trace overlaps with what natural pictures show; together they do not. Nobody says which rows carry, so
//! the direction is learnt from the rows that stand out most in one trace, then from those that stand out in that
//! direction, and so on. On natural pictures this ends on a slope, on carrying rows in two heaps with a gap between them.

use rayon::prelude::*;

use super::View;
use super::discriminant::Profile;
use super::group::{Group, SAME};
use super::net;
use super::split::{Gap, Split};
use crate::mixture::{Anchor, Mixture};
use crate::stats::quantiles;
use crate::{Labels, Result};

/// Shares of the rows that self-training starts from: the unknown share of the poison is near one of them.
const STARTS: [f64; 5] = [0.004, 0.03, 0.2, 0.5, 0.85];
/// Most refinements...
const ROUNDS: usize = 8;
/// ...fewer where all probabilities together move by less than this.
const SETTLED: f64 = 0.1;
/// Most refinements where the number of rows is held.
const HELD_ROUNDS: usize = 6;
/// Groups that share this much of their rows are one.
const ALIKE: f64 = 0.95;
/// A group that is no farther from the rest than self-training has to put it is none at all...
const VAGUE: f64 = 1.01 * Anchor::FAR.gap;
/// ...and of those that are, and have rows enough to teach by some and ask about the others, the farthest are looked at more closely.
const MOST_VAGUE: usize = 2;
const LEAST_VAGUE: f64 = 2.0 * net::LEAST as f64;

/// Which rows self-training starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Those in which a trace is largest.
    Most,
    /// Those in which it is least.
    Least,
}

/// What self-training ends on, from each of its starts.
pub(super) struct Ends<'a> {
    splits: Vec<Split>,
    labels: Labels<'a>,
}

impl<'a> Ends<'a> {
    /// From where `start` says in each of the `traces` of the rows, in each of the `profiles`.
    pub(super) fn find(
        profiles: &[Profile],
        traces: &[&View],
        start: Start,
        labels: Labels<'a>,
    ) -> Result<Self> {
        let sign = match start {
            Start::Most => 1.0,
            Start::Least => -1.0,
        };
        let mut starts = Vec::new();
        for trace in traces {
            let scores: Vec<f64> = trace.scores.iter().map(|score| sign * score).collect();
            for limit in quantiles(&scores, &STARTS.map(|share| 1.0 - share)) {
                let carries = scores.iter().map(|&score| f64::from(score > limit));
                let carries: Vec<f64> = carries.collect();
                starts.extend(profiles.iter().map(|profile| (profile, carries.clone())));
            }
        }
        let splits = starts
            .into_par_iter()
            .map(|(profile, carries)| refine(profile, carries, Anchor::FAR, labels))
            .collect::<Result<_>>()?;
        Ok(Self { splits, labels })
    }

    /// Groups with a gap between them and the rest, the surest first.
    pub(super) fn apart(&self) -> Vec<Group> {
        let labels = self.labels;
        let splits = self.splits.iter();
        let groups = splits.filter_map(|split| split.apart_by(&Gap::SEARCHED, labels));
        let mut apart = Group::distinct(groups, ALIKE);
        apart.sort_by(|a, b| a.doubt.total_cmp(&b.doubt));
        apart
    }

    /// The loud part of a slope, or a group with too many natural rows to show a gap: those farthest from the rest.
    pub(super) fn vague(&self) -> Vec<Group> {
        let sizes = LEAST_VAGUE..0.5 * self.labels.len() as f64;
        let is_vague = |split: &&Split| {
            split.separation > VAGUE && sizes.contains(&split.group.members.iter().sum())
        };
        let mut splits: Vec<&Split> = self.splits.iter().filter(is_vague).collect();
        splits.sort_by(|a, b| b.separation.total_cmp(&a.separation));
        let mut vague = Group::distinct(splits.into_iter().map(|split| split.group.clone()), SAME);
        vague.truncate(MOST_VAGUE);
        vague
    }
}

/// What self-training ends on from the rows that `carries` holds, if that is as far from the rest as a gap asks for, whatever is in
/// doubt.
pub(super) fn from(
    profile: &Profile,
    carries: Vec<f64>,
    labels: Labels<'_>,
) -> Result<Option<Split>> {
    let end = refine(profile, carries, Anchor::FAR, labels)?;
    Ok((end.separation >= Gap::SEARCHED.separation).then_some(end))
}

/// Trains a discriminant on the rows that carry, and says anew which rows carry, until it has settled.
pub(super) fn refine(
    profile: &Profile,
    mut carries: Vec<f64>,
    anchor: Anchor,
    labels: Labels<'_>,
) -> Result<Split> {
    let mut rounds = ROUNDS;
    loop {
        let scores = profile.scores(&carries)?;
        let mixture = Mixture::fit(&scores, labels, anchor);
        let split = Split::new(scores, &mixture, labels);
        rounds -= 1;
        if rounds == 0 || split.group.moved_from(&carries) < SETTLED {
            return Ok(split);
        }
        carries = split.group.members;
    }
}

/// Trains discriminants on `count` rows, each on those that the last one puts highest.
pub(super) fn settled(profile: &Profile, mut carries: Vec<f64>, count: usize) -> Result<Vec<f64>> {
    for _ in 0..HELD_ROUNDS {
        let next = highest(&profile.scores(&carries)?, count);
        let is_settled = next == carries;
        carries = next;
        if is_settled {
            break;
        }
    }
    Ok(carries)
}

/// Ones for the `count` rows of the highest scores.
pub(super) fn highest(scores: &[f64], count: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut carries = vec![0.0; scores.len()];
    order[..count].iter().for_each(|&row| carries[row] = 1.0);
    carries
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
        let labels = Labels::new(&labels, 4);
        let profiles = [Profile::new(&rows, &Folds::draw(labels, crate::Seed(0)))];
        let ends = Ends::find(&profiles, &[&trace], Start::Most, labels).unwrap();
        ends.apart()
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
    fn a_slope_has_no_gap() {
        assert!(found(|_| false, 0.0).is_empty());
        assert!(found(|i| i % 5 == 0, 1.0).is_empty());
    }

    #[test]
    fn a_class_as_a_whole_is_no_group() {
        assert!(found(|i| i % 4 == 1, 5.0).is_empty());
    }
}
