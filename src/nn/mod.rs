//! Shared networks: operators, layers, parameters, optimisers. Knows tensors, not files of images.
//!
//! Every activation is `f32`, contiguous, on the CPU, and laid out `[batch, height, width, channels]`; every weight keeps
//! the shape and name that PyTorch gives it, so that weights travel both ways.

pub mod augment;
pub mod epochs;
pub mod layers;
pub mod likelihood;
pub mod ops;
pub mod optim;
pub mod params;
mod precision;
pub mod resume;
pub mod schedule;
mod tape;
pub(super) mod unit;

pub use precision::Precision;
use tape::Needs;
pub use tape::{Gradients, Mode, Tape};
