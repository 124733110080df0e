//! A small residual-free network in the manner of the CIFAR-10 speed runs (Page, 2018; Jordan, 2024): fixed filters that
//! whiten patches, three groups of two convolutions, and maxima in place of strides.

use candle_core::{Device, Tensor, Var};
use faer::{Mat, Side};

use super::{Classifier, Samples};
use crate::nn::Mode;
use crate::nn::augment::View;
use crate::nn::layers::{BatchNorm, Conv2d, Linear};
use crate::nn::ops::{Conv, conv2d, global_max_pool, max_pool2d, relu};
use crate::nn::params::Params;
use crate::{Error, Result, Seed};

const SAME: Conv = Conv {
    kernel: 3,
    stride: 1,
    padding: 1,
};

pub(super) struct Fast {
    params: Params,
    whiten: Whiten,
    groups: Vec<[(Conv2d, BatchNorm); 2]>,
    fc: Linear,
}

impl Fast {
    /// With `widths` channels in the three groups.
    pub(super) fn new(samples: &Samples<'_>, widths: [usize; 3], seed: Seed) -> Result<Self> {
        let mut params = Params::new(seed);
        let whiten = Whiten::new(&mut params, samples)?;
        let mut from = Whiten::CHANNELS;
        let mut groups = Vec::new();
        for (index, &to) in widths.iter().enumerate() {
            let mut layer = |number: usize, from: usize| -> Result<_> {
                let name = |part: &str| format!("group{}.{part}{number}", index + 1);
                let conv = Conv2d::new(&mut params, &name("conv"), (from, to), SAME, false)?;
                Ok((conv, BatchNorm::new(&mut params, &name("bn"), to, true)?))
            };
            groups.push([layer(1, from)?, layer(2, to)?]);
            from = to;
        }
        let fc = Linear::new(&mut params, "fc", (from, samples.classes))?;
        Ok(Self {
            params,
            whiten,
            groups,
            fc,
        })
    }
}

impl Classifier for Fast {
    fn params(&self) -> &Params {
        &self.params
    }

    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = self.whiten.forward(x, mode)?;
        for [(conv1, norm1), (conv2, norm2)] in &self.groups {
            h = max_pool2d(mode, &conv1.forward(&h, mode)?, 2)?;
            h = norm1.forward(&h, mode)?;
            h = norm2.forward(&conv2.forward(&h, mode)?, mode)?;
        }
        Ok(global_max_pool(mode, &h)?)
    }

    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.fc.forward(features, mode)
    }
}

/// Projections of 2 x 2 patches on their principal directions, centred, scaled to variance one and with both signs, then
/// ReLU. They are taken from the data and do not learn.
struct Whiten {
    weight: Var,
    bias: Var,
}

impl Whiten {
    const PATCH: Conv = Conv {
        kernel: 2,
        stride: 1,
        padding: 0,
    };
    /// Numbers in a patch.
    const SIZE: usize = 12;
    const CHANNELS: usize = 2 * Self::SIZE;
    /// Added to each variance, so that noise in directions without any is not blown up. The speed runs add about 3e-5, which
    /// magnifies the finest stripes of photographs a hundredfold: a network trained on smoother pictures than it is tested
    /// on, as purified ones are, then sees little but stripes. With this floor it also learns more from few clean rows.
    const FLOOR: f64 = 1e-3;
    /// Images that the directions are taken from.
    const IMAGES: usize = 2048;

    fn new(params: &mut Params, samples: &Samples<'_>) -> Result<Self> {
        let shape = [Self::CHANNELS, 3, 2, 2];
        let weight = params.statistic("whiten.weight", &shape, 0.0)?;
        let bias = params.statistic("whiten.bias", &[Self::CHANNELS], 0.0)?;
        let (filters, offsets) = Self::filters(samples)?;
        weight.set(&Tensor::from_vec(filters, &shape, &Device::Cpu)?)?;
        bias.set(&Tensor::from_vec(offsets, Self::CHANNELS, &Device::Cpu)?)?;
        Ok(Self { weight, bias })
    }

    /// Filters in PyTorch's order, and what centres their outputs.
    fn filters(samples: &Samples<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mean, covariance) = Self::moments(samples)?;
        let spectrum = covariance.self_adjoint_eigen(Side::Lower);
        let spectrum = spectrum.map_err(|error| Error::Numeric {
            stage: "whitening",
            problem: format!("{error:?}"),
        })?;
        let (mut filters, mut offsets) = (Vec::new(), Vec::new());
        for sign in [1.0, -1.0] {
            for direction in 0..Self::SIZE {
                let variance = spectrum.S().column_vector()[direction].max(0.0);
                let scale = sign / (variance + Self::FLOOR).sqrt();
                let filter = (0..Self::SIZE).map(|k| spectrum.U()[(k, direction)] * scale);
                let offset = filter.clone().zip(&mean).map(|(f, m)| f * m).sum::<f64>();
                filters.extend(filter.map(|value| value as f32));
                offsets.push(-offset as f32);
            }
        }
        Ok((filters, offsets))
    }

    /// Mean and covariance of the patches of the first images, numbers of a patch in PyTorch's order, channels first.
    fn moments(samples: &Samples<'_>) -> Result<(Vec<f64>, Mat<f64>)> {
        let rows: Vec<usize> = (0..samples.len().min(Self::IMAGES)).collect();
        let x: Vec<f32> = samples
            .batch(&rows, |_| View::IDENTITY)?
            .flatten_all()?
            .to_vec1()?;
        let (height, width) = (samples.height, samples.width);
        let mut sum = [0.0; Self::SIZE];
        let mut products = Mat::<f64>::zeros(Self::SIZE, Self::SIZE);
        let mut count = 0.0;
        for image in x.chunks_exact(height * width * 3) {
            for at in 0..(height - 1) * (width - 1) {
                let (top, left) = (at / (width - 1), at % (width - 1));
                let patch: [f64; Self::SIZE] = std::array::from_fn(|k| {
                    let (channel, y, x) = (k / 4, top + k / 2 % 2, left + k % 2);
                    f64::from(image[(y * width + x) * 3 + channel])
                });
                count += 1.0;
                for (i, a) in patch.iter().enumerate() {
                    sum[i] += a;
                    for (j, b) in patch[..=i].iter().enumerate() {
                        products[(i, j)] += a * b;
                    }
                }
            }
        }
        let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
        let covariance = Mat::from_fn(Self::SIZE, Self::SIZE, |i, j| {
            products[(i.max(j), i.min(j))] / count - mean[i] * mean[j]
        });
        Ok((mean, covariance))
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        // Nothing below learns: without a wish for the gradient of the images, none comes down here.
        let mode = if mode.tracks(x) { mode } else { Mode::Eval };
        let h = conv2d(mode, x, &self.weight, Some(&self.bias), Self::PATCH)?;
        Ok(relu(mode, &h)?)
    }
}
