//! What the attacks that need a network share: pictures with a perturbation in the making, the gradient of a loss in their
//! pixels, and random views that gradients find their way back through.

mod canvas;
mod learner;
mod shared;
mod views;

use candle_core::{Device, Var};
use serde_json::{Value, json};

use super::work::State;
use crate::nn::ops::cross_entropy;
use crate::nn::{Mode, Tape};
use crate::zoo::{Architecture, Classifier, Recipe, Samples};
use crate::{Error, Result, Seed};

pub(super) use canvas::{Canvas, sign};
pub(super) use learner::{DECAY, Learner, MOMENTUM, parts_of, restore};
pub(super) use shared::Shared;
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

/// A fresh surrogate for pictures like these.
///
/// # Errors
/// [`Error::Settings`] if they are too small for it.
pub(super) fn fresh(
    surrogate: Architecture,
    samples: &Samples<'_>,
    seed: Seed,
) -> Result<Box<dyn Classifier>> {
    let (height, width, least) = (samples.height, samples.width, surrogate.smallest_side());
    if height.min(width) < least {
        return Err(Error::Settings {
            name: "surrogate",
            problem: format!(
                "{height} x {width} is too small for {}; sides must be at least {least}",
                surrogate.name()
            ),
        });
    }
    surrogate.build(samples, seed)
}

/// How a surrogate was trained before the attack, for people.
pub(super) fn describe(surrogate: Architecture, recipe: &Recipe) -> Value {
    json!({
        "network": surrogate,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "learning_rate": recipe.learning_rate,
        "schedule": format!("{:?}", recipe.schedule),
        "momentum": recipe.momentum,
        "nesterov": recipe.nesterov,
        "weight_decay": recipe.weight_decay,
        "clip_norm": recipe.clip_norm,
        "smoothing": recipe.smoothing,
        "augment": format!("{:?}", recipe.augment),
    })
}

/// Numbers as bytes, for a work file.
fn to_bytes<'a>(numbers: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    numbers.into_iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Puts them back, as far as they go.
fn fill<'a>(numbers: impl IntoIterator<Item = &'a mut f32>, bytes: &[u8]) {
    for (value, bytes) in numbers.into_iter().zip(bytes.as_chunks().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

/// What a work file keeps of a perturbation and the network that learns beside it.
pub(super) fn parts(canvas: &Canvas<'_>, learner: &mut Learner) -> Result<Vec<Vec<u8>>> {
    let [network, velocities] = learner.parts()?;
    Ok(vec![canvas.to_part(), network, velocities])
}

/// Puts both back to where they were, and says how many steps were done then; without a state none.
pub(super) fn go_on(
    state: Option<&State>,
    canvas: &mut Canvas<'_>,
    learner: &mut Learner,
) -> Result<usize> {
    let Some(state) = state else { return Ok(0) };
    let [delta, network, velocities, ..] = &state.parts[..] else {
        return Err(failed("the work file lacks a part"));
    };
    canvas.restore(delta);
    learner.restore([network, velocities])?;
    Ok(state.done)
}

pub(super) fn failed(problem: &str) -> Error {
    Error::Numeric {
        stage: "attack",
        problem: problem.into(),
    }
}
