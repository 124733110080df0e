//! Element-wise operators with the gradients PyTorch gives them.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::parts::map2;
use super::{Reader, contiguous, gradient, output};

/// `max(a + b, 0)`, the end of a residual block; both of one shape.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2(b, AddRelu)
}

/// `x` limited to [0, 1]; the gradient passes where `x` is inside, ends included.
///
/// # Errors
/// If the tensor is not contiguous.
pub fn clamp_unit(x: &Tensor) -> Result<Tensor> {
    x.apply_op1(ClampUnit)
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add-relu"
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
        let sum = map2(contiguous(s1, l1)?, contiguous(s2, l2)?, |a, b| {
            (a + b).max(0.0)
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
        let grad = grad.contiguous()?;
        let (ys, gs) = (Reader::new(y), Reader::new(&grad));
        let masked = map2(
            ys.slice()?,
            gs.slice()?,
            |y, g| if y > 0.0 { g } else { 0.0 },
        );
        let masked = gradient(masked, y)?;
        Ok((masked.clone(), masked))
    }
}

struct ClampUnit;

impl CustomOp1 for ClampUnit {
    fn name(&self) -> &'static str {
        "clamp-unit"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let clamped = contiguous(s, l)?
            .iter()
            .map(|x| x.clamp(0.0, 1.0))
            .collect();
        output(clamped, l.shape())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (xs, gs) = (Reader::new(x), Reader::new(&grad));
        let inside = |x: f32, g: f32| if (0.0..=1.0).contains(&x) { g } else { 0.0 };
        gradient(map2(xs.slice()?, gs.slice()?, inside), x)
    }
}
