//! MobileNetV2 (Sandler et al., 2018) as torchvision builds it, without its dropout. The paper's tests run it as it is on
//! 32 x 32 pixels, of which its strides of 32 leave one.

use candle_core::Tensor;

use super::Classifier;
use crate::nn::Mode;
use crate::nn::layers::{BatchNorm, DepthwiseConv2d, Linear};
use crate::nn::ops::{Conv, global_average_pool, relu6, sum};
use crate::nn::params::Params;
use crate::nn::unit::{Unit, conv};
use crate::{Result, Seed};

/// Expansion, channels, blocks and first stride of each stage.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];
const STEM: usize = 32;
const LAST: usize = 1280;

pub(super) struct MobileNet {
    params: Params,
    stem: Unit,
    blocks: Vec<InvertedResidual>,
    head: Unit,
    classifier: Linear,
}

impl MobileNet {
    pub(super) fn new(classes: usize, seed: Seed) -> Result<Self> {
        let mut params = Params::new(seed);
        let stem = unit(&mut params, "features.0", (0, 1), (3, STEM), conv(3, 2))?;
        let mut blocks = Vec::new();
        let mut from = STEM;
        for (expansion, to, depth, stride) in STAGES {
            for index in 0..depth {
                let name = format!("features.{}.conv", blocks.len() + 1);
                let stride = if index == 0 { stride } else { 1 };
                let block =
                    InvertedResidual::new(&mut params, &name, (from, to), expansion, stride)?;
                blocks.push(block);
                from = to;
            }
        }
        let name = format!("features.{}", blocks.len() + 1);
        Ok(Self {
            head: unit(&mut params, &name, (0, 1), (from, LAST), conv(1, 1))?,
            classifier: Linear::new(&mut params, "classifier.1", (LAST, classes))?,
            stem,
            blocks,
            params,
        })
    }
}

impl Classifier for MobileNet {
    fn params(&self) -> &Params {
        &self.params
    }

    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = relu6(mode, &self.stem.forward(x, mode)?)?;
        for block in &self.blocks {
            h = block.forward(&h, mode)?;
        }
        let h = relu6(mode, &self.head.forward(&h, mode)?)?;
        Ok(global_average_pool(mode, &h)?)
    }

    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.classifier.forward(features, mode)
    }
}

/// A unit without ReLU whose tensors are numbered parts of `name`.
fn unit(
    params: &mut Params,
    name: &str,
    (conv_part, norm_part): (usize, usize),
    shape: (usize, usize),
    conv: Conv,
) -> Result<Unit> {
    let names = [conv_part, norm_part].map(|part| format!("{name}.{part}"));
    Unit::new(
        params,
        names.each_ref().map(String::as_str),
        shape,
        conv,
        false,
    )
}

/// More channels, each filtered alone, then few again; no rectifier where they are few.
struct InvertedResidual {
    expand: Option<Unit>,
    depthwise: (DepthwiseConv2d, BatchNorm),
    project: Unit,
    residual: bool,
}

impl InvertedResidual {
    fn new(
        params: &mut Params,
        name: &str,
        (from, to): (usize, usize),
        expansion: usize,
        stride: usize,
    ) -> Result<Self> {
        let inner = from * expansion;
        let expand = if expansion == 1 {
            None
        } else {
            let name = format!("{name}.0");
            Some(unit(params, &name, (0, 1), (from, inner), conv(1, 1))?)
        };
        let next = usize::from(expand.is_some());
        let part = |part: usize| format!("{name}.{next}.{part}");
        let depthwise = (
            DepthwiseConv2d::new(params, &part(0), inner, conv(3, stride))?,
            BatchNorm::new(params, &part(1), inner, false)?,
        );
        let parts = (next + 1, next + 2);
        Ok(Self {
            expand,
            depthwise,
            project: unit(params, name, parts, (inner, to), conv(1, 1))?,
            residual: stride == 1 && from == to,
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = x.clone();
        if let Some(expand) = &self.expand {
            h = relu6(mode, &expand.forward(&h, mode)?)?;
        }
        let (depthwise, norm) = &self.depthwise;
        h = relu6(mode, &norm.forward(&depthwise.forward(&h, mode)?, mode)?)?;
        h = self.project.forward(&h, mode)?;
        Ok(if self.residual { sum(mode, x, &h)? } else { h })
    }
}
