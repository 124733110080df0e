//! Training on a data set: shuffled batches, a cosine for the learning rate, one noise stream a step.

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::batch::Frame;
use super::{Batch, Dvae, DvaeConfig, Losses, Network, Objective, Provenance, Training};
use crate::data::Dataset;
use crate::nn::schedule::cosine;
use crate::observe::Observer;
use crate::{Error, Result, Seed};

impl Dvae {
    /// Fits a D-VAE to the readable rows of `data`. The last partial batch of an epoch is left out; data smaller than a
    /// batch trains as one.
    ///
    /// # Errors
    /// [`Error::Settings`] for settings or image sizes that cannot work, [`Error::Numeric`] for too few rows or when the
    /// loss stops being a number, [`Error::Interrupted`] when the observer says so.
    pub fn fit(
        data: &Dataset,
        config: &DvaeConfig,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self> {
        config.validate()?;
        let frame = Frame::new(data.height, data.width)?;
        let labels = data.labels();
        let batch = config.batch.min(labels.len());
        if batch < 2 {
            return Err(Error::Numeric {
                stage: "D-VAE training",
                problem: format!("{} readable images; at least 2 are needed", labels.len()),
            });
        }
        let network = Network::new(
            config,
            data.class_names.len(),
            frame.padded(),
            seed.derive("dvae.init", 0),
        )?;
        let steps = labels.len() / batch;
        observer.stage("train D-VAE", (config.epochs * steps) as u64);
        let mut training = Training::new(network, config.clip_norm);
        let mut order: Vec<usize> = (0..labels.len()).collect();
        let mut history = Vec::with_capacity(config.epochs);
        for epoch in 0..config.epochs {
            order.sort_unstable();
            order.shuffle(&mut seed.stream("dvae.shuffle", epoch as u64));
            let objective = Objective::at_epoch(config, epoch);
            let rate = cosine(config.learning_rate, epoch, config.epochs);
            let mut mean = Losses::default();
            for (step, rows) in order.chunks_exact(batch).enumerate() {
                observer.check()?;
                let number = epoch * steps + step;
                let x = frame.tensor(rows.iter().map(|&row| data.image(row)))?;
                let y: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
                let seed = seed.derive("dvae.noise", number as u64);
                let latent = training.network().latent_shape();
                let noise = noise(latent, batch, |k| (seed, k as u64))?;
                match training
                    .step(Batch { x, y, noise }, objective, rate)?
                    .losses
                {
                    Some(losses) => mean.add(losses, (steps as f32).recip()),
                    None => return Err(diverged(epoch, step)),
                }
                observer.progress(number as u64 + 1);
            }
            observer.note(&format!(
                "epoch {}/{}: L_rec {:.5}, L_rec_p {:.5}, KLD {:.3}, mean p^2 {:.5}",
                epoch + 1,
                config.epochs,
                mean.reconstruction,
                mean.disentangled,
                mean.kld,
                mean.energy,
            ));
            history.push(mean);
        }
        Ok(Self {
            network: training.into_network(),
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

fn diverged(epoch: usize, step: usize) -> Error {
    Error::Numeric {
        stage: "D-VAE training",
        problem: format!(
            "the loss or its gradient is not finite in epoch {}, step {}; lower learning_rate",
            epoch + 1,
            step + 1
        ),
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
