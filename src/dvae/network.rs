//! The D-VAE's forward pass.

use candle_core::{Device, Tensor, Var};

use super::DvaeConfig;
use super::decoder::Decoder;
use super::encoder::{Encoder, POINTWISE};
use crate::nn::Mode;
use crate::nn::layers::Conv2d;
use crate::nn::ops::{add_embedding, reparameterize, sigmoid};
use crate::nn::params::{Init, Params};
use crate::{Result, Seed};

/// Encoder, latent, and one or two decoders, for images with even sides.
#[derive(Clone, Debug)]
pub struct Network {
    params: Params,
    encoder: Encoder,
    post: Conv2d,
    image: Decoder,
    perturbation: Option<Perturbation>,
    classes: usize,
    /// Height, width and channels of the latent.
    latent: [usize; 3],
}

/// The perturbation decoder with its class embedding.
#[derive(Clone, Debug)]
struct Perturbation {
    decoder: Decoder,
    /// `[classes, channels * height * width]` at half resolution.
    embedding: Var,
}

/// What one forward pass gives; images are `[b, h, w, 3]`.
#[derive(Clone, Debug)]
pub struct Output {
    /// x̂, in (0, 1).
    pub reconstruction: Tensor,
    /// p̂, unbounded; absent without the perturbation decoder.
    pub perturbation: Option<Tensor>,
    /// Mean of the latent, `[b, h/2, w/2, latent]`.
    pub mean: Tensor,
    /// Log variance of the latent, as the mean.
    pub log_variance: Tensor,
}

impl Network {
    /// A fresh network for `height` x `width` images (even) of `classes` classes, its weights drawn from `seed`.
    ///
    /// # Errors
    /// If the tensor library refuses a shape.
    pub fn new(
        config: &DvaeConfig,
        classes: usize,
        (height, width): (usize, usize),
        seed: Seed,
    ) -> Result<Self> {
        let mut params = Params::new(seed);
        let [_, half] = config.widths;
        let encoder = Encoder::new(&mut params, config)?;
        let post = Conv2d::new(&mut params, "post", (config.latent, half), POINTWISE, true)?;
        let image = Decoder::new(&mut params, "image", config.widths)?;
        let perturbation = if config.perturbation_decoder {
            let decoder = Decoder::new(&mut params, "perturbation", config.widths)?;
            let table = [classes, half * (height / 2) * (width / 2)];
            let start = config.embedding_bound.map_or(Init::Normal, Init::Uniform);
            let embedding = params.trainable("embedding.weight", &table, start)?;
            Some(Perturbation { decoder, embedding })
        } else {
            None
        };
        Ok(Self {
            params,
            encoder,
            post,
            image,
            perturbation,
            classes,
            latent: [height / 2, width / 2, config.latent],
        })
    }

    /// Its tensors.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// How many classes its embedding holds.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Shape of the latent of one image: height, width, channels.
    pub fn latent_shape(&self) -> [usize; 3] {
        self.latent
    }

    /// Runs images `x`, `[b, h, w, 3]` in [0, 1], with their labels. The latent is its mean, or the mean plus deviation
    /// times `noise`, `[b, h/2, w/2, latent]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a label is out of range.
    pub fn forward(
        &self,
        x: &Tensor,
        labels: &[u32],
        noise: Option<&Tensor>,
        mode: Mode<'_>,
    ) -> Result<Output> {
        let (mean, log_variance) = self.encoder.forward(x, mode)?;
        let z = match noise {
            Some(noise) => reparameterize(mode, &mean, &log_variance, noise)?,
            None => mean.clone(),
        };
        let h = self.post.forward(&z, mode)?;
        let reconstruction = sigmoid(mode, &self.image.forward(&h, mode)?)?;
        let perturbation = self
            .perturbation
            .as_ref()
            .map(|perturbation| perturbation.forward(&h, labels, mode))
            .transpose()?;
        Ok(Output {
            reconstruction,
            perturbation,
            mean,
            log_variance,
        })
    }

    /// What the perturbation decoder draws for each class where the image says nothing (a latent of zero):
    /// `[classes, h, w, 3]`. Absent without that decoder.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn class_perturbation(&self) -> Result<Option<Tensor>> {
        let Some(perturbation) = &self.perturbation else {
            return Ok(None);
        };
        let [height, width, channels] = self.latent;
        let shape = (self.classes, height, width, channels);
        let z = Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu)?;
        let h = self.post.forward(&z, Mode::Eval)?;
        let labels: Vec<u32> = (0..self.classes as u32).collect();
        perturbation.forward(&h, &labels, Mode::Eval).map(Some)
    }
}

impl Perturbation {
    fn forward(&self, h: &Tensor, labels: &[u32], mode: Mode<'_>) -> Result<Tensor> {
        let h = add_embedding(mode, h, &self.embedding, labels)?;
        self.decoder.forward(&h, mode)
    }
}
