//! DenseNet-121 (Huang et al., 2017) for small images: a 3 x 3 stem without stride and no pooling behind it. Names and
//! shapes of the tensors are torchvision's, the stem's kernel apart.

use candle_core::Tensor;

use super::Classifier;
use crate::nn::Mode;
use crate::nn::layers::{BatchNorm, Conv2d, Linear};
use crate::nn::ops::{average_pool2d, concat_channels, global_average_pool};
use crate::nn::params::Params;
use crate::nn::unit::{Unit, conv};
use crate::{Result, Seed};

/// Channels that each layer adds.
const GROWTH: usize = 32;
/// Layers of each dense block.
const DEPTHS: [usize; 4] = [6, 12, 24, 16];

pub(super) struct DenseNet {
    params: Params,
    stem: Unit,
    blocks: Vec<Dense>,
    norm: BatchNorm,
    classifier: Linear,
}

/// A dense block and, after all but the last, the transition that halves channels and sides.
struct Dense {
    layers: Vec<[PreUnit; 2]>,
    transition: Option<PreUnit>,
}

impl DenseNet {
    pub(super) fn new(classes: usize, seed: Seed) -> Result<Self> {
        let mut params = Params::new(seed);
        let names = ["features.conv0", "features.norm0"];
        let mut channels = 2 * GROWTH;
        let stem = Unit::new(&mut params, names, (3, channels), conv(3, 1), true)?;
        let mut blocks = Vec::new();
        for (block, depth) in (1..).zip(DEPTHS) {
            let mut layers = Vec::new();
            for layer in 1..=depth {
                let name = format!("features.denseblock{block}.denselayer{layer}");
                let mut unit = |part: u8, shape, kernel| {
                    let names = ["norm", "conv"].map(|kind| format!("{name}.{kind}{part}"));
                    PreUnit::new(&mut params, &names, shape, kernel)
                };
                let narrow = 4 * GROWTH;
                layers.push([
                    unit(1, (channels, narrow), 1)?,
                    unit(2, (narrow, GROWTH), 3)?,
                ]);
                channels += GROWTH;
            }
            let transition = if block < DEPTHS.len() {
                let names =
                    ["norm", "conv"].map(|kind| format!("features.transition{block}.{kind}"));
                let shape = (channels, channels / 2);
                channels /= 2;
                Some(PreUnit::new(&mut params, &names, shape, 1)?)
            } else {
                None
            };
            blocks.push(Dense { layers, transition });
        }
        Ok(Self {
            norm: BatchNorm::new(&mut params, "features.norm5", channels, true)?,
            classifier: Linear::new(&mut params, "classifier", (channels, classes))?,
            stem,
            blocks,
            params,
        })
    }
}

impl Classifier for DenseNet {
    fn params(&self) -> &Params {
        &self.params
    }

    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = self.stem.forward(x, mode)?;
        for block in &self.blocks {
            for [first, second] in &block.layers {
                let new = second.forward(&first.forward(&h, mode)?, mode)?;
                h = concat_channels(mode, &h, &new)?;
            }
            if let Some(transition) = &block.transition {
                h = average_pool2d(mode, &transition.forward(&h, mode)?, 2)?;
            }
        }
        let h = self.norm.forward(&h, mode)?;
        Ok(global_average_pool(mode, &h)?)
    }

    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.classifier.forward(features, mode)
    }
}

/// Batch norm, ReLU, and the convolution behind them.
struct PreUnit(BatchNorm, Conv2d);

impl PreUnit {
    fn new(
        params: &mut Params,
        [norm, name]: &[String; 2],
        shape: (usize, usize),
        kernel: usize,
    ) -> Result<Self> {
        Ok(Self(
            BatchNorm::new(params, norm, shape.0, true)?,
            Conv2d::new(params, name, shape, conv(kernel, 1), false)?,
        ))
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.1.forward(&self.0.forward(x, mode)?, mode)
    }
}
