//! One binary for all integration tests.
#![allow(clippy::unwrap_used)]

mod dvae;
mod golden;
mod gradients;
