//! The fully connected layer.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::parts::{add_in_order, column_sums};
use super::{Reader, contiguous, gradient, output};
use crate::kernel::{Matrix, matmul};
use crate::nn::{Mode, Needs};

/// `x W^T + bias`: `x` is `[b, ..]` with `n` numbers an image in all, `weight` is `[m, n]`, `bias` is `[m]`; the result is
/// `[b, m]`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn linear(mode: Mode<'_>, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    mode.count(x.elem_count() * weight.dim(0)?, mode.tracks(x));
    mode.apply3([x, weight, bias], Needs::Inputs, Linear)
}

/// Images that one thread multiplies; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 32;

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let (m, n) = l2.shape().dims2()?;
        let batch = l1.dims().first().copied().unwrap_or(0);
        if x.len() != batch * n || bias.len() != m || m * n == 0 {
            bail!("linear layer {:?} on {:?}", l2.shape(), l1.shape());
        }
        let mut y = bias.repeat(batch);
        y.par_chunks_mut(IMAGES * m)
            .zip(x.par_chunks(IMAGES * n))
            .for_each(|(y, x)| {
                let x = Matrix::new(x, x.len() / n, n);
                matmul(y, x, Matrix::new(weight, m, n).transposed(), true);
            });
        output(y, (batch, m))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (m, n) = weight.dims2()?;
        let grad = grad.contiguous()?;
        let (xs, ws, gs) = (Reader::new(x), Reader::new(weight), Reader::new(&grad));
        let (xs, ws, gs) = (xs.slice()?, ws.slice()?, gs.slice()?);
        let mut dx = vec![0.0; xs.len()];
        let parts = dx
            .par_chunks_mut(IMAGES * n)
            .zip(xs.par_chunks(IMAGES * n))
            .zip(gs.par_chunks(IMAGES * m))
            .map(|((dx, x), g)| {
                let images = g.len() / m;
                let g = Matrix::new(g, images, m);
                matmul(dx, g, Matrix::new(ws, m, n), false);
                let mut dw = vec![0.0; m * n];
                matmul(&mut dw, g.transposed(), Matrix::new(x, images, n), false);
                dw
            })
            .collect();
        let dw = add_in_order(parts, m * n);
        Ok((
            gradient(dx, x)?,
            gradient(dw, weight)?,
            gradient(column_sums(gs, m), bias)?,
        ))
    }
}
