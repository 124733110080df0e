//! What the attacks that need a network share: pictures with a perturbation in the making, the gradient of a loss in their
//! pixels, and random views that gradients find their way back through.

mod canvas;
mod views;

use candle_core::{Device, Tensor, Var};

use crate::nn::ops::cross_entropy;
use crate::nn::optim::Optimizer;
use crate::nn::{Mode, Tape};
use crate::zoo::Classifier;
use crate::{Error, Result};

pub(super) use canvas::{Canvas, sign};
pub(super) use views::Views;

/// Pictures in one step of an attack.
pub(super) const BATCH: usize = 128;

/// Batch, height, width, channels.
pub(super) type Shape = (usize, usize, usize, usize);

/// The gradient of the mean cross-entropy of `network`, which stays as it is, in the pixels of `x`.
pub(super) fn pixel_gradient(
    network: &dyn Classifier,
    x: Vec<f32>,
    shape: Shape,
    labels: &[u32],
) -> Result<Vec<f32>> {
    let x = Var::from_vec(x, shape, &Device::Cpu)?;
    let tape = Tape::new();
    let mode = Mode::Frozen(&tape);
    let loss = cross_entropy(mode, &network.forward(&x, mode)?, labels, 0.0)?;
    let gradients = tape.gradients(&[(loss, 1.0)])?;
    match gradients.get(&x) {
        Some(gradient) => Ok(gradient.flatten_all()?.to_vec1()?),
        None => Err(failed("the network does not depend on its input")),
    }
}

/// One step of training on the pictures `x`.
pub(super) fn learn(
    network: &dyn Classifier,
    optimizer: &mut dyn Optimizer,
    x: Vec<f32>,
    shape: Shape,
    labels: &[u32],
    rate: f64,
) -> Result<()> {
    let x = Tensor::from_vec(x, shape, &Device::Cpu)?;
    let tape = Tape::new();
    let mode = Mode::Train(&tape);
    let loss = cross_entropy(mode, &network.forward(&x, mode)?, labels, 0.0)?;
    if optimizer
        .step(&tape.gradients(&[(loss, 1.0)])?, rate)?
        .is_finite()
    {
        Ok(())
    } else {
        Err(failed("the surrogate's gradient is not finite"))
    }
}

fn failed(problem: &str) -> Error {
    Error::Numeric {
        stage: "attack",
        problem: problem.into(),
    }
}
