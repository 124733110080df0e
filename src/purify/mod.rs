//! PURIFY: pictures without the perturbation that makes them unlearnable, before anyone trains on them.
//!
//! A method that looks at one picture at a time takes it at its stored size. One that learns from the drop works on the
//! pixel block, and only where the block holds the pictures as stored: pictures of one size with sides up to 32.

mod bdr;
mod gray;
mod inference;
mod jpeg;
mod kept;
mod lfu;
mod two_stage;
mod vae;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Image};
use crate::dvae::DvaeConfig;
use crate::nn::Precision;
use crate::observe::Observer;
use crate::settings::Preset;
use crate::{Error, Result, Seed};

pub use bdr::Bdr;
pub use gray::Gray;
pub use inference::Inference;
pub use jpeg::Jpeg;
pub use kept::discard;
pub use lfu::{Lfu, Projection};
pub use two_stage::{Steps, Subtracted, TwoStage};
pub use vae::Vae;

/// A way to purify a drop.
pub trait Purifier {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// All that may change its result, the seed and the data apart.
    fn settings(&self) -> serde_json::Value;

    /// Learns what there is to learn from the readable rows of `data`.
    ///
    /// # Errors
    /// [`Error::Settings`] where the data or the settings do not suit the method, [`Error::Checkpoint`] where
    /// [`Job::keep`] holds something else, [`Error::Numeric`] if a training fails, [`Error::Interrupted`].
    fn purify(&self, data: &Dataset, job: Job<'_>) -> Result<Cure>;
}

/// What a purification is given beside the data.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The seed of all randomness.
    pub seed: Seed,
    /// A folder of its own in which finished work is kept, so that a purification that was stopped goes on from there;
    /// made when there is something to keep.
    pub keep: Option<&'a Path>,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// A picture to its pure form.
pub type PictureCure = Box<dyn Fn(&Image) -> Result<Image>>;

/// What gives each picture its pure form.
pub enum Cure {
    /// A picture at a time, at its stored size.
    Picture(PictureCure),
    /// All readable rows at once, `[readable, height, width, 3]`.
    Block(Vec<u8>),
}

impl Cure {
    /// The pure form of readable row `k` of `data`, whose picture as stored is `stored`. A grey picture stays grey: networks
    /// of three channels would give it a faint colour, and files of one channel could not hold it.
    ///
    /// # Errors
    /// If a codec refuses.
    pub fn image(&self, data: &Dataset, k: usize, stored: &Image) -> Result<Image> {
        let pure = match self {
            Self::Picture(purify) => purify(stored)?,
            Self::Block(pixels) => {
                let size = data.height * data.width * 3;
                Image {
                    height: data.height,
                    width: data.width,
                    rgb: pixels[k * size..(k + 1) * size].to_vec(),
                }
            }
        };
        Ok(match stored.is_grey() {
            true => Gray::apply(&pure),
            false => pure,
        })
    }
}

/// What can be chosen of the methods that train a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Size of the networks and length of their training.
    pub preset: Preset,
    /// The last rate limit, nats per latent position.
    pub rate: f64,
    /// What `dvae` does.
    pub steps: Steps,
    /// Which latents are decoded; `None`: means at the fast preset, sampled ones at the paper's.
    pub inference: Option<Inference>,
    /// What the convolutions of its networks multiply while they are trained.
    pub precision: Precision,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            preset: Preset::default(),
            rate: TwoStage::SECOND_RATE,
            steps: Steps::ALL,
            inference: None,
            precision: Precision::default(),
        }
    }
}

/// A method by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Two stages of the D-VAE.
    #[default]
    Dvae,
    /// The rate-constrained VAE without a second decoder.
    Vae,
    /// JPEG at a low quality.
    Jpeg,
    /// Grey.
    Gray,
    /// Fewer bits.
    Bdr,
    /// The most predictive linear directions taken out.
    Lfu,
}

impl Method {
    /// The method with its published settings, where `options` does not say otherwise, for a drop of so many `rows`.
    pub fn build(self, options: Options, rows: usize) -> Box<dyn Purifier> {
        let Options {
            preset,
            rate,
            steps,
            inference,
            precision,
        } = options;
        match self {
            Self::Dvae => {
                let mut method = match preset {
                    Preset::Fast => TwoStage::fast(rows),
                    Preset::Paper => TwoStage::new(DvaeConfig::paper()),
                };
                for stage in &mut method.stages {
                    stage.precision = precision;
                }
                method.stages[1].kld_limit = rate;
                method.steps = steps;
                method.inference = inference.unwrap_or(method.inference);
                Box::new(method)
            }
            Self::Vae => {
                let (network, usual) = match preset {
                    Preset::Fast => (DvaeConfig::fast_pictures_for(rows), Inference::Mean),
                    Preset::Paper => (DvaeConfig::paper(), Inference::Sampled),
                };
                let network = DvaeConfig {
                    kld_limit: rate,
                    precision,
                    ..network
                };
                Box::new(Vae::new(network, inference.unwrap_or(usual)))
            }
            Self::Jpeg => Box::new(Jpeg::default()),
            Self::Gray => Box::new(Gray),
            Self::Bdr => Box::new(Bdr::default()),
            Self::Lfu => Box::new(Lfu::default()),
        }
    }
}

/// Refuses data whose block is not what is stored: its detail is gone, and writing it back would shrink the pictures.
fn require_stored_size(data: &Dataset, method: &str) -> Result<()> {
    if data.resized == 0 {
        return Ok(());
    }
    Err(Error::Settings {
        name: "--method",
        problem: format!(
            "{method} learns from pictures of one size with sides up to 32, and {} of {} are not; jpeg, gray and bdr take \
             any size",
            data.resized,
            data.readable().len()
        ),
    })
}

/// [0, 1] to bytes as the published code does it: clipped, then truncated.
fn truncated(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grey_picture_stays_grey() {
        let colourful = [40, 50, 60, 7, 7, 7];
        let names = vec!["all".to_string()];
        let data =
            Dataset::from_pixels("test", "two pixels", names, (1, 2), colourful.into(), &[0]);
        let cure = Cure::Block(colourful.into());
        let pure = |rgb: [u8; 6]| {
            let stored = Image {
                height: 1,
                width: 2,
                rgb: rgb.into(),
            };
            cure.image(&data, 0, &stored).map(|image| image.rgb)
        };
        assert!(matches!(pure([9, 8, 9, 1, 1, 1]), Ok(rgb) if rgb == colourful));
        assert!(matches!(pure([9, 9, 9, 1, 1, 1]), Ok(rgb) if rgb == [48, 48, 48, 7, 7, 7]));
    }

    #[test]
    fn bytes_survive_the_way_to_reals_and_back() {
        for byte in 0..=255u8 {
            assert_eq!(truncated(f32::from(byte) / 255.0), byte);
        }
        assert_eq!([truncated(-1.0), truncated(2.0)], [0, 255]);
    }
}
