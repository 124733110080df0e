//! The grain of a picture: what is left of it when natural structure is taken away.
//!
//! Pictures are whitened as stationary ones: each coefficient of the cosine basis in units of its own deviation over the
//! drop, those that hold most of the variance left out, and the rest seen as a picture again. Natural structure is sparse
//! there, an edge here and there; a perturbation covers everything. Medians and clipped values therefore see the
//! perturbation under the structure.

use std::sync::OnceLock;

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::coefficients::Coefficients;
use crate::Seed;

/// Variance below which a coefficient is dead; see [`super::spectrum`].
const DEAD: f64 = 1e-6;
/// Share of the variance that counts as faint.
const FAINT: f64 = 0.1;
/// Noise under which little is left of a perturbation that people do not see: its deviation in each coefficient is the length
/// of a picture that is this value everywhere, in [0, 1] units (4 levels of 255).
const HIDING: f64 = 4.0 / 255.0;
/// Largest value of a perturbation that people do not see, in opponent colours; in most of the faint band it is half of this.
const SMALL: f32 = 16.0 / 255.0;
/// What is larger counts in units of this.
const LARGE: f32 = 2.0 * SMALL;
/// Noise in each pixel under which a network learns next to nothing from a perturbation that people do not see, in [0, 1] units
/// (48 levels of 255). The basis is orthonormal, so it is as much in each coefficient.
const DROWNING: f64 = 48.0 / 255.0;
/// Rows of which all numbers together are no more than this are kept once they are made: 128 MiB.
const KEPT: usize = 1 << 25;
/// One part in this many of the coefficients, the least variant, is the last trace of natural pictures.
const FAINTEST: usize = 5;

/// Which coefficients of the cosine basis are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Band {
    /// Those that together hold a tenth of the variance, the least variant ones.
    Faint,
    /// All others: what people see.
    Visible,
}

/// The whitened rows of one band, in opponent colours.
pub(super) struct Grain<'a> {
    coefficients: &'a Coefficients<'a>,
    /// What each coefficient is multiplied by.
    scale: Vec<f32>,
    /// Deviation of the noise that is added to each coefficient, and what it is drawn from.
    noise: Option<(Vec<f32>, Seed)>,
    /// Whether what is small is left out.
    coarse: bool,
    faintest: Vec<usize>,
    level: Option<Level>,
    kept: OnceLock<Vec<f32>>,
}

/// What the rows of two sides are multiplied by in place of the scale.
struct Level {
    /// Which side a row is on.
    sides: Vec<usize>,
    scales: [Vec<f32>; 2],
}

impl<'a> Grain<'a> {
    pub(super) fn new(coefficients: &'a Coefficients<'a>, band: Band) -> Self {
        Self {
            scale: scale(&coefficients.variance, band),
            noise: None,
            coarse: false,
            faintest: faintest(&coefficients.variance),
            level: None,
            kept: OnceLock::new(),
            coefficients,
        }
    }

    /// The visible band under noise that hides small perturbations, however coarse they are: what is still told there was
    /// told by something large.
    pub(super) fn steady(coefficients: &'a Coefficients<'a>, seed: Seed) -> Self {
        let hiding = HIDING * (coefficients.dim() as f64).sqrt();
        Self::new(coefficients, Band::Visible).under(hiding, seed)
    }

    /// The faint band under noise that drowns fine perturbations: what is still told there was told by something bold.
    pub(super) fn bold(coefficients: &'a Coefficients<'a>, seed: Seed) -> Self {
        Self::new(coefficients, Band::Faint).under(DROWNING, seed)
    }

    /// The same band under noise of deviation `hiding` in each coefficient.
    fn under(mut self, hiding: f64, seed: Seed) -> Self {
        let mut noise = vec![0.0; self.scale.len()];
        let all = self.scale.iter_mut().zip(&mut noise);
        for ((scale, noise), variance) in all.zip(&self.coefficients.variance) {
            if *scale > 0.0 {
                let deviation = (variance + hiding.powi(2)).sqrt();
                *scale = deviation.recip() as f32;
                *noise = (hiding / deviation) as f32;
            }
        }
        self.noise = Some((noise, seed));
        self
    }

    /// The part of the faint band that is too large for a perturbation, in pixels: edges and textures of some contrast. What is
    /// told there was told by something that people see.
    pub(super) fn contrast(coefficients: &'a Coefficients<'a>) -> Self {
        let mut grain = Self::new(coefficients, Band::Faint);
        let whole = |scale: &mut f32| *scale = if *scale > 0.0 { 1.0 } else { 0.0 };
        grain.scale.iter_mut().for_each(whole);
        grain.coarse = true;
        grain
    }

    /// The same with `rows` and `others` on one level: no coefficient is stronger on one side than on the other, on the mean. Honest
    /// detail that one side has lost, as by a blur, is gone then, and the noise of its camera is no louder than what the other shows
    /// there. A perturbation is still there, as loud as the grain of clean rows.
    pub(super) fn level(&self, rows: &[usize], others: &[usize]) -> Self {
        let strength = |side| self.coefficients.mean_squares(side, |_| ());
        let (own, theirs) = (strength(rows), strength(others));
        let scale = |side: &[f64], other: &[f64]| -> Vec<f32> {
            let gains = side.iter().zip(other);
            let gains = gains.map(|(side, other)| ((other + DEAD) / (side + DEAD)).sqrt().min(1.0));
            let scale = self.scale.iter().zip(gains);
            scale.map(|(scale, gain)| scale * gain as f32).collect()
        };
        let mut level = Level {
            sides: vec![0; self.len()],
            scales: [scale(&theirs, &own), scale(&own, &theirs)],
        };
        rows.iter().for_each(|&row| level.sides[row] = 1);
        Self {
            coefficients: self.coefficients,
            scale: self.scale.clone(),
            noise: self.noise.clone(),
            coarse: self.coarse,
            faintest: self.faintest.clone(),
            level: Some(level),
            kept: OnceLock::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.coefficients.len()
    }

    /// Height and width of the pictures.
    pub(super) fn size(&self) -> (usize, usize) {
        self.coefficients.cosine().size()
    }

    /// Writes row `i`, `[height, width, 3]`, about unit variance over the drop unless it is its [`Grain::contrast`]; gives
    /// back the mean square of its least variant coefficients.
    pub(super) fn write(&self, i: usize, out: &mut [f32]) -> f32 {
        self.coefficients.write(i, out);
        let scale = match &self.level {
            Some(level) => &level.scales[level.sides[i]],
            None => &self.scale,
        };
        out.iter_mut().zip(scale).for_each(|(v, s)| *v *= s);
        if let Some((noise, seed)) = &self.noise {
            let rng = &mut seed.stream("hiding noise", i as u64);
            let noisy = out.iter_mut().zip(noise).filter(|(_, n)| **n > 0.0);
            noisy.for_each(|(v, n)| *v += n * Distribution::<f32>::sample(&StandardNormal, rng));
        }
        let energy: f32 = self.faintest.iter().map(|&at| out[at] * out[at]).sum();
        self.coefficients.cosine().back(out);
        if self.coarse {
            let left = |v: &mut f32| *v = v.signum() * (v.abs() - SMALL).max(0.0) / LARGE;
            out.iter_mut().for_each(left);
        }
        energy / self.faintest.len().max(1) as f32
    }

    /// What [`Grain::write`] gives of all rows, one after the other; `None` if they are too many to keep. To be asked outside of
    /// parallel loops, since the first answer is one.
    pub(super) fn kept(&self) -> Option<&[f32]> {
        let all = || {
            let dim = self.coefficients.dim();
            let mut all = vec![0f32; self.len() * dim];
            let rows = all.par_chunks_exact_mut(dim).enumerate();
            rows.for_each(|(i, out)| {
                self.write(i, out);
            });
            all
        };
        let few = self.len() * self.coefficients.dim() <= KEPT;
        few.then(|| &self.kept.get_or_init(all)[..])
    }

    /// What `measure` says of each row, from its picture and the mean square of its least variant coefficients.
    pub(super) fn map<T: Send>(&self, measure: impl Fn(&[f32], f32) -> T + Sync) -> Vec<T> {
        let picture = || vec![0f32; self.coefficients.dim()];
        let rows = (0..self.len()).into_par_iter();
        rows.map_init(picture, |picture, i| {
            let energy = self.write(i, picture);
            measure(picture, energy)
        })
        .collect()
    }
}

/// Coefficients, the least variant first.
fn order(variance: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..variance.len()).collect();
    order.sort_by(|&a, &b| variance[a].total_cmp(&variance[b]).then(a.cmp(&b)));
    order
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

/// The least variant coefficients that live.
fn faintest(variance: &[f64]) -> Vec<usize> {
    let lives = |&at: &usize| variance[at] > DEAD;
    let count = variance.len() / FAINTEST;
    order(variance)
        .into_iter()
        .filter(lives)
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::cosine::Cosine;
    use super::*;

    /// Share of the pictures whose sign is told by each grain, of those under a `small` pattern of this sign and of those under
    /// a `large` one, beside a `shade` that gets darker downwards.
    fn told<const N: usize>(
        [small, large]: [f32; 2],
        shade: f32,
        grains: impl for<'a> Fn(&'a Coefficients<'a>) -> [Grain<'a>; N],
    ) -> [[f64; 2]; N] {
        let (size, n) = ((8, 8), 400);
        let coarse = |k: usize| if k / 3 % size.1 < 4 { 1.0 } else { -1.0 };
        let read = |i: usize, out: &mut [f32]| {
            let rng = &mut Seed(i as u64).stream("shade", 0);
            let drawn: f32 = StandardNormal.sample(rng);
            let pattern = [small, large][i / 2 % 2] * if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            let value =
                |k: usize| 0.5 + shade * drawn * (k / 3 / size.1) as f32 + pattern * coarse(k);
            out.iter_mut()
                .enumerate()
                .for_each(|(k, out)| *out = value(k));
        };
        let coefficients = Coefficients::of(n, size, &read);
        grains(&coefficients).map(|grain| {
            let match_of = |picture: &[f32], _| -> f32 {
                // The pattern has no colour.
                let brightness = picture.iter().enumerate().step_by(3);
                brightness.map(|(k, v)| v * coarse(k)).sum()
            };
            let matches = grain.map(match_of);
            [0, 1].map(|large| {
                let rows = (0..n).filter(|i| i / 2 % 2 == large);
                let right = rows
                    .filter(|&i| (matches[i] > 0.0) == i.is_multiple_of(2))
                    .count();
                right as f64 / (n / 2) as f64
            })
        })
    }

    #[test]
    fn under_the_noise_a_small_pattern_is_lost_and_a_large_one_is_not() {
        let all_and_some = |told: [[f64; 2]; 2]| {
            assert!(told[0][0] > 0.99 && told[0][1] > 0.99, "{told:?}");
            assert!(told[1][0] < 0.9 && told[1][1] > 0.99, "{told:?}");
        };
        all_and_some(told([0.01, 0.1], 0.02, |all| {
            [Grain::new(all, Band::Visible), Grain::steady(all, Seed(0))]
        }));
        all_and_some(told([0.004, 0.1], 0.5, |all| {
            [Grain::new(all, Band::Faint), Grain::bold(all, Seed(0))]
        }));
    }

    #[test]
    fn what_a_perturbation_may_add_leaves_no_contrast() {
        let (size, n) = ((8, 8), 300);
        let read = |i: usize, out: &mut [f32]| {
            let rng = &mut Seed(i as u64).stream("shade", 0);
            let shade: f32 = StandardNormal.sample(rng);
            let stripe = [8.0, 0.0, 80.0][i / 2 % 3] / 255.0;
            let stripe = if i.is_multiple_of(2) { stripe } else { -stripe };
            for (k, v) in out.iter_mut().enumerate() {
                let (y, x) = ((k / 3 / size.1) as f32, k / 3 % size.1);
                let smooth = shade * (std::f32::consts::PI * (y + 0.5) / size.0 as f32).cos();
                *v = smooth + if x % 2 == 0 { stripe } else { -stripe };
            }
        };
        let coefficients = Coefficients::of(n, size, &read);
        let grain = Grain::contrast(&coefficients);
        let left = grain.map(|picture, _| picture.iter().map(|v| v.abs()).sum::<f32>());
        for (i, left) in left.iter().enumerate() {
            assert_eq!(*left > 1.0, i / 2 % 3 == 2, "{i}: {left}");
        }
    }

    #[test]
    fn on_one_level_no_side_is_the_stronger_one_anywhere() {
        let (size, n) = ((8, 8), 600);
        let is_sharp = |i: usize| i.is_multiple_of(3);
        // Sharp rows have twice as much of one half of the coefficients, the others of the other one.
        let read = |i: usize, out: &mut [f32]| {
            let rng = &mut Seed(i as u64).stream("row", 0);
            let deviations = if is_sharp(i) { [0.4, 0.2] } else { [0.2, 0.4] };
            let halves = out.chunks_exact_mut(8 * 8 * 3 / 2);
            for (half, deviation) in halves.zip(deviations) {
                let draw = || deviation * Distribution::<f32>::sample(&StandardNormal, rng);
                half.fill_with(draw);
            }
            // All that is seen.
            out[0] *= 100.0;
            Cosine::new(size).back(out);
        };
        let coefficients = Coefficients::of(n, size, &read);
        let (rows, others): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| is_sharp(*i));
        let plain = Grain::new(&coefficients, Band::Faint);
        let grain = plain.level(&rows, &others);
        let deviations = |grain: &Grain<'_>, rows: &[usize]| {
            let mut squares = [0.0; 2];
            for &i in rows {
                let mut row = vec![0.0; coefficients.dim()];
                grain.write(i, &mut row);
                Cosine::new(size).transform(&mut row);
                let halves = row.chunks_exact(row.len() / 2);
                let halves = halves.map(|half| half.iter().map(|v| v * v).sum::<f32>());
                squares
                    .iter_mut()
                    .zip(halves)
                    .for_each(|(all, half)| *all += half);
            }
            squares.map(|square| (square / rows.len() as f32).sqrt())
        };
        let [of_rows, of_others] = [&rows, &others].map(|side| deviations(&grain, side));
        let least = [deviations(&plain, &others)[0], deviations(&plain, &rows)[1]];
        for side in [of_rows, of_others] {
            let is_least = |(side, least): (&f32, &f32)| (side / least - 1.0).abs() < 0.05;
            assert!(side.iter().zip(&least).all(is_least), "{side:?} {least:?}");
        }
    }

    #[test]
    fn kept_rows_are_the_written_ones_and_large_drops_keep_none() {
        let size = (8, 8);
        let read = |i: usize, out: &mut [f32]| {
            let rng = &mut Seed(i as u64).stream("row", 0);
            out.fill_with(|| Distribution::<f32>::sample(&StandardNormal, rng));
        };
        let coefficients = Coefficients::of(5, size, &read);
        let grain = Grain::steady(&coefficients, Seed(0));
        let mut row = vec![0.0; coefficients.dim()];
        for (i, kept) in grain.kept().unwrap().chunks(row.len()).enumerate() {
            grain.write(i, &mut row);
            assert_eq!(row, kept);
        }
        let nothing = |_: usize, out: &mut [f32]| out.fill(0.0);
        let large = Coefficients::of(KEPT / row.len() + 1, size, &nothing);
        assert!(Grain::new(&large, Band::Faint).kept().is_none());
    }

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
