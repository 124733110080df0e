//! Element-wise operators with the gradients PyTorch gives them.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::exp::exp;
use super::{Reader, contiguous, gradient, output};
use crate::kernel::map2;
use crate::nn::{Mode, Needs};

/// `max(a + b, 0)`, the end of a residual block; both of one shape.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn add_relu(mode: Mode<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mode.apply2(
        a,
        b,
        Needs::Output,
        CappedSum {
            low: 0.0,
            high: f32::INFINITY,
        },
    )
}

/// `a + b`, the end of a linear residual block; both of one shape.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn sum(mode: Mode<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mode.apply2(a, b, Needs::Output, CappedSum::UNLIMITED)
}

/// `a + b` limited to [0, 1]; both of one shape.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn clamped_sum(mode: Mode<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    mode.apply2(
        a,
        b,
        Needs::Output,
        CappedSum {
            low: 0.0,
            high: 1.0,
        },
    )
}

/// `1 / (1 + exp(-x))`.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn sigmoid(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    mode.apply1(x, Needs::Output, Sigmoid)
}

/// `a + b`, for two gradients of one tensor.
pub(in crate::nn) fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2_no_bwd(b, &CappedSum::UNLIMITED)
}

/// As [`f32::clamp`], without the check that keeps a loop from becoming vectors; what is not a number stays so.
#[inline(always)]
pub(super) fn capped(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// A sum within limits; its gradient passes strictly between them.
struct CappedSum {
    low: f32,
    high: f32,
}

impl CappedSum {
    const UNLIMITED: Self = Self {
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
    };
}

impl CustomOp2 for CappedSum {
    fn name(&self) -> &'static str {
        "capped-sum"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() {
            bail!("sum of {:?} and {:?}", l1.shape(), l2.shape());
        }
        let (low, high) = (self.low, self.high);
        let sum = map2(contiguous(s1, l1)?, contiguous(s2, l2)?, move |a, b| {
            capped(a + b, low, high)
        });
        output(sum, l1.shape())
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (low, high) = (self.low, self.high);
        let (ys, gs) = (Reader::new(y), Reader::new(grad));
        // No short cut between the two comparisons: a branch would keep the loop from becoming vectors.
        let passed = map2(ys.slice()?, gs.slice()?, move |y, g| {
            if (y > low) & (y < high) { g } else { 0.0 }
        });
        let passed = gradient(passed, y)?;
        Ok((passed.clone(), passed))
    }
}

struct Sigmoid;

impl CustomOp1 for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(s, l)?;
        output(map2(x, x, |x, _| 1.0 / (1.0 + exp(-x))), l.shape())
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (ys, gs) = (Reader::new(y), Reader::new(grad));
        gradient(map2(ys.slice()?, gs.slice()?, |y, g| g * y * (1.0 - y)), x)
    }
}
