//! NTGA: neural tangent generalization attack (Yuan and Wu, ICML 2021), with the kernel of a dense network.
//!
//! Gradient flow on an infinitely wide network has a closed form. Its prediction on held-out pictures is differentiated by
//! the training pictures, which are moved up the held-out loss: whoever trains on them generalises worse.
//!
//! The released code takes one full step from the clean pictures whatever the number of steps it is told; here the steps
//! are real ones, of 1.1 budgets in all. Rows are attacked in blocks; each block is held against rows of other blocks, so
//! that no row is left out.

mod kernel;

use std::sync::atomic::{AtomicU64, Ordering};

use faer::{Mat, Side};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Attack, Budget, Perturbation, Target, WorkFile};
use crate::observe::Observer;
use crate::{Error, Result, Seed};
use kernel::tangent;

/// Training rows that one kernel holds.
const BLOCK: usize = 256;
/// Held-out rows at most.
const HELD_OUT: usize = 512;
/// Ridge, as a share of the mean diagonal of the kernel.
const RIDGE: f64 = 1e-4;
/// Training time, in steps of gradient flow at learning rate 1.
const TIME: f64 = 64.0;
/// Steps of the attack.
const STEPS: usize = 10;
/// All steps together, in budgets.
const REACH: f64 = 1.1;

/// The attack, with its budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ntga {
    /// Largest change of a value, in [0, 1] pixel units: 8/255 in the tables.
    pub radius: f64,
}

impl Attack for Ntga {
    fn name(&self) -> &'static str {
        "ntga"
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "kernel": kernel::describe(),
            "block": BLOCK,
            "held_out": HELD_OUT,
            "ridge": RIDGE,
            "time": TIME,
            "steps": STEPS,
            "step": REACH * self.radius / STEPS as f64,
        })
    }

    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        seed: Seed,
        _: &mut WorkFile,
        observer: &dyn Observer,
    ) -> Result<Perturbation> {
        // Blocks are spread over the threads; a product split among them would round by their number.
        faer::set_global_parallelism(faer::Par::Seq);
        let rows = target.labels.len();
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut seed.stream("ntga.blocks", 0));
        let blocks: Vec<&[usize]> = order.chunks(BLOCK).collect();
        observer.stage(self.name(), blocks.len() as u64);
        let done = AtomicU64::new(0);
        let deltas: Vec<Vec<f32>> = blocks
            .par_iter()
            .enumerate()
            .map(|(number, block)| {
                let others = order.iter().filter(|row| !block.contains(row));
                let mut others: Vec<usize> = others.copied().collect();
                others.shuffle(&mut seed.stream("ntga.held-out", number as u64));
                others.truncate(HELD_OUT);
                if others.is_empty() {
                    // A single block has nothing but itself to be held against.
                    others = block.to_vec();
                }
                observer.check()?;
                let deltas =
                    self.attack(&Inputs::new(target, block), &Inputs::new(target, &others));
                observer.progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                deltas
            })
            .collect::<Result<_>>()?;
        let size = target.image_len();
        let mut values = vec![0.0; rows * size];
        for (block, deltas) in blocks.iter().zip(deltas) {
            for (&row, delta) in block.iter().zip(deltas.chunks_exact(size)) {
                values[row * size..(row + 1) * size].copy_from_slice(delta);
            }
        }
        Ok(Perturbation {
            height: target.height,
            width: target.width,
            values,
            converged: true,
        })
    }
}

impl Ntga {
    /// What is added to `block`, row by row.
    fn attack(&self, block: &Inputs, held_out: &Inputs) -> Result<Vec<f32>> {
        let step = REACH * self.radius / STEPS as f64;
        let mut moved = block.clone();
        for _ in 0..STEPS {
            let (_, gradient) = held_out_loss(&moved, held_out)?;
            for i in 0..moved.pixels.nrows() {
                for j in 0..moved.pixels.ncols() {
                    let clean = block.pixels[(i, j)];
                    let (low, high) = (clean - self.radius, clean + self.radius);
                    // Not `signum`, which would send a pixel without a gradient upwards.
                    let sign = match gradient[(i, j)] {
                        g if g > 0.0 => 1.0,
                        g if g < 0.0 => -1.0,
                        _ => 0.0,
                    };
                    let next = moved.pixels[(i, j)] + step * sign;
                    moved.pixels[(i, j)] = next.clamp(low.max(0.0), high.min(1.0));
                }
            }
        }
        let delta = &moved.pixels - &block.pixels;
        Ok((0..delta.nrows())
            .flat_map(|i| (0..delta.ncols()).map(move |j| (i, j)))
            .map(|at| delta[at] as f32)
            .collect())
    }
}

/// Pictures as rows of numbers in [0, 1], and their labels as rows of zeros and a one.
#[derive(Clone)]
struct Inputs {
    pixels: Mat<f64>,
    targets: Mat<f64>,
}

impl Inputs {
    fn new(target: &Target<'_>, rows: &[usize]) -> Self {
        Self {
            pixels: Mat::from_fn(rows.len(), target.image_len(), |i, j| {
                f64::from(target.image(rows[i])[j]) / 255.0
            }),
            targets: Mat::from_fn(rows.len(), target.classes, |i, class| {
                f64::from(target.labels[rows[i]] as usize == class)
            }),
        }
    }

    /// Mean square of each row.
    fn squares(&self) -> Vec<f64> {
        let n = self.pixels.ncols() as f64;
        let square = |i| self.pixels.row(i).iter().map(|v| v * v).sum::<f64>() / n;
        (0..self.pixels.nrows()).map(square).collect()
    }
}

/// Cross-entropy of the wide network on `held_out` after it was trained on `train`, summed over rows, and its gradient
/// in the pixels of `train`.
fn held_out_loss(train: &Inputs, held_out: &Inputs) -> Result<(f64, Mat<f64>)> {
    let (n, classes) = (train.pixels.nrows(), train.targets.ncols());
    let features = train.pixels.ncols() as f64;
    let (squares, far) = (train.squares(), held_out.squares());
    let product = &train.pixels * train.pixels.transpose();
    let near = Mat::from_fn(n, n, |i, j| {
        tangent(product[(i, j)] / features, squares[i], squares[j])
    });
    let product = &held_out.pixels * train.pixels.transpose();
    let cross = Mat::from_fn(held_out.pixels.nrows(), n, |i, j| {
        tangent(product[(i, j)] / features, far[i], squares[j])
    });

    // f = A M Y with M = U g(lambda) U^T, g(l) = (1 - exp(-t l / (n C))) / l.
    let trace: f64 = (0..n).map(|i| near[(i, i)].value).sum();
    let ridge = RIDGE * trace / n as f64;
    let kernel = Mat::from_fn(n, n, |i, j| {
        near[(i, j)].value + if i == j { ridge } else { 0.0 }
    });
    let eigen = kernel
        .self_adjoint_eigen(Side::Lower)
        .map_err(|problem| Error::Numeric {
            stage: "ntga",
            problem: format!("eigenvalues of the kernel: {problem:?}"),
        })?;
    let vectors = eigen.U();
    let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    let rate = TIME / (n * classes) as f64;
    let filter: Vec<f64> = values.iter().map(|&l| -(-rate * l).exp_m1() / l).collect();
    let rotated = vectors.transpose() * &train.targets;
    let filtered = Mat::from_fn(n, classes, |i, j| filter[i] * rotated[(i, j)]);
    let weights = vectors * filtered;
    let a = Mat::from_fn(cross.nrows(), n, |i, j| cross[(i, j)].value);
    let (loss, error) = cross_entropy(&(&a * &weights), &held_out.targets);

    // Back to both kernels: through A directly, through M by the differences of g (Daleckii and Krein).
    let to_cross = &error * weights.transpose();
    let to_filter = vectors.transpose() * (a.transpose() * &error) * rotated.transpose();
    let middle = Mat::from_fn(n, n, |i, j| {
        let (p, q) = (values[i], values[j]);
        let difference = if (p - q).abs() > 1e-9 * p.abs().max(q.abs()) {
            (filter[i] - filter[j]) / (p - q)
        } else {
            ((-rate * p).exp() * rate - filter[i]) / p
        };
        difference * (to_filter[(i, j)] + to_filter[(j, i)]) / 2.0
    });
    let mut to_near = vectors * middle * vectors.transpose();
    let shared = RIDGE / n as f64 * (0..n).map(|i| to_near[(i, i)]).sum::<f64>();
    (0..n).for_each(|i| to_near[(i, i)] += shared);

    // Back to the pixels: products pull towards the other row, squares towards the row itself.
    let mut to_square = vec![0.0; n];
    let to_product = Mat::from_fn(n, n, |i, j| to_near[(i, j)] * near[(i, j)].slope[0]);
    for i in 0..n {
        for j in 0..n {
            to_square[i] += to_near[(i, j)] * near[(i, j)].slope[1];
            to_square[j] += to_near[(i, j)] * near[(i, j)].slope[2];
        }
    }
    let to_far = Mat::from_fn(cross.nrows(), n, |i, j| {
        to_cross[(i, j)] * cross[(i, j)].slope[0]
    });
    for (j, to_square) in to_square.iter_mut().enumerate() {
        *to_square += (0..cross.nrows())
            .map(|i| to_cross[(i, j)] * cross[(i, j)].slope[2])
            .sum::<f64>();
    }
    let both = &to_product + to_product.transpose();
    let pulled = both * &train.pixels + to_far.transpose() * &held_out.pixels;
    let gradient = Mat::from_fn(n, train.pixels.ncols(), |i, j| {
        (pulled[(i, j)] + 2.0 * to_square[i] * train.pixels[(i, j)]) / features
    });
    Ok((loss, gradient))
}

/// Summed over rows, and its gradient in the logits.
fn cross_entropy(logits: &Mat<f64>, targets: &Mat<f64>) -> (f64, Mat<f64>) {
    let mut loss = 0.0;
    let mut gradient = Mat::zeros(logits.nrows(), logits.ncols());
    for i in 0..logits.nrows() {
        let row: Vec<f64> = logits.row(i).iter().copied().collect();
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|v| (v - most).exp()).sum();
        for (j, v) in row.iter().enumerate() {
            let log = v - most - sum.ln();
            loss -= targets[(i, j)] * log;
            gradient[(i, j)] = log.exp() - targets[(i, j)];
        }
    }
    (loss, gradient)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::Silent;
    use rand::RngExt;

    fn pixels(rows: usize, stream: u64) -> (Vec<u8>, Vec<u32>) {
        let rng = &mut Seed(1).stream("pixels", stream);
        let bytes = (0..rows * 12).map(|_| rng.random()).collect();
        (bytes, (0..rows).map(|k| (k % 3) as u32).collect())
    }

    fn inputs(rows: usize, stream: u64) -> Inputs {
        let (pixels, labels) = pixels(rows, stream);
        let target = Target {
            height: 2,
            width: 2,
            labels: &labels,
            classes: 3,
            pixels: &pixels,
        };
        Inputs::new(&target, &(0..rows).collect::<Vec<_>>())
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (mut train, held_out) = (inputs(9, 0), inputs(7, 1));
        let (_, gradient) = held_out_loss(&train, &held_out).unwrap();
        for at in [(0, 0), (3, 5), (8, 11)] {
            let mut loss = |step: f64| {
                train.pixels[at] += step;
                let loss = held_out_loss(&train, &held_out).unwrap().0;
                train.pixels[at] -= step;
                loss
            };
            let numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5;
            let exact = gradient[at];
            assert!(
                (exact - numeric).abs() < 1e-6 * numeric.abs().max(1e-3),
                "{exact} {numeric}"
            );
        }
    }

    #[test]
    fn the_held_out_loss_rises_within_the_budget() {
        let (block, held_out) = (inputs(12, 2), inputs(10, 3));
        let attack = Ntga {
            radius: 8.0 / 255.0,
        };
        let delta = attack.attack(&block, &held_out).unwrap();
        attack.budget().check(&delta).unwrap();
        let mut moved = block.clone();
        for (k, &v) in delta.iter().enumerate() {
            moved.pixels[(k / 12, k % 12)] += f64::from(v);
        }
        let loss = |inputs: &Inputs| held_out_loss(inputs, &held_out).unwrap().0;
        assert!(loss(&moved) > loss(&block));
    }

    #[test]
    fn every_row_of_every_block_gets_its_own() {
        let rows = BLOCK + 10;
        let (pixels, labels) = pixels(rows, 4);
        let target = Target {
            height: 2,
            width: 2,
            labels: &labels,
            classes: 3,
            pixels: &pixels,
        };
        let attack = Ntga { radius: 0.02 };
        let noise = attack.perturb(&target, Seed(0), &Silent).unwrap();
        assert!((0..rows).all(|k| noise.row(k).iter().any(|&v| v != 0.0)));
    }
}
