//! What convolutional networks are built of.

use candle_core::Tensor;

use super::Mode;
use super::layers::{BatchNorm, Conv2d};
use super::ops::Conv;
use super::params::Params;
use crate::Result;

/// A convolution without bias and the batch norm behind it.
#[derive(Clone, Debug)]
pub(crate) struct Unit(Conv2d, BatchNorm);

impl Unit {
    pub(crate) fn new(
        params: &mut Params,
        [conv_name, norm_name]: [impl AsRef<str>; 2],
        shape: (usize, usize),
        conv: Conv,
        relu: bool,
    ) -> Result<Self> {
        let norm_of = shape.1;
        Ok(Self(
            Conv2d::new(params, conv_name.as_ref(), shape, conv, false)?,
            BatchNorm::new(params, norm_name.as_ref(), norm_of, relu)?,
        ))
    }

    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.1.forward(&self.0.forward(x, mode)?, mode)
    }
}

/// A square kernel with an odd side, padded so that without stride the image keeps its size.
pub(crate) const fn conv(kernel: usize, stride: usize) -> Conv {
    Conv {
        kernel,
        stride,
        padding: kernel / 2,
    }
}
