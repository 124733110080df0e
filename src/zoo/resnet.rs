//! ResNet-18 and ResNet-50 (He et al., 2016) for small images: a 3 x 3 stem without stride and no pooling behind it. Names
//! and shapes of the tensors are torchvision's, the stem's kernel apart.

use candle_core::Tensor;

use super::Classifier;
use crate::nn::Mode;
use crate::nn::layers::Linear;
use crate::nn::ops::{add_relu, global_average_pool};
use crate::nn::params::Params;
use crate::nn::unit::{Unit, conv};
use crate::{Result, Seed};

/// What a block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two 3 x 3 convolutions.
    Basic,
    /// A 3 x 3 convolution between two 1 x 1 ones, the last with four times the channels.
    Bottleneck,
}

pub(super) struct ResNet {
    params: Params,
    stem: Unit,
    blocks: Vec<Block>,
    fc: Linear,
}

impl ResNet {
    /// `depths` blocks in the four layers, with `width` channels in the first and twice as many in each of the others; 64 are
    /// usual.
    pub(super) fn new(
        kind: Kind,
        width: usize,
        depths: [usize; 4],
        classes: usize,
        seed: Seed,
    ) -> Result<Self> {
        let mut params = Params::new(seed);
        let stem = Unit::new(&mut params, ["conv1", "bn1"], (3, width), conv(3, 1), true)?;
        let mut blocks = Vec::new();
        let mut from = width;
        for (layer, depth) in depths.into_iter().enumerate() {
            for index in 0..depth {
                let name = format!("layer{}.{index}", layer + 1);
                let stride = if layer > 0 && index == 0 { 2 } else { 1 };
                let inner = width << layer;
                let block = Block::new(&mut params, &name, kind, (from, inner), stride)?;
                blocks.push(block);
                from = kind.outer(inner);
            }
        }
        let fc = Linear::new(&mut params, "fc", (from, classes))?;
        Ok(Self {
            params,
            stem,
            blocks,
            fc,
        })
    }
}

impl Classifier for ResNet {
    fn params(&self) -> &Params {
        &self.params
    }

    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = self.stem.forward(x, mode)?;
        for block in &self.blocks {
            h = block.forward(&h, mode)?;
        }
        Ok(global_average_pool(mode, &h)?)
    }

    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.fc.forward(features, mode)
    }
}

impl Kind {
    /// Channels that leave a block with `inner` channels inside.
    fn outer(self, inner: usize) -> usize {
        match self {
            Self::Basic => inner,
            Self::Bottleneck => 4 * inner,
        }
    }
}

/// Convolutions around a shortcut, which is a convolution itself where the shape changes.
struct Block {
    path: Vec<Unit>,
    downsample: Option<Unit>,
}

impl Block {
    fn new(
        params: &mut Params,
        name: &str,
        kind: Kind,
        (from, inner): (usize, usize),
        stride: usize,
    ) -> Result<Self> {
        let outer = kind.outer(inner);
        let steps = match kind {
            Kind::Basic => vec![(from, inner, conv(3, stride)), (inner, outer, conv(3, 1))],
            Kind::Bottleneck => vec![
                (from, inner, conv(1, 1)),
                (inner, inner, conv(3, stride)),
                (inner, outer, conv(1, 1)),
            ],
        };
        let last = steps.len();
        let mut path = Vec::with_capacity(last);
        for (index, (from, to, conv)) in (1..).zip(steps) {
            let names = [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
            let names = names.each_ref().map(String::as_str);
            path.push(Unit::new(params, names, (from, to), conv, index < last)?);
        }
        let downsample = if stride == 1 && from == outer {
            None
        } else {
            let names = [0, 1].map(|part| format!("{name}.downsample.{part}"));
            let names = names.each_ref().map(String::as_str);
            let shape = (from, outer);
            Some(Unit::new(params, names, shape, conv(1, stride), false)?)
        };
        Ok(Self { path, downsample })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = x.clone();
        for unit in &self.path {
            h = unit.forward(&h, mode)?;
        }
        let skip = match &self.downsample {
            Some(unit) => unit.forward(x, mode)?,
            None => x.clone(),
        };
        Ok(add_relu(mode, &h, &skip)?)
    }
}
