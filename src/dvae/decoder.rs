//! Latent to image or perturbation: one doubling and three more transposed convolutions, instance-normalised.

use candle_core::Tensor;

use crate::Result;
use crate::nn::Mode;
use crate::nn::layers::Conv2d;
use crate::nn::ops::{Conv, instance_norm_relu};
use crate::nn::params::Params;

const DOUBLE: Conv = Conv {
    kernel: 4,
    stride: 2,
    padding: 1,
};
const SAME: Conv = Conv {
    kernel: 3,
    stride: 1,
    padding: 1,
};

#[derive(Clone, Debug)]
pub(super) struct Decoder {
    up: Conv2d,
    inner: [Conv2d; 2],
    out: Conv2d,
}

impl Decoder {
    pub(super) fn new(params: &mut Params, name: &str, [full, half]: [usize; 2]) -> Result<Self> {
        let narrow = (full / 2).max(1);
        let mut layer = |part: &str, shape, conv| {
            Conv2d::transposed(params, &format!("{name}.{part}"), shape, conv)
        };
        Ok(Self {
            up: layer("up", (half, full), DOUBLE)?,
            inner: [
                layer("c1", (full, full), SAME)?,
                layer("c2", (full, narrow), SAME)?,
            ],
            out: layer("c3", (narrow, 3), SAME)?,
        })
    }

    /// `[b, h/2, w/2, half]` to `[b, h, w, 3]`, unbounded.
    pub(super) fn forward(&self, z: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = self.up.forward(z, mode)?;
        for conv in &self.inner {
            h = instance_norm_relu(mode, &conv.forward(&h, mode)?)?;
        }
        self.out.forward(&h, mode)
    }
}
