//! What of a picture its grain shows: which coefficients, in what units, and under what noise.

use rand_distr::{Distribution, StandardNormal};

use super::coefficients::{Coefficients, DEAD};
use crate::Seed;

/// Share of the variance that counts as faint.
const FAINT: f64 = 0.1;
/// Largest value of a perturbation that people do not see, in opponent colours; in most of the faint band it is half of this.
const SMALL: f32 = 16.0 / 255.0;
/// What is larger counts in units of this.
const LARGE: f32 = 2.0 * SMALL;

/// Which coefficients of the cosine basis are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Band {
    /// Those that together hold a tenth of the variance, the least variant ones.
    Faint,
    /// All others: what people see.
    Visible,
}

/// What the coefficients of a row, and its picture, go through.
#[derive(Clone)]
pub(super) struct Lens {
    /// What each coefficient is multiplied by.
    scale: Vec<f32>,
    /// Deviation of the noise that is added to each coefficient, and what it is drawn from.
    noise: Option<(Vec<f32>, Seed)>,
    /// Whether what is small is left out.
    coarse: bool,
    level: Option<Level>,
}

/// What the rows of two sides are multiplied by in place of the scale.
#[derive(Clone)]
struct Level {
    /// Which side a row is on.
    sides: Vec<usize>,
    scales: [Vec<f32>; 2],
}

impl Lens {
    /// The coefficients of `band`, each in units of its own deviation.
    pub(super) fn of(variance: &[f64], band: Band) -> Self {
        Self {
            scale: scale(variance, band),
            noise: None,
            coarse: false,
            level: None,
        }
    }

    /// The same band under noise of deviation `hiding` in each coefficient.
    pub(super) fn under(mut self, variance: &[f64], hiding: f64, seed: Seed) -> Self {
        let mut noise = vec![0.0; self.scale.len()];
        let all = self.scale.iter_mut().zip(&mut noise);
        for ((scale, noise), variance) in all.zip(variance) {
            if *scale > 0.0 {
                let deviation = (variance + hiding.powi(2)).sqrt();
                *scale = deviation.recip() as f32;
                *noise = (hiding / deviation) as f32;
            }
        }
        self.noise = Some((noise, seed));
        self
    }

    /// The part of the band that is too large for a perturbation, in pixels.
    pub(super) fn coarse(mut self) -> Self {
        let whole = |scale: &mut f32| *scale = if *scale > 0.0 { 1.0 } else { 0.0 };
        self.scale.iter_mut().for_each(whole);
        self.coarse = true;
        self
    }

    /// The same with `rows` and `others` of these `coefficients` on one level.
    pub(super) fn level(
        mut self,
        coefficients: &Coefficients<'_>,
        rows: &[usize],
        others: &[usize],
    ) -> Self {
        let strength = |side| coefficients.mean_squares(side, |_| ());
        let (own, theirs) = (strength(rows), strength(others));
        let scale = |side: &[f64], other: &[f64]| -> Vec<f32> {
            let gains = side.iter().zip(other);
            let gains = gains.map(|(side, other)| ((other + DEAD) / (side + DEAD)).sqrt().min(1.0));
            let scale = self.scale.iter().zip(gains);
            scale.map(|(scale, gain)| scale * gain as f32).collect()
        };
        let scales = [scale(&theirs, &own), scale(&own, &theirs)];
        let mut sides = vec![0; coefficients.len()];
        rows.iter().for_each(|&row| sides[row] = 1);
        self.level = Some(Level { sides, scales });
        self
    }

    /// What is left of the coefficients of row `i`.
    pub(super) fn weigh(&self, i: usize, coefficients: &mut [f32]) {
        let scale = match &self.level {
            Some(level) => &level.scales[level.sides[i]],
            None => &self.scale,
        };
        let scaled = coefficients.iter_mut().zip(scale);
        scaled.for_each(|(v, s)| *v *= s);
        if let Some((noise, seed)) = &self.noise {
            let rng = &mut seed.stream("hiding noise", i as u64);
            let noisy = coefficients.iter_mut().zip(noise);
            let noisy = noisy.filter(|(_, n)| **n > 0.0);
            noisy.for_each(|(v, n)| *v += n * Distribution::<f32>::sample(&StandardNormal, rng));
        }
    }

    /// What is left of the picture of these coefficients.
    pub(super) fn develop(&self, picture: &mut [f32]) {
        if self.coarse {
            let left = |v: &mut f32| *v = v.signum() * (v.abs() - SMALL).max(0.0) / LARGE;
            picture.iter_mut().for_each(left);
        }
    }
}

/// Coefficients, the least variant first.
pub(super) fn order(variance: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..variance.len()).collect();
    order.sort_by(|&a, &b| variance[a].total_cmp(&variance[b]).then(a.cmp(&b)));
    order
}

/// Whether a coefficient of this variance says anything.
pub(super) fn lives(variance: f64) -> bool {
    variance > DEAD
}

/// One over the deviation of each coefficient of `band`, zero for all others.
fn scale(variance: &[f64], band: Band) -> Vec<f32> {
    let limit = FAINT * variance.iter().sum::<f64>();
    let mut held = 0.0;
    let mut scale = vec![0.0; variance.len()];
    for at in order(variance) {
        held += variance[at];
        if (held <= limit) == (band == Band::Faint) {
            scale[at] = (1.0 / (variance[at] + DEAD).sqrt()) as f32;
        }
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_bands_share_no_coefficient_and_leave_none_out() {
        let variance: Vec<f64> = (0..300).map(|k| 1.0 / f64::from(1 + k * 7 % 300)).collect();
        let (faint, visible) = (
            scale(&variance, Band::Faint),
            scale(&variance, Band::Visible),
        );
        assert!(
            faint
                .iter()
                .zip(&visible)
                .all(|(f, v)| (*f > 0.0) != (*v > 0.0))
        );
        let held: f64 = (0..300)
            .filter(|&k| faint[k] > 0.0)
            .map(|k| variance[k])
            .sum();
        assert!(held <= 0.1 * variance.iter().sum::<f64>());
    }
}
