//! Which rows carry, said more sharply: once it is known what stands apart, small networks learn the difference.
//!
//! The discriminant sees a picture through a few numbers. Where it has found a group with a gap, networks that learn from the
//! group's rows see in their grain what those numbers leave out; rows that were taken in by mistake are outvoted by the
//! rest. One learns which rows are in the group, and one the classes of those that are: of a loud natural row it knows nothing,
//! however many of them the first one was told to find. Their answers are two more traces for the discriminant, which weighs
//! them: for patterns in few pixels they say little. A network finds a sharp line between any two halves, so a gap is looked for
//! in this way only among rows that it was not taught about ([`Sharpener::bring_out`]).

use super::View;
use super::discriminant::Profile;
use super::features::led_by;
use super::grain::Grain;
use super::group::{self, Group};
use super::inquiry::Inquiry;
use super::linalg::Rows;
use super::missed::Missed;
use super::net::{LEAST, Learner};
use super::self_training;
use super::split::Split;
use crate::Result;
use crate::mixture::Anchor;
use crate::nn::likelihood::margin;
use crate::stats::moments;

/// Most trainings, each from what the discriminant said once of the last one, as long as that leaves fewer rows in doubt. Where
/// loud natural rows are taken for carrying ones, it leaves more, and the next network would learn to find those.
const ROUNDS: u64 = 5;
/// Another training is not worth its time where the last one has moved a smaller share of the rows from side to side.
const SETTLED: f64 = 1e-3;
/// Of the smaller side, rows teach that are on it with this probability: a few wrong ones are outvoted, many are learnt.
const SURE: f64 = 0.99;
/// How often the farthest rows teach, as long as what they bring out is farther from the rest each time.
const TURNS: u64 = 3;
/// One in so many rows of a vague group is far out. Of 1,663 that held all 500 under NTGA, 157 of the farthest 207 were.
const FARTHEST: usize = 8;

/// Where the farthest rows bring out what is so far from the rest...
const FAR_OUT: f64 = 12.0;
/// ...so large a share of it may be open. Of 100 rows under NTGA, 12 to 18 deviations away, it was 0.14 to 0.20; of natural rows
/// what was brought out of a slope was 11 away, with 0.15, and out of most slopes nothing is.
const OPEN_FAR_OUT: f64 = 0.2;

/// What the rows of a group are told by.
pub(super) struct Sharpener<'a> {
    /// Features of about unit variance, the first of them those of the `labelled` views.
    pub(super) features: &'a Rows,
    /// Of these features.
    pub(super) profile: &'a Profile,
    pub(super) labelled: &'a [&'a View],
    pub(super) grain: &'a Grain<'a>,
    pub(super) inquiry: Inquiry<'a>,
}

impl Sharpener<'_> {
    /// The rows of `group` as both witnesses see them, a network beside the features; `None` where that leaves no fewer in doubt.
    pub(super) fn sharpen(&self, group: &Group) -> Result<Option<Group>> {
        let Inquiry { labels, folds, .. } = self.inquiry;
        let group = &self.complete(group)?;
        // Before there is a network to ask.
        let mut sharp = self.better(self.profile, self.labelled, group)?;
        for round in 0..ROUNDS {
            let known = sharp.as_ref().unwrap_or(group);
            let kinds = sides(&known.members);
            if !teach(&kinds) {
                break;
            }
            let answers = standard(&self.answers(&kinds, round)?);
            let class = self.class(&kinds, round)?;
            let features = led_by(&[&class], &[self.features, &answers]);
            let labelled = [&[&class], self.labelled].concat();
            let Some(next) = self.better(&Profile::new(&features, folds), &labelled, known)? else {
                break;
            };
            let settled = next.moved_from(&known.members) < SETTLED * labels.len() as f64;
            sharp = Some(next);
            if settled {
                break;
            }
        }
        let parts = |group: Group| match group.is_nearly_all(labels) {
            // Of a class that is in it as a whole, it has no more than of the others.
            true => Some(group),
            false => group.of_parts(labels),
        };
        Ok(sharp.and_then(parts))
    }

    /// `group` with the rows that a network finds in classes that it may have missed.
    fn complete(&self, group: &Group) -> Result<Group> {
        let Some(missed) = Missed::of(group, self.inquiry.labels) else {
            return Ok(group.clone());
        };
        let mut kinds = sides(&group.members);
        missed.hide(&mut kinds);
        if !teach(&kinds) {
            return Ok(group.clone());
        }
        let answers = self.answers(&kinds, ROUNDS + TURNS)?;
        Ok(missed.added_to(group, &answers))
    }

    /// The rows that stand apart within a vague `group`; `None` if none do. Those that are farthest out teach a network, which is asked
    /// about all: on a slope of natural rows the others of the group lie between, else they part.
    pub(super) fn bring_out(&self, group: &Group) -> Result<Option<Group>> {
        let (mut group, mut distance) = (group.clone(), 0.0);
        for round in 0..TURNS {
            let next = self.led_by_farthest(&group, round)?;
            let Some(farther) = next.filter(|next| next.separation > distance) else {
                break;
            };
            (group, distance) = (farther.group, farther.separation);
        }
        if distance == 0.0 {
            return Ok(None);
        }
        // The doubt of one score is not that of two witnesses: what these say has to be surer than nothing first.
        group.doubt = 1.0;
        let sharp = self.sharpen(&group)?;
        let open = if distance >= FAR_OUT {
            OPEN_FAR_OUT
        } else {
            group::OPEN
        };
        Ok(sharp.filter(|group| group.doubt <= open))
    }

    /// What self-training ends on from the farthest of a vague `group`, by what a network that they teach says of all rows
    /// as well.
    fn led_by_farthest(&self, group: &Group, round: u64) -> Result<Option<Split>> {
        let Some(kinds) = farthest(group) else {
            return Ok(None);
        };
        let answers = standard(&self.answers(&kinds, ROUNDS + round)?);
        let features = self.features.with_column(&answers.values);
        let profile = Profile::new(&features, self.inquiry.folds);
        let start = kinds.iter().map(|kind| f64::from(*kind == Some(1)));
        self_training::from(&profile, start.collect(), self.inquiry.labels)
    }

    /// What both witnesses say of the rows from what is `known`, by the features in `profile` that start with those of the
    /// `labelled` views, if it leaves fewer of them in doubt or finds a class that was missed, and as much between the sides as
    /// the search asks for where natural rows have a slope. Where most rows were known to carry and now nearly all do, what is
    /// left is no side that they could be far from.
    fn better(
        &self,
        profile: &Profile,
        labelled: &[&View],
        known: &Group,
    ) -> Result<Option<Group>> {
        let testimony = profile.testimony(&known.members, labelled)?;
        let labels = self.inquiry.labels;
        let account = testimony.account(&known.members, labels);
        let group = Group::new(testimony.sums(), account.carries);
        let (inside, outside) = known.sides();
        let apart = account.separation >= Anchor::FAR.gap
            || inside.len() > outside.len() && group.is_nearly_all(labels);
        let is_better = group.doubt < known.doubt || group.completes(known, labels);
        Ok((apart && is_better).then_some(group))
    }

    /// What a network that learnt the `kinds` of other rows says of each row.
    fn answers(&self, kinds: &[Option<u32>], round: u64) -> Result<Vec<f64>> {
        let mut answers = vec![0.0; kinds.len()];
        let note = |row: usize, logits: &[f32]| answers[row] = margin(logits, 1);
        self.learner("sharpen", round)
            .cross_fitted(kinds, 2, note)?;
        Ok(answers)
    }

    /// What a network that learnt the classes of the carrying ones among other rows, by their `kinds`, says of each row's class.
    fn class(&self, kinds: &[Option<u32>], round: u64) -> Result<View> {
        let teaches = |row: usize| kinds[row] == Some(1);
        self.learner("sharpen.class", round).taught(teaches)
    }

    /// A learner with its own seed for this `purpose` and `round`.
    fn learner(&self, purpose: &'static str, round: u64) -> Learner<'_> {
        self.inquiry.derive(purpose, round).learner(self.grain)
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

/// Whether there are enough of both `kinds` to teach a network.
fn teach(kinds: &[Option<u32>]) -> bool {
    let count = |kind| kinds.iter().filter(|k| **k == Some(kind)).count();
    count(0).min(count(1)) >= LEAST
}

/// On which side each row is, 1 for those farthest out among the rows of the `group`, of whose others nothing is said; `None` if
/// they are too few to teach.
fn farthest(group: &Group) -> Option<Vec<Option<u32>>> {
    let (mut inside, outside) = group.sides();
    inside.sort_by(|&a, &b| group.scores[b].total_cmp(&group.scores[a]));
    inside.truncate((inside.len() / FARTHEST).max(LEAST));
    if inside.len() < LEAST || outside.len() < LEAST {
        return None;
    }
    let mut kinds = vec![None; group.scores.len()];
    inside.iter().for_each(|&row| kinds[row] = Some(1));
    outside.iter().for_each(|&row| kinds[row] = Some(0));
    Some(kinds)
}

/// The values as one feature of the rows, of mean zero and unit variance.
fn standard(values: &[f64]) -> Rows {
    let (mean, deviation) = moments(values);
    let scale = deviation.max(1e-9).recip();
    let values = values.iter().map(|v| ((v - mean) * scale) as f32);
    Rows {
        values: values.collect(),
        dim: 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::coefficients::Coefficients;
    use super::super::folds::Folds;
    use super::super::lens::Band;
    use super::super::striped::{DIM, SIZE, smooth_pictures};
    use super::*;
    use crate::{Labels, Seed};
    use rand_distr::{Distribution, StandardNormal};

    const ROWS: usize = 800;

    fn carries(row: usize) -> bool {
        row.is_multiple_of(4)
    }

    fn label(row: usize, classes: usize) -> u32 {
        (row / 4 % classes) as u32
    }

    /// What a sharpener of these pictures of so many classes answers. Two features see what `carries`, each by so many deviations.
    fn sharpener<T>(
        pixels: &[f32],
        classes: usize,
        (carries, seen_by): (impl Fn(usize) -> bool, f64),
        ask: impl FnOnce(&Sharpener<'_>) -> T,
    ) -> T {
        let rows = pixels.len() / DIM;
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(rows, SIZE, &read);
        let labels: Vec<u32> = (0..rows).map(|row| label(row, classes)).collect();
        let labels = Labels::new(&labels, classes);
        let folds = Folds::draw(labels, Seed(0));
        let rng = &mut Seed(0).stream("sharpen", 0);
        let mut noise =
            |n: usize| -> Vec<f64> { StandardNormal.sample_iter(&mut *rng).take(n).collect() };
        let mut seen = noise(2 * rows);
        for row in (0..rows).filter(|row| carries(*row)) {
            seen[2 * row..][..2].iter_mut().for_each(|v| *v += seen_by);
        }
        let view = View {
            name: "view",
            scores: seen.iter().step_by(2).copied().collect(),
            null: noise(4 * rows),
        };
        let features = Rows {
            values: seen.iter().map(|v| *v as f32).collect(),
            dim: 2,
        };
        ask(&Sharpener {
            features: &features,
            profile: &Profile::new(&features, &folds),
            labelled: &[&view],
            grain: &Grain::new(&coefficients, Band::Faint),
            inquiry: Inquiry::unwatched(labels, &folds),
        })
    }

    /// What becomes of a group of rows under stripes, if one row in eight is misplaced with this probability.
    fn sharpened(unsure: f64) -> Option<Group> {
        let member = |row: usize| {
            let misplaced = row % 10 == 3 || row % 40 == 8;
            let stays = if misplaced { 1.0 - unsure } else { 1.0 };
            match carries(row) {
                true => stays,
                false => 1.0 - stays,
            }
        };
        let known = Group::new(vec![0.0; ROWS], (0..ROWS).map(member).collect());
        let pixels = smooth_pictures(ROWS, |row| carries(row).then_some(true));
        sharpener(&pixels, 2, (carries, 3.4), |sharpener| {
            sharpener.sharpen(&known).unwrap()
        })
    }

    const MORE_ROWS: usize = 2400;

    fn few_carry(row: usize) -> bool {
        row.is_multiple_of(12)
    }

    /// What is brought out of the sixth of the rows that are most `far` out.
    fn brought_out(pixels: &[f32], seen_by: f64, far: impl Fn(usize) -> f64) -> Option<Group> {
        let scores: Vec<f64> = (0..MORE_ROWS).map(far).collect();
        let limit = crate::stats::quantiles(&scores, &[5.0 / 6.0])[0];
        let members = scores.iter().map(|far| f64::from(*far > limit));
        let vague = Group::new(scores.clone(), members.collect());
        sharpener(pixels, 2, (few_carry, seen_by), |sharpener| {
            sharpener.bring_out(&vague).unwrap()
        })
    }

    #[test]
    fn carrying_rows_are_brought_out_of_a_group_that_is_half_natural() {
        let striped = smooth_pictures(MORE_ROWS, |row| few_carry(row).then_some(true));
        let plain = smooth_pictures(MORE_ROWS, |_| None);
        // Twice as loud.
        let pixels = striped.iter().zip(plain).map(|(v, plain)| 2.0 * v - plain);
        let pixels: Vec<f32> = pixels.collect();
        // The rows that carry are further out, and 200 others nearly as far.
        let far = |row: usize| {
            let out = match row % 12 {
                0 => 3.0,
                1 => 2.0,
                _ => 0.0,
            };
            out + (row % 97) as f64 / 60.0
        };
        let (inside, _) = brought_out(&pixels, 3.4, far).unwrap().sides();
        let right = inside.iter().filter(|row| few_carry(**row)).count();
        assert!(right >= MORE_ROWS / 12 - 15, "{right}");
        assert!(inside.len() - right <= 15, "{} {right}", inside.len());
    }

    #[test]
    fn nothing_is_brought_out_of_a_slope() {
        let mut pixels = smooth_pictures(MORE_ROWS, |_| None);
        let loudness = |row: usize| (row * 37 % MORE_ROWS) as f64 / MORE_ROWS as f64;
        for (row, picture) in pixels.chunks_exact_mut(DIM).enumerate() {
            let times = 1.0 + loudness(row) as f32;
            picture.iter_mut().for_each(|v| *v *= times);
        }
        assert_eq!(brought_out(&pixels, 0.0, loudness), None);
    }

    #[test]
    fn a_network_sees_which_rows_of_a_rough_group_carry() {
        let (inside, _) = sharpened(0.6).unwrap().sides();
        let right = inside.iter().filter(|row| carries(**row)).count();
        let carrying = (0..ROWS).filter(|row| carries(*row)).count();
        assert!(right >= carrying - 15, "{right} of {carrying}");
        assert!(inside.len() - right <= 5, "{} {right}", inside.len());
    }

    #[test]
    fn a_network_is_asked_about_a_class_that_a_group_has_missed() {
        let is_missed = |row: usize| label(row, 3) == 2;
        let found = |row: usize| carries(row) && !is_missed(row);
        let group = Group::of_rows(ROWS, found);
        let pixels = smooth_pictures(ROWS, |row| carries(row).then_some(true));
        let all = sharpener(&pixels, 3, (carries, 0.0), |sharpener| {
            sharpener.complete(&group).unwrap()
        });
        let (inside, _) = all.sides();
        let missing = (0..ROWS).filter(|row| carries(*row) && !inside.contains(row));
        assert!(inside.iter().all(|&row| found(row) || is_missed(row)));
        let (missing, natural) = (missing.count(), inside.iter().filter(|row| !carries(**row)));
        let natural = natural.count();
        // Of 67 that carry, and 200 that do not.
        assert!(missing <= 30 && natural <= 15, "{missing} {natural}");
    }

    #[test]
    fn where_nobody_is_in_doubt_nothing_is_better() {
        assert_eq!(sharpened(1.0), None);
    }

    #[test]
    fn of_a_vague_group_the_farthest_eighth_teaches() {
        let far = |row: usize| (row * 7 % 2000) as f64;
        let members = (0..2000).map(|row| f64::from(far(row) >= 1000.0));
        let group = Group::new((0..2000).map(far).collect(), members.collect());
        let kinds = farthest(&group).unwrap();
        for (row, kind) in kinds.into_iter().enumerate() {
            let expected = match far(row) {
                1875.0.. => Some(1),
                1000.0.. => None,
                _ => Some(0),
            };
            assert_eq!(kind, expected, "{}", far(row));
        }
        let few = Group::new(vec![0.0; 2000], vec![0.0; 2000]);
        assert_eq!(farthest(&few), None);
    }

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
