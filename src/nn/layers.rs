//! Layers: named parameters joined to the operator that uses them.

use candle_core::{Tensor, Var};

use super::Mode;
use super::ops::{self, Conv, Moments};
use super::params::{Init, Params, store, values};
use crate::Result;

/// A convolution or transposed convolution.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Var,
    bias: Option<Var>,
    conv: Conv,
    transposed: bool,
}

impl Conv2d {
    /// A convolution from `ci` to `co` channels with parameters `{name}.weight` `[co, ci, k, k]` and, where `bias`,
    /// `{name}.bias`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn new(
        params: &mut Params,
        name: &str,
        (ci, co): (usize, usize),
        conv: Conv,
        bias: bool,
    ) -> Result<Self> {
        Self::create(params, name, ([co, ci], co), conv, bias, false)
    }

    /// A transposed convolution from `ci` to `co` channels with parameters `{name}.weight` `[ci, co, k, k]` and
    /// `{name}.bias`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn transposed(
        params: &mut Params,
        name: &str,
        (ci, co): (usize, usize),
        conv: Conv,
    ) -> Result<Self> {
        Self::create(params, name, ([ci, co], co), conv, true, true)
    }

    fn create(
        params: &mut Params,
        name: &str,
        ([coarse, fine], co): ([usize; 2], usize),
        conv: Conv,
        bias: bool,
        transposed: bool,
    ) -> Result<Self> {
        let shape = [coarse, fine, conv.kernel, conv.kernel];
        // PyTorch takes the second axis for the inputs, in a transposed convolution too.
        let init = Init::fan_in(fine * conv.kernel * conv.kernel);
        Ok(Self {
            weight: params.trainable(&format!("{name}.weight"), &shape, init)?,
            bias: if bias {
                Some(params.trainable(&format!("{name}.bias"), &[co], init)?)
            } else {
                None
            },
            conv,
            transposed,
        })
    }

    /// `[b, h, w, ci]` to `[b, h', w', co]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let run = if self.transposed {
            ops::conv_transpose2d
        } else {
            ops::conv2d
        };
        let bias = self.bias.as_deref();
        Ok(run(mode, x, &self.weight, bias, self.conv)?)
    }
}

/// A depthwise convolution without bias.
#[derive(Clone, Debug)]
pub struct DepthwiseConv2d {
    weight: Var,
    conv: Conv,
}

impl DepthwiseConv2d {
    /// Over `channels` channels, with the parameter `{name}.weight` `[channels, 1, k, k]`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn new(params: &mut Params, name: &str, channels: usize, conv: Conv) -> Result<Self> {
        let shape = [channels, 1, conv.kernel, conv.kernel];
        let init = Init::fan_in(conv.kernel * conv.kernel);
        let weight = params.trainable(&format!("{name}.weight"), &shape, init)?;
        Ok(Self { weight, conv })
    }

    /// `[b, h, w, c]` to `[b, h', w', c]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        Ok(ops::depthwise_conv2d(mode, x, &self.weight, self.conv)?)
    }
}

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Var,
    bias: Var,
}

impl Linear {
    /// From `inputs` to `outputs` numbers, with parameters `{name}.weight` `[outputs, inputs]` and `{name}.bias`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn new(params: &mut Params, name: &str, (inputs, outputs): (usize, usize)) -> Result<Self> {
        let init = Init::fan_in(inputs);
        Ok(Self {
            weight: params.trainable(&format!("{name}.weight"), &[outputs, inputs], init)?,
            bias: params.trainable(&format!("{name}.bias"), &[outputs], init)?,
        })
    }

    /// `[b, ..]` with `inputs` numbers an image to `[b, outputs]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        Ok(ops::linear(mode, x, &self.weight, &self.bias)?)
    }
}

/// Batch normalisation, with the ReLU that follows it where there is one.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    gamma: Var,
    beta: Var,
    running_mean: Var,
    running_variance: Var,
    relu: bool,
}

impl BatchNorm {
    /// How much of a new batch enters the running statistics.
    const MOMENTUM: f64 = 0.1;

    /// Over `channels` channels, with parameters `{name}.weight`, `.bias`, `.running_mean` and `.running_var`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn new(params: &mut Params, name: &str, channels: usize, relu: bool) -> Result<Self> {
        let shape = [channels];
        Ok(Self {
            gamma: params.trainable(&format!("{name}.weight"), &shape, Init::Constant(1.0))?,
            beta: params.trainable(&format!("{name}.bias"), &shape, Init::Constant(0.0))?,
            running_mean: params.statistic(&format!("{name}.running_mean"), &shape, 0.0)?,
            running_variance: params.statistic(&format!("{name}.running_var"), &shape, 1.0)?,
            relu,
        })
    }

    /// `[b, h, w, c]` to the same shape. Training folds the batch's statistics into the running ones, the variance
    /// without bias, as PyTorch does.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let (gamma, beta) = (&self.gamma, &self.beta);
        match mode {
            Mode::Train(_) => {
                let (y, batch) = ops::batch_norm(mode, x, gamma, beta, self.relu)?;
                let unbiased = batch.count / (batch.count - 1.0).max(1.0);
                blend(&self.running_mean, batch.mean.iter().copied())?;
                blend(
                    &self.running_variance,
                    batch.variance.iter().map(|variance| variance * unbiased),
                )?;
                Ok(y)
            }
            Mode::Frozen(_) | Mode::Eval => {
                let fixed = |var| -> Result<Vec<f64>> {
                    Ok(values(var)?.into_iter().map(f64::from).collect())
                };
                let moments = Moments {
                    count: f64::INFINITY,
                    mean: fixed(&self.running_mean)?,
                    variance: fixed(&self.running_variance)?,
                };
                Ok(ops::batch_norm_frozen(
                    mode, x, gamma, beta, &moments, self.relu,
                )?)
            }
        }
    }
}

/// Moves a running statistic towards a new value.
fn blend(running: &Var, new: impl Iterator<Item = f64>) -> Result<()> {
    let momentum = BatchNorm::MOMENTUM;
    let blended = values(running)?
        .into_iter()
        .zip(new)
        .map(|(old, new)| ((1.0 - momentum) * f64::from(old) + momentum * new) as f32)
        .collect();
    store(running, blended)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::nn::Tape;

    #[test]
    fn running_statistics_follow_pytorch() {
        let mut params = Params::new(Seed(0));
        let norm = BatchNorm::new(&mut params, "bn", 1, false).unwrap();
        let x = Tensor::new(&[1f32, 2.0, 3.0, 4.0], &candle_core::Device::Cpu)
            .unwrap()
            .reshape((2, 1, 2, 1))
            .unwrap();
        let close = |actual: &Tensor, expected: f32| {
            let actual = values(actual).unwrap()[0];
            assert!((actual - expected).abs() < 1e-5, "{actual} {expected}");
        };
        let tape = Tape::new();
        let y = norm.forward(&x, Mode::Train(&tape)).unwrap();
        // Mean 2.5; biased variance 1.25 for the batch itself, unbiased 5/3 for the running one.
        close(&y, -1.5 / 1.25f32.sqrt());
        close(&norm.running_mean, 0.25);
        close(&norm.running_variance, 0.9 + 0.1 * 5.0 / 3.0);
        let y = norm.forward(&x, Mode::Eval).unwrap();
        close(&y, 0.75 / (0.9 + 0.5 / 3.0f32).sqrt());
        close(&norm.running_mean, 0.25);
    }
}
