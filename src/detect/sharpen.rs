//! Which rows carry, said more sharply: once it is known what stands apart, a small network learns the difference.
//!
//! The discriminant sees a picture through a few numbers. Where it has found a group with a gap, a network that learns the
//! group's rows from their grain sees what those numbers leave out; rows that were taken in by mistake are outvoted by the
//! rest. Its answer is one more trace for the discriminant, which weighs it: for patterns in few pixels it says little. A
//! gap is not looked for in this way, since a network finds a sharp line between any two halves.

use super::discriminant::Profile;
use super::folds::Folds;
use super::grain::Grain;
use super::group::{Gap, Group, SEARCHED, stands_apart, told};
use super::linalg::Rows;
use super::net::cross_fitted;
use crate::mixture::{Anchor, Mixture};
use crate::nn::likelihood::margin;
use crate::observe::Observer;
use crate::stats::moments;
use crate::{Result, Seed};

/// Most trainings, each from what the discriminant said once of the last one: as long as the gap grows. Left to itself, the
/// discriminant goes on to loud natural rows, and then teaches the next network to find those.
const ROUNDS: u64 = 5;
/// What a gap is here. That something stands apart is known already.
const SHARP: Gap = Gap {
    separation: SEARCHED.separation,
    doubt: 0.2,
};
/// What one training has said teaches the next one though it leaves no gap, if the two sides are this far apart, in deviations
/// of the rest: where the first group holds the strongest rows alone, as it does of weak adversarial noise, the first network
/// leaves many rows in doubt. Clean photographs, split in two at will, stay below.
const TEACHES: f64 = 5.0;
/// Natural rows are taken to be more alike than usual where that leaves so much less in doubt: half as much of LSP, nine tenths and
/// more of NTGA, beside which loud natural rows have a slope.
const CLEARER: f64 = 0.75;
/// Another training is not worth its time where the last one has moved a smaller share of the rows from side to side.
const SETTLED: f64 = 1e-3;
/// Of the smaller side, rows teach that are on it with this probability: a few wrong ones are outvoted, many are learnt.
const SURE: f64 = 0.99;
/// Fewer rows than this teach a network nothing.
const LEAST: usize = 100;

/// The rows of `group` as a network sees them, beside the `traces`, features of about unit variance; `None` where that
/// leaves no gap.
pub(super) fn sharpened(
    group: &Group,
    traces: &Rows,
    grain: &Grain<'_>,
    labels: &[u32],
    folds: &Folds,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<Group>> {
    let mut sharp = None;
    let mut teacher = group.members.clone();
    let mut separation = TEACHES;
    for round in 0..ROUNDS {
        let kinds = sides(&teacher);
        let count = |kind| kinds.iter().filter(|k| **k == Some(kind)).count();
        if count(0).min(count(1)) < LEAST {
            break;
        }
        let mut answers = vec![0.0; kinds.len()];
        let seed = seed.derive("sharpen", round);
        cross_fitted(grain, &kinds, 2, folds, seed, observer, |row, logits| {
            answers[row] = margin(logits, 1);
        })?;
        let profile = Profile::new(&traces.with_column(&standard(&answers)), folds);
        let scores = profile.scores(&teacher)?;
        let by = |anchor| {
            let mixture = Mixture::fit_from(&teacher, &scores, labels, folds.classes, anchor);
            told(scores.clone(), mixture, labels)
        };
        let mut refined = by(Anchor::FAR);
        if refined.1.separation() < separation {
            break;
        }
        separation = refined.1.separation();
        let alike = by(Anchor::ALIKE);
        if alike.0.doubt < CLEARER * refined.0.doubt {
            refined = alike;
        }
        let settled = refined.0.moved_from(&teacher) < SETTLED * teacher.len() as f64;
        teacher.clone_from(&refined.0.members);
        sharp = stands_apart(refined, &SHARP, labels, folds.classes).or(sharp);
        if settled {
            break;
        }
    }
    Ok(sharp)
}

/// On which side each row is, 1 for those that carry; of the smaller side the sure rows alone.
fn sides(carries: &[f64]) -> Vec<Option<u32>> {
    let inside = carries.iter().filter(|p| **p > 0.5).count();
    let (least, most) = match 2 * inside <= carries.len() {
        true => (SURE, 0.5),
        false => (0.5, 1.0 - SURE),
    };
    let side = |&p: &f64| (p > least).then_some(1).or((p <= most).then_some(0));
    carries.iter().map(side).collect()
}

fn standard(values: &[f64]) -> Vec<f32> {
    let (mean, deviation) = moments(values);
    let scale = deviation.max(1e-9).recip();
    values.iter().map(|v| ((v - mean) * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_teach_where_they_are_sure() {
        let few = [0.999, 0.8, 0.3, 0.0, 0.0, 0.0];
        let (carries, natural) = (Some(1), Some(0));
        let sure = [carries, None, natural, natural, natural, natural];
        assert_eq!(sides(&few), sure);
        let mirrored = sides(&few.map(|p| 1.0 - p)).into_iter();
        let mirrored = mirrored.map(|side| side.map(|k| 1 - k));
        assert_eq!(mirrored.collect::<Vec<_>>(), sure);
    }
}
