//! How a fitted VAE is asked for its reconstruction.

use serde::{Deserialize, Serialize};

use crate::Seed;
use crate::dvae::Latent;

/// Which latent of a picture is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inference {
    /// One that is drawn anew for each inference, as in the published code.
    Sampled,
    /// The mean: what is drawn around it is noise in the picture, and a small network can spare none of its rate for that.
    Mean,
}

impl Inference {
    /// The latent of inference number `index`; what is drawn depends on `seed`.
    pub(super) fn latent(self, seed: Seed, index: u64) -> Latent {
        match self {
            Self::Sampled => Latent::Sampled(seed.derive("purify.latent", index)),
            Self::Mean => Latent::Mean,
        }
    }
}
