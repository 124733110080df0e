//! Is a group linked to the classes? Pictures of another camera stand apart as well; only where the label says more about
//! the grain of the group's rows than about that of the rest can a model learn the one from the other.

use super::View;
use super::crossfit::{Folds, matched};
use super::group::Group;
use super::linalg::Rows;
use super::texture;
use crate::stats::moments;
use crate::{Result, Seed};

/// Least excess of the mean evidence under the own label, in deviations under wrong labels...
const EXCESS: f64 = 0.5;
/// ...and in standard errors of the difference.
const SURE: f64 = 4.0;
/// Fewer rows than this cannot teach a texture.
const LEAST_TO_TEACH: usize = 100;

/// Whether the label says more about the group's rows than about the rest: by one of the `views` as it stands, or by
/// `textures` when learnt from the group alone against as many rows of the rest.
pub(super) fn linked(
    group: &Group,
    views: &[&View],
    textures: &Rows,
    labels: &[u32],
    classes: usize,
    seed: Seed,
) -> Result<bool> {
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..labels.len()).partition(|&i| group.members[i] > 0.5);
    let pick = |view: &View, rows: &[usize]| -> Vec<f64> {
        let deviation = moments(&view.null).1.max(1e-9);
        rows.iter().map(|&i| view.scores[i] / deviation).collect()
    };
    if views
        .iter()
        .any(|view| exceeds(&pick(view, &inside), &pick(view, &outside)))
    {
        return Ok(true);
    }
    if inside.len() < LEAST_TO_TEACH || outside.len() < LEAST_TO_TEACH {
        return Ok(false);
    }
    let taught = |rows: &[usize]| -> Result<Vec<f64>> {
        let labels: Vec<u32> = rows.iter().map(|&i| labels[i]).collect();
        let folds = Folds::draw(&labels, classes, seed);
        let order: Vec<usize> = folds.order().into_iter().map(|at| rows[at]).collect();
        Ok(matched(
            &textures.select(&order),
            &labels,
            &folds,
            texture::FIT,
            seed,
        )?
        .own)
    };
    let step = (outside.len() / inside.len()).max(1);
    let alike: Vec<usize> = outside
        .into_iter()
        .step_by(step)
        .take(inside.len())
        .collect();
    Ok(exceeds(&taught(&inside)?, &taught(&alike)?))
}

fn exceeds(one: &[f64], other: &[f64]) -> bool {
    let ((mean, deviation), (rest, spread)) = (moments(one), moments(other));
    let error = |deviation: f64, rows: &[f64]| deviation.powi(2) / rows.len().max(1) as f64;
    let excess = mean - rest;
    let sure = SURE * (error(deviation, one) + error(spread, other)).sqrt();
    excess >= EXCESS && excess >= sure
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    /// Two classes; every fifth row is in the group, whose textures tell the class by `apart`.
    fn is_linked(apart: f32) -> bool {
        let rng = &mut Seed(6).stream("link", 0);
        let n = 2000;
        let labels: Vec<u32> = (0..n as u32).map(|i| i / 5 % 2).collect();
        let mut values: Vec<f32> = (0..n * 10).map(|_| StandardNormal.sample(rng)).collect();
        for i in (0..n).step_by(5) {
            values[i * 10] += apart * (labels[i] as f32 - 0.5);
        }
        let members: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 5 == 0))).collect();
        let group = Group {
            scores: members.clone(),
            members,
        };
        linked(&group, &[], &Rows { values, dim: 10 }, &labels, 2, Seed(0)).unwrap()
    }

    #[test]
    fn a_group_is_linked_if_its_grain_tells_the_class() {
        assert!(is_linked(2.0));
        assert!(!is_linked(0.0));
    }
}
