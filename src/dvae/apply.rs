//! Use: reconstruction and perturbation of each row.

use std::ops::Range;

use candle_core::Tensor;

use super::Dvae;
use super::fit::noise;
use crate::data::Dataset;
use crate::nn::Mode;
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Which latent an image is decoded from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latent {
    /// Its mean: the same answer each time, for scoring.
    #[default]
    Mean,
    /// A sample, as the published purification does; each row has its own stream of this seed.
    Sampled(Seed),
}

/// Every row taken apart; both blocks are `[readable, height, width, 3]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Disentangled {
    /// x̂, in (0, 1).
    pub reconstruction: Vec<f32>,
    /// p̂ in [0, 1] pixel units, unbounded; zero without the perturbation decoder.
    pub perturbation: Vec<f32>,
}

/// Some rows taken apart; both blocks are `[rows, height, width, 3]`, as in [`Disentangled`].
#[derive(Clone, Debug)]
pub struct BatchOutput {
    /// The rows, in block order.
    pub rows: Range<usize>,
    /// x̂.
    pub reconstruction: Vec<f32>,
    /// p̂.
    pub perturbation: Vec<f32>,
}

/// Images decoded at once: fewer than in training, since no statistics are taken.
const BATCH: usize = 64;

impl Dvae {
    /// Takes every readable row of `data` apart.
    ///
    /// # Errors
    /// As [`Dvae::apply_batches`].
    pub fn apply(
        &self,
        data: &Dataset,
        latent: Latent,
        observer: &dyn Observer,
    ) -> Result<Disentangled> {
        let mut all = Disentangled {
            reconstruction: Vec::with_capacity(data.pixels().len()),
            perturbation: Vec::with_capacity(data.pixels().len()),
        };
        self.apply_batches(data, latent, observer, |batch| {
            all.reconstruction.extend(batch.reconstruction);
            all.perturbation.extend(batch.perturbation);
            Ok(())
        })?;
        Ok(all)
    }

    /// Takes the readable rows of `data` apart a few at a time, in block order, so that not all need be kept.
    ///
    /// # Errors
    /// [`Error::Settings`] where the data has another image size or a class that the model does not know,
    /// [`Error::Interrupted`] when the observer says so, and whatever `visit` returns.
    pub fn apply_batches(
        &self,
        data: &Dataset,
        latent: Latent,
        observer: &dyn Observer,
        mut visit: impl FnMut(BatchOutput) -> Result<()>,
    ) -> Result<()> {
        let labels = data.labels();
        self.check_fits(data, &labels)?;
        observer.stage("apply D-VAE", labels.len() as u64);
        for start in (0..labels.len()).step_by(BATCH) {
            observer.check()?;
            let rows = start..labels.len().min(start + BATCH);
            let x = self.frame.tensor(rows.clone().map(|row| data.image(row)))?;
            let parts = self.part(&x, &labels[rows.clone()], latent, start)?;
            observer.progress(rows.end as u64);
            visit(BatchOutput {
                rows,
                reconstruction: parts.reconstruction,
                perturbation: parts.perturbation,
            })?;
        }
        Ok(())
    }

    /// Takes the readable rows `rows` of `data` apart, in that order, from the means of their latents.
    ///
    /// # Errors
    /// As [`Dvae::apply_batches`].
    pub fn apply_rows(&self, data: &Dataset, rows: &[usize]) -> Result<Disentangled> {
        let labels = data.labels();
        self.check_fits(data, &labels)?;
        let x = self.frame.tensor(rows.iter().map(|&row| data.image(row)))?;
        let labels: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
        self.part(&x, &labels, Latent::Mean, 0)
    }

    /// Takes a few images apart that need not be bytes: `images` is `[labels, height, width, 3]` in [0, 1], and stands
    /// for the rows from `first` on, whose noise it gets.
    ///
    /// # Errors
    /// If the shapes do not fit or a label is not known.
    pub fn apply_reals(
        &self,
        images: &[f32],
        labels: &[u32],
        latent: Latent,
        first: usize,
    ) -> Result<Disentangled> {
        let (height, width) = self.image_size();
        let x = self.frame.tensor(images.chunks_exact(height * width * 3))?;
        self.part(&x, labels, latent, first)
    }

    fn part(
        &self,
        x: &Tensor,
        labels: &[u32],
        latent: Latent,
        first: usize,
    ) -> Result<Disentangled> {
        let noise = match latent {
            Latent::Mean => None,
            Latent::Sampled(seed) => {
                let shape = self.network.latent_shape();
                Some(noise(shape, labels.len(), |k| (seed, (first + k) as u64))?)
            }
        };
        let output = self
            .network
            .forward(x, labels, noise.as_ref(), Mode::Eval)?;
        let reconstruction = self.frame.crop(&output.reconstruction)?;
        let perturbation = match &output.perturbation {
            Some(perturbation) => self.frame.crop(perturbation)?,
            None => vec![0.0; reconstruction.len()],
        };
        Ok(Disentangled {
            reconstruction,
            perturbation,
        })
    }

    /// The pattern that the label alone calls for, `[classes, height, width, 3]`; `None` without the perturbation
    /// decoder.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn class_perturbation(&self) -> Result<Option<Vec<f32>>> {
        let patterns = self.network.class_perturbation()?;
        patterns
            .map(|patterns| self.frame.crop(&patterns))
            .transpose()
    }

    fn check_fits(&self, data: &Dataset, labels: &[u32]) -> Result<()> {
        let (height, width) = self.image_size();
        let problem = if (data.height, data.width) != (height, width) {
            format!(
                "fitted to {height}x{width} images, the data has {}x{}",
                data.height, data.width
            )
        } else if let Some(label) = labels
            .iter()
            .find(|&&label| label as usize >= self.classes())
        {
            format!(
                "knows {} classes, the data has label {label}",
                self.classes()
            )
        } else {
            return Ok(());
        };
        Err(Error::Settings {
            name: "model",
            problem,
        })
    }
}
