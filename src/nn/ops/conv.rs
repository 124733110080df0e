//! 2-d convolution and transposed convolution, forward and backward.
//!
//! PyTorch stores both weights as `[coarse, fine, k, k]` (see [`Geometry`]), so three [`Products`] serve both operators:
//!
//! | | convolution | transposed convolution |
//! |---|---|---|
//! | forward | coarsen | refine |
//! | input gradient | refine | coarsen |
//! | weight gradient | correlate | correlate |

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::lower::Geometry;
use super::parts::column_sums;
use super::products::Products;
use super::{Reader, contiguous, gradient, output};
use crate::nn::{Mode, Needs, Precision};

/// How a square kernel moves over the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Side of the kernel, pixels.
    pub kernel: usize,
    /// Step between neighbouring windows, pixels.
    pub stride: usize,
    /// Zeros beyond each border, pixels.
    pub padding: usize,
}

/// 2-d convolution: `x` is `[b, h, w, ci]`, `weight` is `[co, ci, k, k]`, `bias` is `[co]`; the result is
/// `[b, (h + 2p - k) / s + 1, (w + 2p - k) / s + 1, co]`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn conv2d(
    mode: Mode<'_>,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    conv: Conv,
) -> Result<Tensor> {
    apply(mode, x, weight, bias, conv, false)
}

/// Transposed 2-d convolution: `x` is `[b, h, w, ci]`, `weight` is `[ci, co, k, k]`, `bias` is `[co]`; the result is
/// `[b, (h - 1) s + k - 2p, (w - 1) s + k - 2p, co]`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn conv_transpose2d(
    mode: Mode<'_>,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    conv: Conv,
) -> Result<Tensor> {
    apply(mode, x, weight, bias, conv, true)
}

fn apply(
    mode: Mode<'_>,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    conv: Conv,
    transposed: bool,
) -> Result<Tensor> {
    let op = Op {
        conv,
        transposed,
        input_gradient: mode.tracks(x),
        weight_gradient: mode.learns(),
        precision: mode.precision(),
    };
    let geometry = op.geometry(x.shape(), weight.shape())?;
    let multiply_adds = x.dims()[0] * geometry.coarse_len() * geometry.window();
    mode.count(multiply_adds, op.input_gradient);
    match bias {
        Some(bias) => mode.apply3([x, weight, bias], Needs::Inputs, op),
        None => mode.apply2(x, weight, Needs::Inputs, op),
    }
}

struct Op {
    conv: Conv,
    transposed: bool,
    /// False for the images a network starts from: their gradient is never asked for.
    input_gradient: bool,
    /// False where the network stays as it is.
    weight_gradient: bool,
    precision: Precision,
}

impl Op {
    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<Geometry> {
        let Conv {
            kernel,
            stride,
            padding,
        } = self.conv;
        let (_, height, width, channels) = x.dims4()?;
        let (coarse, fine, rows, columns) = weight.dims4()?;
        let expected = if self.transposed { coarse } else { fine };
        if channels != expected || rows != kernel || columns != kernel || stride == 0 {
            bail!("convolution of {x:?} with {weight:?} as {:?}", self.conv);
        }
        let side = |n: usize| {
            let sum = if self.transposed {
                (n.max(1) - 1) * stride + kernel
            } else {
                n + 2 * padding
            };
            let spent = if self.transposed { 2 * padding } else { kernel };
            match sum.checked_sub(spent) {
                Some(rest) if self.transposed => Ok(rest),
                Some(rest) => Ok(rest / stride + 1),
                None => bail!("a {kernel}x{kernel} kernel does not fit {x:?}"),
            }
        };
        let (near, far) = ([height, width], [side(height)?, side(width)?]);
        let (big, small) = if self.transposed {
            (far, near)
        } else {
            (near, far)
        };
        Ok(Geometry {
            kernel,
            stride,
            padding,
            fine: [big[0], big[1], fine],
            coarse: [small[0], small[1], coarse],
        })
    }

    fn forward(
        &self,
        (x, x_shape): (&[f32], &Shape),
        (weight, weight_shape): (&[f32], &Shape),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let geometry = self.geometry(x_shape, weight_shape)?;
        let batch = x_shape.dims()[0];
        let products = Products::of(&geometry, self.precision);
        let (run, [height, width, channels]) = if self.transposed {
            (products.refine, geometry.fine)
        } else {
            (products.coarsen, geometry.coarse)
        };
        if bias.is_some_and(|bias| bias.len() != channels) {
            bail!("a bias for each of {channels} channels");
        }
        let y = run(&geometry, x, weight, bias, batch);
        output(y, (batch, height, width, channels))
    }

    fn backward(&self, x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let geometry = self.geometry(x.shape(), weight.shape())?;
        let (x_values, w_values, g_values) =
            (Reader::new(x), Reader::new(weight), Reader::new(grad));
        let (xs, ws, gs) = (x_values.slice()?, w_values.slice()?, g_values.slice()?);
        let batch = x.dims()[0];
        let products = Products::of(&geometry, self.precision);
        let dx = if self.input_gradient {
            let run = match self.transposed {
                true => products.coarsen,
                false => products.refine,
            };
            gradient(run(&geometry, gs, ws, None, batch), x)?
        } else {
            None
        };
        let dw = if self.weight_gradient {
            let (fine, coarse) = if self.transposed { (gs, xs) } else { (xs, gs) };
            gradient((products.correlate)(&geometry, fine, coarse), weight)?
        } else {
            None
        };
        Ok([dx, dw])
    }
}

impl CustomOp2 for Op {
    fn name(&self) -> &'static str {
        "nhwc-conv"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        self.forward((x, l1.shape()), (weight, l2.shape()), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dw] = self.backward(x, weight, &grad.contiguous()?)?;
        Ok((dx, dw))
    }
}

impl CustomOp3 for Op {
    fn name(&self) -> &'static str {
        "nhwc-conv-bias"
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
        let (x, weight) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let bias = contiguous(s3, l3)?;
        self.forward((x, l1.shape()), (weight, l2.shape()), Some(bias))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let [dx, dw] = self.backward(x, weight, &grad)?;
        let db = column_sums(Reader::new(&grad).slice()?, bias.elem_count());
        Ok((dx, dw, gradient(db, bias)?))
    }
}
