//! The theory behind unlearnable examples and rate limits, as code that is checked by sampling and quadrature.
//!
//! The statements follow those of the D-VAE paper (Proposition 1, Theorem 1, Theorem 2, Proposition 2) in what they are
//! about. The text of the paper was not at hand: they are derived here anew, for two classes with normal features of equal
//! covariance, turned to its axes, and for a normal latent. Their forms may differ from the printed ones.

mod entropy;
mod hyperplane;
mod rate;

pub use entropy::Perturbation;
pub use hyperplane::{Hyperplane, TwoClasses};
pub use rate::{Channel, distortion, nats_needed, water_filling};
