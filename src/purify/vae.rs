//! The rate-constrained VAE alone (Eq. 3 of the D-VAE paper): the reconstruction that its rate limit allows. The same code
//! as the D-VAE, without the second decoder.

use serde_json::json;

use super::kept::fitted;
use super::{Cure, Inference, Job, Purifier, require_stored_size, truncated};
use crate::Result;
use crate::data::Dataset;
use crate::dvae::DvaeConfig;

/// One reconstruction.
#[derive(Clone, Debug)]
pub struct Vae {
    network: DvaeConfig,
    inference: Inference,
}

impl Vae {
    /// A VAE of this size, training and rate limit, asked in this way.
    pub fn new(network: DvaeConfig, inference: Inference) -> Self {
        Self {
            network: DvaeConfig {
                perturbation_decoder: false,
                ..network
            },
            inference,
        }
    }
}

impl Purifier for Vae {
    fn name(&self) -> &'static str {
        "vae"
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "network": self.network, "latent": self.inference })
    }

    fn purify(&self, data: &Dataset, job: Job<'_>) -> Result<Cure> {
        require_stored_size(data, self.name())?;
        let seed = job.seed.derive("purify.stage", 0);
        let model = fitted("vae", data, &self.network, seed, job)?;
        let latent = self.inference.latent(job.seed, 0);
        let mut pure = Vec::with_capacity(data.pixels().len());
        model.apply_batches(data, latent, job.observer, |batch| {
            pure.extend(batch.reconstruction.into_iter().map(truncated));
            Ok(())
        })?;
        Ok(Cure::Block(pure))
    }
}
