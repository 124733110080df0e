//! View `net`: does a small convolutional network learn the class from the grain?
//!
//! - Looks at: the clipped grain ([`Grain`]); logit of the own label less the highest other one, from a network that was
//!   trained on the other half of the rows.
//! - Catches: whatever a network learns from noise, whether it has a place, a texture or neither: what makes data
//!   unlearnable in the first place (EM, REM, TAP, SEP, NTGA, AR, LSP, OPS), above all where most of a class carries.
//! - Misses: small shares, which a short training does not find among honest rows. Honest classes have grain too, which is
//!   why what people see must not tell the class as well ([`super::whole`]).
//! - Source: networks learn such noise before anything else (Huang et al., ICLR 2021); the comparison of the two bands was
//!   measured here.

use candle_core::{Device, Tensor};
use rand::RngExt;
use rayon::prelude::*;

use super::View;
use super::colours::Colours;
use super::grain::Grain;
use super::inquiry::Inquiry;
use super::matched::Matched;
use crate::nn::epochs::Epochs;
use crate::nn::layers::Linear;
use crate::nn::likelihood::{Epoch, margin};
use crate::nn::ops::global_average_pool;
use crate::nn::optim::Adam;
use crate::nn::params::Params;
use crate::nn::schedule::{Anneal, OneCycle};
use crate::nn::unit::{Unit, conv};
use crate::nn::{Mode, Precision};
use crate::{Result, Seed};

/// Fewer rows than this teach a network nothing.
pub(super) const LEAST: usize = 100;
/// Rows of one step.
const BATCH: usize = 64;
/// Steps of a training, rounded to whole passes over the rows: noise that is there to be learnt is learnt by then...
const STEPS: usize = 470;
/// ...and at most so many passes.
const MOST_EPOCHS: usize = 60;
/// Largest absolute value of the grain that the network sees.
const CLIP: f32 = 3.0;
/// Fewer rows than this teach a network too little...
const FEW: usize = 2000;
/// ...unless it sees each picture rolled by up to twice so many pixels a side: noise mostly has the same statistics
/// everywhere, and what has a place does not move far. More rows teach places better as they are.
const SHIFT: usize = 2;
/// Channels of the three convolutions.
const WIDTHS: [usize; 3] = [32, 64, 64];
const RATE: f64 = 5e-3;
const DECAY: f64 = 1e-2;
const CLIP_NORM: f64 = 5.0;
const SMOOTHING: f64 = 0.1;
const SCHEDULE: OneCycle = OneCycle {
    rise: 0.3,
    start: 0.04,
    end: 1e-4,
    anneal: Anneal::Cosine,
};

/// Trains networks on each half of the rows, and asks them about the other one.
#[derive(Clone, Copy)]
pub(super) struct Learner<'a> {
    /// What the networks see of the rows.
    pub(super) grain: &'a Grain<'a>,
    pub(super) inquiry: Inquiry<'a>,
}

impl Learner<'_> {
    /// Evidence that a network finds each row's class in its grain.
    pub(super) fn view(&self) -> Result<View> {
        self.taught(|_| true)
    }

    /// As [`Learner::view`], from networks that learnt the classes of the rows that `teaches` names alone.
    pub(super) fn taught(&self, teaches: impl Fn(usize) -> bool) -> Result<View> {
        let [view] = self.shown_in([Colours::Own], teaches)?;
        Ok(view)
    }

    /// As [`Learner::taught`], asked about the rows in each of the `colours`.
    pub(super) fn shown_in<const N: usize>(
        &self,
        colours: [Colours; N],
        teaches: impl Fn(usize) -> bool,
    ) -> Result<[View; N]> {
        let Inquiry { labels, folds, .. } = self.inquiry;
        let mut matched = colours.map(|_| Matched::new(labels.len(), folds));
        let target = |(row, &label): (usize, &u32)| teaches(row).then_some(label);
        let targets: Vec<Option<u32>> = labels.iter().enumerate().map(target).collect();
        self.by_halves(&targets, labels.classes, |net, rows| {
            for (colours, matched) in colours.into_iter().zip(&mut matched) {
                self.ask(net, rows, colours, |row, logits| {
                    matched.note(row, labels[row], |label| margin(logits, label));
                })?;
            }
            Ok(())
        })?;
        Ok(matched.map(|matched| matched.into_view("net")))
    }

    /// Tells `visit` the logits of each row, from a network that learnt which of the `kinds` rows are of on the other half, as far
    /// as `targets` says of which they are.
    pub(super) fn cross_fitted(
        &self,
        targets: &[Option<u32>],
        kinds: usize,
        mut visit: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.by_halves(targets, kinds, |net, rows| {
            self.ask(net, rows, Colours::Own, &mut visit)
        })
    }

    /// Gives `use_net` each half of the rows, and the network that learnt from the other one.
    fn by_halves(
        &self,
        targets: &[Option<u32>],
        kinds: usize,
        mut use_net: impl FnMut(&Net, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let order = self.inquiry.folds.order();
        let half = |parity: usize| -> Vec<usize> {
            order.iter().copied().skip(parity).step_by(2).collect()
        };
        for parity in [0, 1] {
            let taught = half(1 - parity).into_iter();
            let taught: Vec<(usize, u32)> = taught
                .filter_map(|row| Some((row, targets[row]?)))
                .collect();
            use_net(&self.train(&taught, kinds)?, &half(parity))?;
        }
        Ok(())
    }

    /// A network that learnt of which of so many `kinds` these `rows` are.
    fn train(&self, rows: &[(usize, u32)], kinds: usize) -> Result<Net> {
        let Self { grain, inquiry } = *self;
        let seed = inquiry.seed;
        let net = Net::new(kinds, seed.derive("net.init", 0))?;
        let reach = if rows.len() < FEW { 2 * SHIFT } else { 0 };
        let epochs = Epochs {
            name: "shortcut network",
            rows: rows.len(),
            batch: BATCH.min(rows.len() / 4).max(2),
            epochs: (STEPS * BATCH / rows.len().max(1)).clamp(2, MOST_EPOCHS),
            precision: Precision::F32,
            shuffle: (seed, "net.shuffle"),
        };
        epochs.run(
            &mut Adam::new(&net.params, CLIP_NORM).weight_decay(DECAY),
            |clock| SCHEDULE.rate(RATE, clock.step, clock.steps),
            |clock, chosen, mode| {
                let (rows, labels): (Vec<usize>, Vec<u32>) =
                    chosen.iter().map(|&at| rows[at]).unzip();
                let rng = &mut seed.stream("net.shift", clock.step as u64);
                let mut draw = || rng.random_range(0..=reach);
                let shifts: Vec<[usize; 2]> = rows.iter().map(|_| [draw(), draw()]).collect();
                let roll =
                    |at: usize, picture: &mut [f32]| rolled(picture, grain.size().1, shifts[at]);
                let logits = net.forward(&batch(grain, &rows, roll)?, mode)?;
                Epoch::loss(mode, &logits, &labels, SMOOTHING)
            },
            inquiry.observer,
        )?;
        Ok(net)
    }

    /// Tells `visit` the logits that `net` gives each of the `rows`, shown in these `colours`.
    fn ask(
        &self,
        net: &Net,
        rows: &[usize],
        colours: Colours,
        mut visit: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        for rows in rows.chunks(BATCH) {
            self.inquiry.observer.check()?;
            let shown = batch(self.grain, rows, |_, picture| colours.show(picture))?;
            let logits = net.forward(&shown, Mode::Eval)?.to_vec2::<f32>()?;
            let logits = rows.iter().zip(&logits);
            logits.for_each(|(&row, logits)| visit(row, logits));
        }
        Ok(())
    }
}

/// `[rows, height, width, 3]`, the picture in each place as `change` leaves it.
fn batch(
    grain: &Grain<'_>,
    rows: &[usize],
    change: impl Fn(usize, &mut [f32]) + Sync,
) -> Result<Tensor> {
    let (height, width) = grain.size();
    let dim = height * width * 3;
    // The same few rows are asked for again and again.
    let kept = grain.kept();
    let mut values = vec![0f32; rows.len() * dim];
    values
        .par_chunks_exact_mut(dim)
        .zip(rows)
        .enumerate()
        .for_each(|(at, (out, &row))| {
            match kept {
                Some(all) => out.copy_from_slice(&all[row * dim..][..dim]),
                None => {
                    grain.write(row, out);
                }
            }
            out.iter_mut().for_each(|v| *v = v.clamp(-CLIP, CLIP));
            change(at, out);
        });
    Ok(Tensor::from_vec(
        values,
        (rows.len(), height, width, 3),
        &Device::Cpu,
    )?)
}

/// Rolls a picture of this `width` down and to the right.
fn rolled(picture: &mut [f32], width: usize, [down, right]: [usize; 2]) {
    let line = width * 3;
    picture.rotate_right(down * line % picture.len());
    for line in picture.chunks_exact_mut(line) {
        line.rotate_right(right * 3 % line.len());
    }
}

/// Three convolutions that halve the sides, a mean over places, and a linear layer.
struct Net {
    params: Params,
    layers: Vec<Unit>,
    fc: Linear,
}

impl Net {
    fn new(classes: usize, seed: Seed) -> Result<Self> {
        let mut params = Params::new(seed);
        let (mut layers, mut from) = (Vec::new(), 3);
        for (index, to) in WIDTHS.into_iter().enumerate() {
            let names = ["conv", "bn"].map(|part| format!("{part}{}", index + 1));
            layers.push(Unit::new(&mut params, names, (from, to), conv(3, 2), true)?);
            from = to;
        }
        let fc = Linear::new(&mut params, "fc", (from, classes))?;
        Ok(Self { params, layers, fc })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = x.clone();
        for unit in &self.layers {
            h = unit.forward(&h, mode)?;
        }
        self.fc.forward(&global_average_pool(mode, &h)?, mode)
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
    use crate::Labels;

    const ROWS: usize = 600;

    fn label(row: usize) -> u32 {
        row as u32 / 2 % 2
    }

    /// What networks taught by some of the rows say of the grain of smooth pictures, under `stripes`: up and down, or across.
    fn seen(stripes: impl Fn(usize) -> Option<bool>, teaches: impl Fn(usize) -> bool) -> Vec<f64> {
        let labels: Vec<u32> = (0..ROWS).map(label).collect();
        let pixels = smooth_pictures(ROWS, stripes);
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(ROWS, SIZE, &read);
        let grain = Grain::new(&coefficients, Band::Faint);
        let labels = Labels::new(&labels, 2);
        let folds = Folds::draw(labels, Seed(0));
        let inquiry = Inquiry::unwatched(labels, &folds);
        inquiry.learner(&grain).taught(teaches).unwrap().scores
    }

    fn share_found<'a>(scores: impl Iterator<Item = &'a f64>) -> f64 {
        let found: Vec<bool> = scores.map(|score| *score > 0.0).collect();
        found.iter().filter(|found| **found).count() as f64 / found.len() as f64
    }

    #[test]
    fn a_network_finds_what_is_linked_to_the_class_and_nothing_else() {
        let with = share_found(seen(|row| Some(label(row) == 0), |_| true).iter());
        let without = share_found(seen(|_| None, |_| true).iter());
        assert!(with > 0.75, "{with}");
        assert!((0.35..0.65).contains(&without), "{without}");
    }

    #[test]
    fn what_some_rows_teach_is_asked_of_all() {
        // Two rows in three have the stripes of their class and teach, the others those of the other class.
        let teaches = |row: usize| !row.is_multiple_of(3);
        let scores = seen(|row| Some((label(row) == 0) == teaches(row)), teaches);
        let of = |taught: bool| {
            let rows = scores.iter().enumerate();
            let rows = rows.filter(move |(row, _)| teaches(*row) == taught);
            share_found(rows.map(|(_, score)| score))
        };
        assert!(of(true) > 0.75, "{}", of(true));
        assert!(of(false) < 0.25, "{}", of(false));
    }
}
