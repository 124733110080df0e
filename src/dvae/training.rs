//! One step of training: forward, loss, gradients, Adam.

use candle_core::Tensor;

use super::{Losses, Network, Objective};
use crate::Result;
use crate::nn::epochs::{Loss, Step, step};
use crate::nn::optim::Adam;
use crate::nn::{Mode, Precision};

/// A network with the optimiser that trains it, a step at a time.
#[derive(Debug)]
pub struct Training {
    network: Network,
    adam: Adam,
}

/// What one step sees.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Images, `[b, h, w, 3]` in [0, 1].
    pub x: Tensor,
    /// A label for each image.
    pub y: Vec<u32>,
    /// Standard normal noise, `[b, h/2, w/2, latent]`.
    pub noise: Tensor,
}

impl Training {
    /// Training starts where `network` is, with Adam whose gradients are clipped to the joint norm `clip_norm`.
    pub fn new(network: Network, clip_norm: f64) -> Self {
        let adam = Adam::new(network.params(), clip_norm);
        Self { network, adam }
    }

    /// The network as trained so far.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// One step of `learning_rate` down the gradient of `objective`, with convolutions of `precision`.
    ///
    /// # Errors
    /// If the shapes do not fit or a label is out of range.
    pub fn step(
        &mut self,
        batch: Batch,
        objective: Objective,
        learning_rate: f64,
        precision: Precision,
    ) -> Result<Step<Losses>> {
        let network = &self.network;
        step(&mut self.adam, learning_rate, precision, |mode| {
            loss(network, batch, objective, mode)
        })
    }
}

/// The loss of `network` on a batch, which is taken so that its memory is given back before the backward pass.
pub(super) fn loss(
    network: &Network,
    Batch { x, y, noise }: Batch,
    objective: Objective,
    mode: Mode<'_>,
) -> Result<Loss<Losses>> {
    let output = network.forward(&x, &y, Some(&noise), mode)?;
    let terms = objective.evaluate(&x, &output, mode)?;
    Ok(Loss {
        terms: terms.active,
        tally: terms.losses,
    })
}
