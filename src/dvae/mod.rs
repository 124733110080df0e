//! MODEL: the disentangling variational autoencoder (D-VAE) of Yu et al., "Purify Unlearnable Examples via
//! Rate-Constrained Variational Autoencoders", ICML 2024.
//!
//! Two decoders share one rate-limited latent: the image decoder gives the reconstruction x̂, and the perturbation
//! decoder, which also sees an embedding of the label, gives the perturbation p̂ that the reconstruction could not carry.
//! Without the second decoder the same code is the plain rate-constrained VAE of Eq. 3.

mod apply;
mod batch;
mod checkpoint;
mod config;
mod decoder;
mod encoder;
mod fit;
mod loss;
mod network;
mod traces;
mod training;

pub use apply::{BatchOutput, Disentangled, Latent};
pub use config::DvaeConfig;
pub use loss::{Losses, Objective, Terms};
pub use network::{Network, Output};
pub use traces::Traces;
pub use training::{Batch, Training};

pub(crate) use fit::noise;

use batch::Frame;

use crate::Seed;

/// A fitted D-VAE, bound to one image size and one set of classes.
#[derive(Clone, Debug)]
pub struct Dvae {
    network: Network,
    frame: Frame,
    config: DvaeConfig,
    provenance: Provenance,
}

/// Where a fitted model came from.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Fingerprint of the data it was fitted to.
    pub data: String,
    /// Seed of its weights, noise and shuffles.
    pub seed: Seed,
    /// Mean losses of each epoch.
    pub history: Vec<Losses>,
}

impl Dvae {
    /// The settings it was fitted with.
    pub fn config(&self) -> &DvaeConfig {
        &self.config
    }

    /// Where it came from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// How many classes it knows.
    pub fn classes(&self) -> usize {
        self.network.classes()
    }

    /// Height and width of its images, pixels.
    pub fn image_size(&self) -> (usize, usize) {
        (self.frame.height, self.frame.width)
    }
}
