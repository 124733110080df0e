//! Mean-square reductions, summed in double precision.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::parts::sum_over;
use super::{Reader, contiguous, gradient, output, scalar};
use crate::kernel::map2;
use crate::nn::{Mode, Needs};

/// Mean of `(a - b)^2` over all elements, a scalar; `b` is a target and gets no gradient.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn mean_square_error(mode: Mode<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mode.apply2(a, b, Needs::Inputs, MeanSquareError)
}

/// Mean of `x^2` over all elements, a scalar.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn mean_square(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    mode.apply1(x, Needs::Inputs, MeanSquare)
}

struct MeanSquareError;

impl CustomOp2 for MeanSquareError {
    fn name(&self) -> &'static str {
        "mean-square-error"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() {
            bail!("error between {:?} and {:?}", l1.shape(), l2.shape());
        }
        let (a, b) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let sum = sum_over(a, b, |a, b| f64::from(a - b).powi(2));
        output(vec![(sum / a.len() as f64) as f32], ())
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (a_values, b_values) = (Reader::new(a), Reader::new(b));
        let (a_values, b_values) = (a_values.slice()?, b_values.slice()?);
        let scale = scalar(grad)? * 2.0 / a_values.len() as f32;
        let da = map2(a_values, b_values, move |a, b| scale * (a - b));
        Ok((gradient(da, a)?, None))
    }
}

struct MeanSquare;

impl CustomOp1 for MeanSquare {
    fn name(&self) -> &'static str {
        "mean-square"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(s, l)?;
        let sum = sum_over(x, x, |x, _| f64::from(x).powi(2));
        output(vec![(sum / x.len() as f64) as f32], ())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let values = Reader::new(x);
        let values = values.slice()?;
        let scale = scalar(grad)? * 2.0 / values.len() as f32;
        gradient(map2(values, values, move |x, _| scale * x), x)
    }
}
