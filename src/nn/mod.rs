//! Shared networks: operators, layers, parameters, optimisers. Knows tensors, not files of images.
//!
//! Every activation is `f32`, contiguous, on the CPU, and laid out `[batch, height, width, channels]`; every weight keeps
//! the shape and name that PyTorch gives it, so that weights travel both ways.

pub mod layers;
pub mod ops;
pub mod optim;
pub mod params;
pub mod schedule;

/// Whether a forward pass learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics are used and folded into the running ones; gradients are recorded.
    Train,
    /// Running statistics are used and nothing is recorded, so that activations are freed at once.
    Eval,
}
