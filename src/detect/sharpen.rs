//! Which rows carry, said more sharply: once it is known what stands apart, a small network learns the difference.
//!
//! The discriminant sees a picture through a few numbers. Where it has found a group with a gap, a network that learns the
//! group's rows from their grain sees what those numbers leave out; rows that were taken in by mistake are outvoted by the
//! rest. Its answer is one more trace for the discriminant, which weighs it: for patterns in few pixels it says little. A
//! gap is not looked for in this way, since a network finds a sharp line between any two halves.

use super::View;
use super::discriminant::Profile;
use super::folds::Folds;
use super::grain::Grain;
use super::group::{Gap, Group, stands_apart};
use super::linalg::Rows;
use super::net::cross_fitted;
use crate::mixture::Account;
use crate::nn::likelihood::margin;
use crate::observe::Observer;
use crate::stats::moments;
use crate::{Result, Seed};

/// Most trainings, each from what the discriminant said once of the last one: as long as the gap grows. Left to itself, the
/// discriminant goes on to loud natural rows, and then teaches the next network to find those.
const ROUNDS: u64 = 5;
/// What one training has said teaches the next one if the two sides are this far apart, in deviations of the rest. Clean
/// photographs, split in two at will, stay below.
const TEACHES: f64 = 5.0;
/// What a gap is here. That something stands apart is known already.
const SHARP: Gap = Gap {
    separation: TEACHES,
    doubt: 0.2,
};
/// Another training is not worth its time where the last one has moved a smaller share of the rows from side to side.
const SETTLED: f64 = 1e-3;
/// Of the smaller side, rows teach that are on it with this probability: a few wrong ones are outvoted, many are learnt.
const SURE: f64 = 0.99;
/// Fewer rows than this teach a network nothing.
const LEAST: usize = 100;

/// What the rows of a group are told by.
pub(super) struct Sharpener<'a> {
    /// Features of about unit variance, the first of them those of the `labelled` views.
    pub(super) features: &'a Rows,
    /// Of these features.
    pub(super) profile: &'a Profile,
    pub(super) labelled: &'a [&'a View],
    pub(super) grain: &'a Grain<'a>,
    pub(super) labels: &'a [u32],
    pub(super) folds: &'a Folds,
    pub(super) seed: Seed,
}

impl Sharpener<'_> {
    /// The rows of `group` as a network sees them, beside the features; `None` where that leaves no gap.
    pub(super) fn sharpen(&self, group: &Group, observer: &dyn Observer) -> Result<Option<Group>> {
        let Self { labels, folds, .. } = *self;
        let mut sharp = None;
        let mut separation = TEACHES;
        // Both witnesses, before there is a network to ask.
        let first = self.account(self.profile, &group.members)?.1;
        let mut teacher = match first.separation < separation {
            true => group.members.clone(),
            false => first.carries,
        };
        for round in 0..ROUNDS {
            let kinds = sides(&teacher);
            let count = |kind| kinds.iter().filter(|k| **k == Some(kind)).count();
            if count(0).min(count(1)) < LEAST {
                break;
            }
            let answers = self.answers(&kinds, round, observer)?;
            let profile = Profile::new(&self.features.with_column(&standard(&answers)), folds);
            let (scores, account) = self.account(&profile, &teacher)?;
            if account.separation < separation {
                break;
            }
            separation = account.separation;
            let refined = Group::new(scores, account.carries);
            let settled = refined.moved_from(&teacher) < SETTLED * teacher.len() as f64;
            teacher.clone_from(&refined.members);
            sharp = stands_apart((refined, separation), &SHARP, labels, folds.classes).or(sharp);
            if settled {
                break;
            }
        }
        Ok(sharp)
    }

    /// How far each row lies from the rest, and what both witnesses say of it, from who carries as the `teacher` says.
    fn account(&self, profile: &Profile, teacher: &[f64]) -> Result<(Vec<f64>, Account)> {
        let testimony = profile.testimony(teacher, self.labelled)?;
        let account = testimony.account(teacher, self.labels, self.folds.classes);
        Ok((testimony.sums(), account))
    }

    /// What a network that learnt the `kinds` of other rows says of each row.
    fn answers(
        &self,
        kinds: &[Option<u32>],
        round: u64,
        observer: &dyn Observer,
    ) -> Result<Vec<f64>> {
        let mut answers = vec![0.0; kinds.len()];
        let note = |row: usize, logits: &[f32]| answers[row] = margin(logits, 1);
        let seed = self.seed.derive("sharpen", round);
        cross_fitted(self.grain, kinds, 2, self.folds, seed, observer, note)?;
        Ok(answers)
    }
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
