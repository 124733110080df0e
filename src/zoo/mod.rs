//! EVALUATE: classifiers that say what a training set teaches. Whoever trains on unlearnable examples learns nothing that
//! holds on clean pictures: the accuracy on a clean test set is the measure of an attack, and of what undid it.

mod densenet;
mod fast;
mod mobilenet;
mod recipe;
mod resnet;
mod samples;
mod test;
mod train;

pub use recipe::{Recipe, Schedule};
pub use samples::{Images, Samples};
pub use test::Evaluation;
pub use train::{Trained, fit, train, train_from, train_watched};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use densenet::DenseNet;
use fast::Fast;
use mobilenet::MobileNet;
use resnet::{Kind, ResNet};

use crate::nn::Mode;
use crate::nn::params::Params;
use crate::{Error, Result, Seed};

/// A network that gives each image a number for each class.
pub trait Classifier: Send + Sync {
    /// Its tensors, by the names of a PyTorch `state_dict`.
    fn params(&self) -> &Params;

    /// `[b, h, w, 3]` in [0, 1] to the numbers before the last layer, `[b, ..]`, `width` an image.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor>;

    /// [`Classifier::features`] to logits, `[b, classes]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor>;

    /// `[b, h, w, 3]` in [0, 1] to logits `[b, classes]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.head(&self.features(x, mode)?, mode)
    }
}

/// A classifier by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The fast one with narrow layers: for attacks, which need many passes through it.
    Small,
    /// A small network with a whitened first layer, trained in minutes on a CPU.
    Fast,
    /// ResNet-18 with a quarter of the channels: the paper's judge at a CPU's scale, which takes pictures as they are.
    #[serde(rename = "resnet18-w16")]
    ResNet18W16,
    /// ResNet-18 with a stem for small images.
    ResNet18,
    /// ResNet-50 with a stem for small images.
    ResNet50,
    /// DenseNet-121 with a stem for small images.
    DenseNet121,
    /// MobileNetV2 as it is for large ones.
    MobileNetV2,
}

impl Architecture {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Fast => "fast",
            Self::ResNet18W16 => "resnet18-w16",
            Self::ResNet18 => "resnet18",
            Self::ResNet50 => "resnet50",
            Self::DenseNet121 => "densenet121",
            Self::MobileNetV2 => "mobilenetv2",
        }
    }

    /// The shortest side of an image that it can take, pixels.
    pub fn smallest_side(self) -> usize {
        match self {
            Self::Small | Self::Fast => 16,
            Self::DenseNet121 => 8,
            Self::ResNet18W16 | Self::ResNet18 | Self::ResNet50 | Self::MobileNetV2 => 1,
        }
    }

    /// A fresh network for the samples it will be trained on, its weights drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Settings`] for images that are too small, or if the tensor library refuses a shape.
    pub fn build(self, samples: &Samples<'_>, seed: Seed) -> Result<Box<dyn Classifier>> {
        let Samples {
            height,
            width,
            classes,
            ..
        } = *samples;
        let least = self.smallest_side();
        if height.min(width) < least {
            return Err(Error::Settings {
                name: "image size",
                problem: format!(
                    "{height}x{width} is too small for {}; sides must be at least {least}",
                    self.name()
                ),
            });
        }
        Ok(match self {
            Self::Small => Box::new(Fast::new(samples, [16, 32, 64], seed)?),
            Self::Fast => Box::new(Fast::new(samples, [32, 128, 128], seed)?),
            Self::ResNet18W16 => Box::new(ResNet::new(Kind::Basic, 16, [2; 4], classes, seed)?),
            Self::ResNet18 => Box::new(ResNet::new(Kind::Basic, 64, [2; 4], classes, seed)?),
            Self::ResNet50 => {
                let depths = [3, 4, 6, 3];
                Box::new(ResNet::new(Kind::Bottleneck, 64, depths, classes, seed)?)
            }
            Self::DenseNet121 => Box::new(DenseNet::new(classes, seed)?),
            Self::MobileNetV2 => Box::new(MobileNet::new(classes, seed)?),
        })
    }
}
