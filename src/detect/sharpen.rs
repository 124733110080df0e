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
use crate::mixture::Anchor;
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
/// Another training is not worth its time where the last one has moved a smaller share of the rows from side to side.
const SETTLED: f64 = 1e-3;
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
        let inside: Vec<u32> = teacher.iter().map(|&p| u32::from(p > 0.5)).collect();
        let count: usize = inside.iter().map(|&kind| kind as usize).sum();
        if count.min(inside.len() - count) < LEAST {
            break;
        }
        let mut answers = vec![0.0; inside.len()];
        let seed = seed.derive("sharpen", round);
        cross_fitted(grain, &inside, 2, folds, seed, observer, |row, logits| {
            answers[row] = margin(logits, 1);
        })?;
        let profile = Profile::new(&traces.with_column(&standard(&answers)), folds);
        let told = |anchor| told(&profile, &teacher, anchor, labels, folds.classes);
        let mut refined = told(Anchor::FAR)?;
        if refined.1.separation() < TEACHES && 2 * count > inside.len() {
            // The two sides lie nearer than that looks for.
            refined = told(Anchor::NEAR)?;
        }
        if refined.1.separation() < separation {
            break;
        }
        separation = refined.1.separation();
        let settled = refined.0.moved_from(&teacher) < SETTLED * teacher.len() as f64;
        teacher.clone_from(&refined.0.members);
        sharp = stands_apart(refined, &SHARP, labels, folds.classes).or(sharp);
        if settled {
            break;
        }
    }
    Ok(sharp)
}

fn standard(values: &[f64]) -> Vec<f32> {
    let (mean, deviation) = moments(values);
    let scale = deviation.max(1e-9).recip();
    values.iter().map(|v| ((v - mean) * scale) as f32).collect()
}
