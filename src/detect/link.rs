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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::coefficients::Coefficients;
    use super::super::grain::Band;
    use super::*;
    use crate::observe::Silent;
    use rand_distr::{Distribution, StandardNormal};

    const DIM: usize = 12 * 12 * 3;

    /// Smooth pictures of two classes, half of them under stripes: of the class, or drawn at random.
    fn is_linked(of_class: bool) -> bool {
        let n = 800;
        let rng = &mut Seed(9).stream("link", 0);
        let draws: Vec<f32> = (0..n * (DIM + 3))
            .map(|_| StandardNormal.sample(rng))
            .collect();
        let labels: Vec<u32> = (0..n as u32).map(|i| i / 2 % 2).collect();
        let read = |i: usize, out: &mut [f32]| {
            let draws = &draws[i * (DIM + 3)..(i + 1) * (DIM + 3)];
            let across = if of_class {
                labels[i] == 0
            } else {
                draws[DIM + 2] > 0.0
            };
            for (k, out) in out.iter_mut().enumerate() {
                let (y, x) = (k / 36, k / 3 % 12);
                let place = if across { x } else { y };
                let stripe = if place % 2 == 0 { 0.03 } else { -0.03 };
                let smooth = draws[DIM] * y as f32 / 12.0 + draws[DIM + 1] * x as f32 / 12.0;
                *out = smooth + 0.02 * draws[k] + if i.is_multiple_of(2) { stripe } else { 0.0 };
            }
        };
        let coefficients = Coefficients::of(n, (12, 12), &read);
        let bands = [Band::Faint, Band::Visible].map(|band| Grain::new(&coefficients, band));
        let ties = Ties {
            views: &[],
            bands: [&bands[0], &bands[1]],
            labels: &labels,
            folds: &Folds::draw(&labels, 2, Seed(0)),
            seed: Seed(0),
        };
        let (rows, others): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % 2 == 0);
        ties.hold(&rows, &others, &Silent).unwrap()
    }

    #[test]
    fn rows_are_linked_if_their_noise_tells_the_class() {
        assert!(is_linked(true));
        assert!(!is_linked(false));
    }
}
