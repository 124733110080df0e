//! The grain of a picture: what is left of it when natural structure is taken away.
//!
//! Pictures are whitened as stationary ones: each coefficient of the cosine basis in units of its own deviation over the
//! drop, those that hold most of the variance left out, and the rest seen as a picture again. Natural structure is sparse
//! there, an edge here and there; a perturbation covers everything. Medians and clipped values therefore see the
//! perturbation under the structure.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::coefficients::Coefficients;
use super::lens::{self, Band, Lens};
use crate::Seed;

/// Noise under which little is left of a perturbation that people do not see: its deviation in each coefficient is the length
/// of a picture that is this value everywhere, in [0, 1] units (4 levels of 255).
const HIDING: f64 = 4.0 / 255.0;
/// Noise in each pixel under which a network learns next to nothing from a perturbation that people do not see, in [0, 1] units
/// (48 levels of 255). The basis is orthonormal, so it is as much in each coefficient.
const DROWNING: f64 = 48.0 / 255.0;
/// Rows of which all numbers together are no more than this are kept once they are made: 128 MiB.
const KEPT: usize = 1 << 25;
/// One part in this many of the coefficients, the least variant, is the last trace of natural pictures.
const FAINTEST: usize = 5;

/// The whitened rows, in opponent colours, as far as a lens shows them.
pub(super) struct Grain<'a> {
    coefficients: &'a Coefficients<'a>,
    lens: Lens,
    faintest: Vec<usize>,
    kept: OnceLock<Vec<f32>>,
}

impl<'a> Grain<'a> {
    pub(super) fn new(coefficients: &'a Coefficients<'a>, band: Band) -> Self {
        Self::through(Lens::of(&coefficients.variance, band), coefficients)
    }

    fn through(lens: Lens, coefficients: &'a Coefficients<'a>) -> Self {
        Self {
            lens,
            faintest: faintest(&coefficients.variance),
            kept: OnceLock::new(),
            coefficients,
        }
    }

    /// `band` under noise of deviation `hiding` in each coefficient.
    fn under(coefficients: &'a Coefficients<'a>, band: Band, hiding: f64, seed: Seed) -> Self {
        let variance = &coefficients.variance;
        Self::through(
            Lens::of(variance, band).under(variance, hiding, seed),
            coefficients,
        )
    }

    /// The visible band under noise that hides small perturbations, however coarse they are: what is still told there was
    /// told by something large.
    pub(super) fn steady(coefficients: &'a Coefficients<'a>, seed: Seed) -> Self {
        let hiding = HIDING * (coefficients.dim() as f64).sqrt();
        Self::under(coefficients, Band::Visible, hiding, seed)
    }

    /// The faint band under noise that drowns fine perturbations: what is still told there was told by something bold.
    pub(super) fn bold(coefficients: &'a Coefficients<'a>, seed: Seed) -> Self {
        Self::under(coefficients, Band::Faint, DROWNING, seed)
    }

    /// The part of the faint band that is too large for a perturbation, in pixels: edges and textures of some contrast. What is
    /// told there was told by something that people see.
    pub(super) fn contrast(coefficients: &'a Coefficients<'a>) -> Self {
        let lens = Lens::of(&coefficients.variance, Band::Faint).coarse();
        Self::through(lens, coefficients)
    }

    /// The same with `rows` and `others` on one level: no coefficient is stronger on one side than on the other, on the mean. Honest
    /// detail that one side has lost, as by a blur, is gone then, and the noise of its camera is no louder than what the other shows
    /// there. A perturbation is still there, as loud as the grain of clean rows.
    pub(super) fn level(&self, rows: &[usize], others: &[usize]) -> Self {
        let lens = self.lens.clone().level(self.coefficients, rows, others);
        Self::through(lens, self.coefficients)
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
        self.lens.weigh(i, out);
        let energy: f32 = self.faintest.iter().map(|&at| out[at] * out[at]).sum();
        self.coefficients.cosine().back(out);
        self.lens.develop(out);
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

/// The least variant coefficients that live.
fn faintest(variance: &[f64]) -> Vec<usize> {
    let lives = |&at: &usize| lens::lives(variance[at]);
    let count = variance.len() / FAINTEST;
    let order = lens::order(variance).into_iter();
    order.filter(lives).take(count).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::cosine::Cosine;
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

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
}
