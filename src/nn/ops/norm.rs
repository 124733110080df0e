//! Instance and batch normalisation over NHWC activations, each fused with the ReLU that follows it.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::moments::{Moments, part};
use super::{Reader, contiguous, gradient, output};
use crate::kernel::filled;
use crate::kernel::vectorised;
use crate::nn::{Mode, Needs};

/// Added to every variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// Instance normalisation without affine part, then ReLU: `x` is `[b, h, w, c]`, each channel of each image has its own
/// statistics, the same in training and use.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn instance_norm_relu(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let group = height * width * channels;
    let moments: Vec<Moments> = {
        let values = Reader::new(x);
        let values = values.slice()?;
        values
            .par_chunks_exact(group.max(1))
            .map(|image| Moments::of(image, channels))
            .collect()
    };
    let norm = Norm {
        scales: moments.iter().map(Scale::from).collect(),
        group,
        channels,
        relu: true,
        fixed: false,
    };
    mode.apply1(x, Needs::All, norm)
}

/// Batch normalisation in training: normalises by the statistics of this batch and returns them. `x` is `[b, h, w, c]`,
/// `gamma` and `beta` are `[c]`; ReLU follows where `relu`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn batch_norm(
    mode: Mode<'_>,
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    relu: bool,
) -> Result<(Tensor, Moments)> {
    let (_, _, _, channels) = x.dims4()?;
    let moments = {
        let values = Reader::new(x);
        Moments::of_parts(values.slice()?, channels)
    };
    let y = batch(mode, x, gamma, beta, &moments, relu, false)?;
    Ok((y, moments))
}

/// Batch normalisation in use: as [`batch_norm`], by fixed statistics.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn batch_norm_frozen(
    mode: Mode<'_>,
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    moments: &Moments,
    relu: bool,
) -> Result<Tensor> {
    batch(mode, x, gamma, beta, moments, relu, true)
}

fn batch(
    mode: Mode<'_>,
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    moments: &Moments,
    relu: bool,
    fixed: bool,
) -> Result<Tensor> {
    let (_, _, _, channels) = x.dims4()?;
    if [gamma.elem_count(), beta.elem_count(), moments.mean.len()] != [channels; 3] {
        bail!("batch norm of {channels} channels by {:?}", gamma.shape());
    }
    let norm = Norm {
        scales: vec![Scale::from(moments)],
        group: x.elem_count(),
        channels,
        relu,
        fixed,
    };
    // Where nothing was cut off, the output says nothing.
    let needs = if relu { Needs::All } else { Needs::Inputs };
    mode.apply3([x, gamma, beta], needs, norm)
}

/// What one group is normalised by.
#[derive(Clone, Debug)]
struct Scale {
    mean: Vec<f32>,
    inverse_deviation: Vec<f32>,
}

impl From<&Moments> for Scale {
    fn from(moments: &Moments) -> Self {
        Self {
            mean: moments.mean.iter().map(|&mean| mean as f32).collect(),
            inverse_deviation: moments
                .variance
                .iter()
                .map(|variance| (variance + EPSILON).sqrt().recip() as f32)
                .collect(),
        }
    }
}

/// Normalises each run of `group` numbers by its own scale, or the whole tensor by a single one.
struct Norm {
    scales: Vec<Scale>,
    group: usize,
    channels: usize,
    relu: bool,
    /// Whether the statistics are constants, not functions of the input.
    fixed: bool,
}

impl Norm {
    /// How the tensor is cut for threads: images where each has its scale, else whole rows.
    fn part(&self) -> usize {
        if self.scales.len() == 1 {
            part(self.channels)
        } else {
            self.group.max(1)
        }
    }

    fn scale(&self, part: usize) -> &Scale {
        &self.scales[part.min(self.scales.len() - 1)]
    }

    fn forward(&self, x: &[f32], gamma: Option<&[f32]>, beta: Option<&[f32]>) -> Vec<f32> {
        let floor = self.floor();
        filled(x.len(), self.part(), |index, y| {
            let x = &x[index * self.part()..][..y.len()];
            let scale = self.scale(index);
            let (slope, offset): (Vec<f32>, Vec<f32>) = (0..self.channels)
                .map(|c| {
                    let slope = scale.inverse_deviation[c] * gamma.map_or(1.0, |gamma| gamma[c]);
                    (slope, beta.map_or(0.0, |beta| beta[c]))
                })
                .unzip();
            let (n, mean) = (self.channels, &scale.mean);
            let (slope, offset) = (&slope, &offset);
            vectorised(
                #[inline(always)]
                move || {
                    let (mean, slope, offset) = (&mean[..n], &slope[..n], &offset[..n]);
                    for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                        let (y, x) = (&mut y[..n], &x[..n]);
                        for c in 0..n {
                            y[c] = ((x[c] - mean[c]) * slope[c] + offset[c]).max(floor);
                        }
                    }
                },
            );
        })
    }

    /// Gradients of input, gamma and beta.
    fn backward(&self, x: &[f32], y: &[f32], grad: &[f32], gamma: Option<&[f32]>) -> [Vec<f32>; 3] {
        let sums = self.sums(x, y, grad);
        let floor = self.floor();
        let count = (self.group / self.channels.max(1)) as f32;
        let dx = filled(x.len(), self.part(), |index, dx| {
            let [x, y, grad] =
                [x, y, grad].map(|values| &values[index * self.part()..][..dx.len()]);
            let scale = self.scale(index);
            let [beta_sum, gamma_sum] = &sums[index.min(sums.len() - 1)];
            let slope: Vec<f32> = (0..self.channels)
                .map(|c| scale.inverse_deviation[c] * gamma.map_or(1.0, |gamma| gamma[c]))
                .collect();
            let share = if self.fixed { 0.0 } else { count.recip() };
            let level: Vec<f32> = beta_sum.iter().map(|sum| sum * share).collect();
            let tilt: Vec<f32> = gamma_sum
                .iter()
                .zip(&scale.inverse_deviation)
                .map(|(sum, inverse)| sum * inverse * share)
                .collect();
            let (n, mean) = (self.channels, &scale.mean);
            let (slope, level, tilt) = (&slope, &level, &tilt);
            let rows = x.chunks_exact(n).zip(y.chunks_exact(n));
            vectorised(
                #[inline(always)]
                move || {
                    let (mean, slope) = (&mean[..n], &slope[..n]);
                    let (level, tilt) = (&level[..n], &tilt[..n]);
                    for ((dx, grad), (x, y)) in
                        dx.chunks_exact_mut(n).zip(grad.chunks_exact(n)).zip(rows)
                    {
                        let (dx, grad, x, y) = (&mut dx[..n], &grad[..n], &x[..n], &y[..n]);
                        for c in 0..n {
                            let (y, grad) = (y[c], grad[c]);
                            let passed = if y > floor { grad } else { 0.0 };
                            let centred = x[c] - mean[c];
                            dx[c] = slope[c] * (passed - level[c] - centred * tilt[c]);
                        }
                    }
                },
            );
        });
        let [beta, gamma] = total(&sums, self.channels);
        [dx, gamma, beta]
    }

    /// Outputs never fall below this, and pass a gradient above it.
    fn floor(&self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }

    /// Sums over each group of the gradient behind the ReLU, plain and times the normalised input.
    fn sums(&self, x: &[f32], y: &[f32], grad: &[f32]) -> Vec<[Vec<f32>; 2]> {
        let floor = self.floor();
        let parts: Vec<[Vec<f32>; 2]> = x
            .par_chunks(self.part())
            .zip(y.par_chunks(self.part()).zip(grad.par_chunks(self.part())))
            .enumerate()
            .map(|(index, (x, (y, grad)))| {
                let scale = self.scale(index);
                let mut beta = vec![0.0; self.channels];
                let mut gamma = vec![0.0; self.channels];
                let (n, mean) = (self.channels, &scale.mean);
                let (beta_sum, gamma_sum) = (&mut beta, &mut gamma);
                let rows = x.chunks_exact(n).zip(y.chunks_exact(n));
                vectorised(
                    #[inline(always)]
                    move || {
                        let mean = &mean[..n];
                        let (beta_sum, gamma_sum) = (&mut beta_sum[..n], &mut gamma_sum[..n]);
                        for ((x, y), grad) in rows.zip(grad.chunks_exact(n)) {
                            let (x, y, grad) = (&x[..n], &y[..n], &grad[..n]);
                            for c in 0..n {
                                let (y, grad) = (y[c], grad[c]);
                                let passed = if y > floor { grad } else { 0.0 };
                                beta_sum[c] += passed;
                                gamma_sum[c] += passed * (x[c] - mean[c]);
                            }
                        }
                    },
                );
                let inverse = &scale.inverse_deviation;
                gamma
                    .iter_mut()
                    .zip(inverse)
                    .for_each(|(gamma, inverse)| *gamma *= inverse);
                [beta, gamma]
            })
            .collect();
        if self.scales.len() == 1 {
            vec![total(&parts, self.channels)]
        } else {
            parts
        }
    }
}

/// The parts added in order.
fn total(parts: &[[Vec<f32>; 2]], channels: usize) -> [Vec<f32>; 2] {
    let mut total = [vec![0.0; channels], vec![0.0; channels]];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            total
                .iter_mut()
                .zip(part)
                .for_each(|(total, part)| *total += part);
        }
    }
    total
}

impl CustomOp1 for Norm {
    fn name(&self) -> &'static str {
        "instance-norm"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        output(self.forward(contiguous(s, l)?, None, None), l.shape())
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (xs, ys, gs) = (Reader::new(x), Reader::new(y), Reader::new(&grad));
        let [dx, ..] = self.backward(xs.slice()?, ys.slice()?, gs.slice()?, None);
        gradient(dx, x)
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gamma, beta) = (contiguous(s2, l2)?, contiguous(s3, l3)?);
        let y = self.forward(contiguous(s1, l1)?, Some(gamma), Some(beta));
        output(y, l1.shape())
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (xs, ys, gs) = (Reader::new(x), Reader::new(y), Reader::new(&grad));
        let gammas = Reader::new(gamma);
        let [dx, dgamma, dbeta] =
            self.backward(xs.slice()?, ys.slice()?, gs.slice()?, Some(gammas.slice()?));
        Ok((
            gradient(dx, x)?,
            gradient(dgamma, gamma)?,
            gradient(dbeta, beta)?,
        ))
    }
}
