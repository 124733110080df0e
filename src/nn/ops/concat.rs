//! Joining the channels of two images, as dense blocks do.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::moments::part;
use super::{Reader, contiguous, gradient, output};
use crate::nn::{Mode, Needs};

/// The channels of `a`, `[b, h, w, m]`, then those of `b`, `[b, h, w, n]`: `[b, h, w, m + n]`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn concat_channels(mode: Mode<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a_shape, b_shape) = (a.dims4()?, b.dims4()?);
    let (first, second) = (a_shape.3, b_shape.3);
    if a.dims()[..3] != b.dims()[..3] || first * second == 0 {
        bail!("channels of {a_shape:?} and {b_shape:?}");
    }
    mode.apply2(a, b, Needs::Inputs, Concat { first, second })
}

struct Concat {
    first: usize,
    second: usize,
}

impl CustomOp2 for Concat {
    fn name(&self) -> &'static str {
        "concat-channels"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let width = self.first + self.second;
        let rows = part(width) / width;
        let mut y = vec![0.0; a.len() + b.len()];
        y.par_chunks_mut(rows * width)
            .zip(a.par_chunks(rows * self.first))
            .zip(b.par_chunks(rows * self.second))
            .for_each(|((y, a), b)| {
                let sources = a.chunks_exact(self.first).zip(b.chunks_exact(self.second));
                for (y, (a, b)) in y.chunks_exact_mut(width).zip(sources) {
                    let (left, right) = y.split_at_mut(self.first);
                    left.copy_from_slice(a);
                    right.copy_from_slice(b);
                }
            });
        let mut shape = l1.dims().to_vec();
        shape[3] = width;
        output(y, shape)
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let gs = Reader::new(&grad);
        let width = self.first + self.second;
        let rows = part(width) / width;
        let (mut da, mut db) = (vec![0.0; a.elem_count()], vec![0.0; b.elem_count()]);
        gs.slice()?
            .par_chunks(rows * width)
            .zip(da.par_chunks_mut(rows * self.first))
            .zip(db.par_chunks_mut(rows * self.second))
            .for_each(|((g, da), db)| {
                let targets = da
                    .chunks_exact_mut(self.first)
                    .zip(db.chunks_exact_mut(self.second));
                for (g, (da, db)) in g.chunks_exact(width).zip(targets) {
                    let (left, right) = g.split_at(self.first);
                    da.copy_from_slice(left);
                    db.copy_from_slice(right);
                }
            });
        Ok((gradient(da, a)?, gradient(db, b)?))
    }
}
