//! Are rows that stand apart linked to the classes? Pictures of another camera stand apart as well; only where the noise
//! says the class can a model learn the one from the other.

use super::View;
use super::crossfit::Folds;
use super::eye::{BEYOND, Eye, Kind};
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

/// What links are looked for in.
pub(super) struct Ties<'a> {
    /// Evidence about labels.
    pub(super) views: &'a [&'a View],
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    /// What they see.
    pub(super) eye: &'a Eye<'a>,
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
        let excess = |view: &&&View| {
            let deviation = moments(&view.null).1.max(1e-9);
            let pick = |rows: &[usize]| -> Vec<f64> {
                rows.iter().map(|&i| view.scores[i] / deviation).collect()
            };
            exceeds(&pick(rows), &pick(others))
        };
        for view in self.views.iter().filter(excess) {
            if self.beyond(view, Kind::Place, rows, observer)? {
                return Ok(true);
            }
        }
        self.taught(rows, observer)
    }

    /// Whether `view`, which looks for this `kind` of thing, says more about the labels of `rows` than what people see does.
    pub(super) fn beyond(
        &self,
        view: &View,
        kind: Kind,
        rows: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let all: Vec<usize> = (0..self.labels.len()).collect();
        let seen = self.eye.look(observer)?.beside(kind);
        let faint = view.standard(&all);
        let pick = |scores: &[f64]| -> Vec<f64> { rows.iter().map(|&i| scores[i]).collect() };
        let faint = pick(&faint);
        Ok(seen
            .iter()
            .all(|seen| is_beyond(&faint, &pick(seen), BEYOND)))
    }

    /// Whether a network that sees `rows` alone finds their labels in the faint part of the pictures rather than in the
    /// visible one.
    pub(super) fn taught(&self, rows: &[usize], observer: &dyn Observer) -> Result<bool> {
        if rows.len() < LEAST_TO_TEACH {
            return Ok(false);
        }
        let folds = self.folds.within(rows);
        let evidence = |grain| -> Result<Vec<f64>> {
            let view = net::view(grain, self.labels, &folds, self.seed, observer)?;
            Ok(view.standard(rows))
        };
        let (faint, seen) = (evidence(self.grain)?, evidence(self.eye.grain)?);
        // Against nothing as well: evidence below zero in the visible part must not speak for the faint one.
        Ok([0.0, BEYOND]
            .iter()
            .all(|times| is_beyond(&faint, &seen, *times)))
    }
}

/// Whether the `faint` evidence of some rows is more than so many `times` what is `seen` of them, on the mean and by more than
/// chance.
fn is_beyond(faint: &[f64], seen: &[f64], times: f64) -> bool {
    let pairs = faint.iter().zip(seen);
    let beyond: Vec<f64> = pairs.map(|(faint, seen)| faint - times * seen).collect();
    let (mean, deviation) = moments(&beyond);
    mean >= SURE * deviation / (beyond.len() as f64).sqrt()
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
    use super::super::spectrum::Spectrum;
    use super::super::striped::{DIM, SIZE, smooth_pictures};
    use super::*;
    use crate::observe::Silent;
    use rand::RngExt;

    /// Smooth pictures of two classes, half of them under stripes: of the class, or drawn at random.
    fn is_linked(of_class: bool) -> bool {
        let n = 800;
        let labels: Vec<u32> = (0..n as u32).map(|i| i / 2 % 2).collect();
        let rng = &mut Seed(9).stream("stripes", 0);
        let drawn: Vec<bool> = (0..n).map(|_| rng.random()).collect();
        let stripes = |i: usize| {
            let upright = if of_class { labels[i] == 0 } else { drawn[i] };
            i.is_multiple_of(2).then_some(upright)
        };
        let pixels = smooth_pictures(n, stripes);
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(n, SIZE, &read);
        let [grain, visible] =
            [Band::Faint, Band::Visible].map(|band| Grain::new(&coefficients, band));
        let folds = &Folds::draw(&labels, 2, Seed(0));
        let spectrum = Spectrum::new(&coefficients).unwrap();
        let ties = Ties {
            views: &[],
            grain: &grain,
            eye: &Eye::new(&spectrum, &visible, &labels, folds, Seed(0)),
            labels: &labels,
            folds,
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

    #[test]
    fn what_is_seen_as_well_is_no_link() {
        let draw = |mean: f64, step: usize| -> Vec<f64> {
            (0..200)
                .step_by(2)
                .map(|i| mean + (i * step % 7) as f64 - 3.0)
                .collect()
        };
        assert!(is_beyond(&draw(5.0, 3), &draw(1.0, 5), BEYOND));
        assert!(!is_beyond(&draw(5.0, 3), &draw(4.0, 5), BEYOND));
        assert!(
            !is_beyond(&draw(1.6, 3), &draw(1.0, 5), BEYOND),
            "by chance"
        );
    }
}
