//! Training: Adam on a cosine, one noise stream a step.

use std::path::Path;

use candle_core::{Device, Tensor};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde_json::json;

use super::batch::Frame;
use super::training::loss;
use super::{Batch, Dvae, DvaeConfig, Network, Objective, Provenance};
use crate::data::Dataset;
use crate::nn::epochs::Epochs;
use crate::nn::optim::Adam;
use crate::nn::resume::Resume;
use crate::nn::schedule::cosine;
use crate::observe::Observer;
use crate::{Result, Seed};

impl Dvae {
    /// Fits a D-VAE to the readable rows of `data`. The last partial batch of an epoch is left out; data smaller than a
    /// batch trains as one.
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) for settings or image sizes that cannot work, and those of
    /// [`Epochs::run`].
    pub fn fit(
        data: &Dataset,
        config: &DvaeConfig,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self> {
        Self::fit_from(None, data, config, seed, observer)
    }

    /// As [`Dvae::fit`]; where the training stands is kept at `resume`, if that is given, from which one that was stopped goes
    /// on.
    ///
    /// # Errors
    /// As [`Dvae::fit`], and [`Error::Checkpoint`](crate::Error::Checkpoint) where another training has left the file.
    pub fn fit_from(
        resume: Option<&Path>,
        data: &Dataset,
        config: &DvaeConfig,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self> {
        config.validate()?;
        config.precision.validate()?;
        let frame = Frame::new(data.height, data.width)?;
        let labels = data.labels();
        let network = Network::new(
            config,
            data.class_names.len(),
            frame.padded(),
            seed.derive("dvae.init", 0),
        )?;
        let mut adam = Adam::new(network.params(), config.clip_norm);
        let epochs = Epochs {
            name: "D-VAE",
            rows: labels.len(),
            batch: config.batch,
            epochs: config.epochs,
            precision: config.precision,
            shuffle: (seed, "dvae.shuffle"),
        };
        let owner = json!({ "config": config, "seed": seed, "data": data.fingerprint });
        let resume = resume.map(|path| Resume::new(path, network.params(), owner.to_string()));
        let history = epochs.run_from(
            resume,
            &mut adam,
            |clock| cosine(config.learning_rate, clock.epoch, clock.epochs),
            |clock, rows, mode| {
                let x = frame.tensor(rows.iter().map(|&row| data.image(row)))?;
                let y: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
                let seed = seed.derive("dvae.noise", clock.step as u64);
                let noise = noise(network.latent_shape(), rows.len(), |k| (seed, k as u64))?;
                let objective = Objective::at_epoch(config, clock.epoch);
                loss(&network, Batch { x, y, noise }, objective, mode)
            },
            observer,
        )?;
        Ok(Self {
            network,
            frame,
            config: config.clone(),
            provenance: Provenance {
                data: data.fingerprint.clone(),
                seed,
                history,
            },
        })
    }
}

/// Standard normal noise `[batch, height, width, channels]`; image `k` draws from the stream that `stream` names.
pub(crate) fn noise(
    [height, width, channels]: [usize; 3],
    batch: usize,
    stream: impl Fn(usize) -> (Seed, u64) + Sync,
) -> Result<Tensor> {
    let size = height * width * channels;
    let mut values = vec![0.0f32; batch * size];
    values
        .par_chunks_exact_mut(size)
        .enumerate()
        .for_each(|(k, image)| {
            let (seed, index) = stream(k);
            let samples = StandardNormal.sample_iter(seed.stream("dvae.latent", index));
            image
                .iter_mut()
                .zip(samples)
                .for_each(|(value, sample)| *value = sample);
        });
    Ok(Tensor::from_vec(
        values,
        (batch, height, width, channels),
        &Device::Cpu,
    )?)
}
