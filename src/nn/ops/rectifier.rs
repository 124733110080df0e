//! Rectifiers that stand alone, where no normalisation comes before them to be fused with.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::activation::capped;
use super::{Reader, contiguous, gradient, output};
use crate::kernel::map2;
use crate::nn::{Mode, Needs};

/// `max(x, 0)`.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn relu(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    let high = f32::INFINITY;
    mode.apply1(x, Needs::Output, Rectifier { high })
}

/// `min(max(x, 0), 6)`.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn relu6(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    mode.apply1(x, Needs::Output, Rectifier { high: 6.0 })
}

/// Zero to `high`; its gradient passes strictly between them.
struct Rectifier {
    high: f32,
}

impl CustomOp1 for Rectifier {
    fn name(&self) -> &'static str {
        "rectifier"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, high) = (contiguous(s, l)?, self.high);
        output(map2(x, x, move |x, _| capped(x, 0.0, high)), l.shape())
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (ys, gs) = (Reader::new(y), Reader::new(grad));
        // No short cut between the two comparisons: a branch would keep the loop from becoming vectors.
        let high = self.high;
        let passed = map2(ys.slice()?, gs.slice()?, move |y, g| {
            if (y > 0.0) & (y < high) { g } else { 0.0 }
        });
        gradient(passed, x)
    }
}
