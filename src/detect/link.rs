//! Are rows that stand apart linked to the classes? Pictures of another camera stand apart as well; only where the noise
//! says the class can a model learn the one from the other.

use super::View;
use super::crossfit::Folds;
use super::grain::Grain;
use super::net;
use crate::observe::Observer;
use crate::stats::moments;
use crate::{Result, Seed};

/// Least excess of the mean evidence under the own label over that of the rest, in deviations under wrong labels...
const EXCESS: f64 = 0.5;
/// ...and in standard errors of the difference.
const SURE: f64 = 4.0;
/// Fewer rows than this teach a network nothing.
const LEAST_TO_TEACH: usize = 100;
/// A network that sees nothing but these rows tells the class so many times as well from what people do not see as from what
/// they see. On clean CIFAR-10, 100 to 10,000 rows, it is 1.0 to 1.3 times, on rows under adversarial noise 2 and more.
const BEYOND: f64 = 1.5;

/// What links are looked for in.
pub(super) struct Ties<'a> {
    /// Evidence about labels.
    pub(super) views: &'a [&'a View],
    /// What people do not see, and what they see.
    pub(super) bands: [&'a Grain<'a>; 2],
    pub(super) labels: &'a [u32],
    pub(super) folds: &'a Folds,
    pub(super) seed: Seed,
}

impl Ties<'_> {
    /// Whether the labels of `rows` say more about them than those of the `others` do, or the labels are [`Ties::taught`].
    pub(super) fn hold(
        &self,
        rows: &[usize],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let excess = |view: &&View| {
            let deviation = moments(&view.null).1.max(1e-9);
            let pick = |rows: &[usize]| -> Vec<f64> {
                rows.iter().map(|&i| view.scores[i] / deviation).collect()
            };
            exceeds(&pick(rows), &pick(others))
        };
        Ok(self.views.iter().any(excess) || self.taught(rows, observer)?)
    }

    /// Whether a network that sees `rows` alone finds their labels in the faint part of the pictures rather than in the
    /// visible one.
    pub(super) fn taught(&self, rows: &[usize], observer: &dyn Observer) -> Result<bool> {
        if rows.len() < LEAST_TO_TEACH {
            return Ok(false);
        }
        let folds = self.folds.within(rows);
        let mut evidence = Vec::new();
        for grain in self.bands {
            let view = net::view(grain, self.labels, &folds, self.seed, observer)?;
            evidence.push(view.standard(rows));
        }
        let pairs = evidence[0].iter().zip(&evidence[1]);
        let beyond: Vec<f64> = pairs.map(|(faint, seen)| faint - BEYOND * seen).collect();
        let (mean, deviation) = moments(&beyond);
        Ok(mean >= SURE * deviation / (rows.len() as f64).sqrt())
    }
}

fn exceeds(one: &[f64], other: &[f64]) -> bool {
    let ((mean, deviation), (rest, spread)) = (moments(one), moments(other));
    let error = |deviation: f64, rows: &[f64]| deviation.powi(2) / rows.len().max(1) as f64;
    let excess = mean - rest;
    let sure = SURE * (error(deviation, one) + error(spread, other)).sqrt();
    excess >= EXCESS && excess >= sure
}
