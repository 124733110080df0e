//! One step of training: forward, loss, gradients, Adam.

use candle_core::Tensor;

use super::{Losses, Network, Objective};
use crate::Result;
use crate::nn::optim::Adam;
use crate::nn::{Mode, Tape};

/// A network with the optimiser that trains it.
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

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The terms of the loss before the step; `None` where they or the gradient are not finite, and nothing was changed.
    pub losses: Option<Losses>,
    /// Floating-point operations of its matrix products, see [`Tape::flops`].
    pub flops: u64,
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

    /// Ends the training.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// One step of `learning_rate` down the gradient of `objective`. The batch is taken, so that its memory is given
    /// back as early as the backward pass allows.
    ///
    /// # Errors
    /// If the shapes do not fit or a label is out of range.
    pub fn step(&mut self, batch: Batch, objective: Objective, learning_rate: f64) -> Result<Step> {
        let tape = Tape::new();
        let mode = Mode::Train(&tape);
        let Batch { x, y, noise } = batch;
        let output = self.network.forward(&x, &y, Some(&noise), mode)?;
        let terms = objective.evaluate(&x, &output, mode)?;
        drop((x, noise, output));
        let flops = tape.flops();
        let norm = if terms.losses.are_finite() {
            self.adam
                .step(&tape.gradients(&terms.active)?, learning_rate)?
        } else {
            f64::NAN
        };
        Ok(Step {
            losses: norm.is_finite().then_some(terms.losses),
            flops,
        })
    }
}
