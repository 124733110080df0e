//! Image to latent: the front of a ResNet-18 (He et al., 2016) with a stem for small images, at half resolution, then
//! mean and log variance.

use candle_core::Tensor;

use super::DvaeConfig;
use crate::Result;
use crate::nn::Mode;
use crate::nn::layers::Conv2d;
use crate::nn::ops::{Conv, add_relu};
use crate::nn::params::Params;
use crate::nn::unit::{Unit, conv};

pub(super) const POINTWISE: Conv = conv(1, 1);

#[derive(Clone, Debug)]
pub(super) struct Encoder {
    stem: Unit,
    blocks: Vec<Block>,
    mean: Conv2d,
    log_variance: Conv2d,
}

impl Encoder {
    pub(super) fn new(params: &mut Params, config: &DvaeConfig) -> Result<Self> {
        let [full, half] = config.widths;
        let stem = Unit::new(params, ["conv1", "bn1"], (3, full), conv(3, 1), true)?;
        let mut blocks = (0..config.blocks)
            .map(|index| Block::new(params, &format!("layer1.{index}"), (full, full), 1))
            .collect::<Result<Vec<_>>>()?;
        blocks.push(Block::new(params, "layer2", (full, half), 2)?);
        let shape = (half, config.latent);
        Ok(Self {
            stem,
            blocks,
            mean: Conv2d::new(params, "mu", shape, POINTWISE, true)?,
            log_variance: Conv2d::new(params, "log_var", shape, POINTWISE, true)?,
        })
    }

    /// `[b, h, w, 3]` to mean and log variance, `[b, h/2, w/2, latent]` each.
    pub(super) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<(Tensor, Tensor)> {
        let mut h = self.stem.forward(x, mode)?;
        for block in &self.blocks {
            h = block.forward(&h, mode)?;
        }
        Ok((
            self.mean.forward(&h, mode)?,
            self.log_variance.forward(&h, mode)?,
        ))
    }
}

/// Two convolutions around a shortcut, which is a convolution itself where the shape changes.
#[derive(Clone, Debug)]
struct Block {
    inner: [Unit; 2],
    shortcut: Option<Unit>,
}

impl Block {
    fn new(
        params: &mut Params,
        name: &str,
        (ci, co): (usize, usize),
        stride: usize,
    ) -> Result<Self> {
        let mut unit = |parts: [&str; 2], shape, conv, relu| {
            let names = parts.map(|part| format!("{name}.{part}"));
            Unit::new(params, names, shape, conv, relu)
        };
        let inner = [
            unit(["conv1", "bn1"], (ci, co), conv(3, stride), true)?,
            unit(["conv2", "bn2"], (co, co), conv(3, 1), false)?,
        ];
        let names = ["shortcut.0", "shortcut.1"];
        let shortcut = match stride == 1 && ci == co {
            true => None,
            false => Some(unit(names, (ci, co), conv(1, stride), false)?),
        };
        Ok(Self { inner, shortcut })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = x.clone();
        for unit in &self.inner {
            h = unit.forward(&h, mode)?;
        }
        let skip = match &self.shortcut {
            Some(unit) => unit.forward(x, mode)?,
            None => x.clone(),
        };
        Ok(add_relu(mode, &h, &skip)?)
    }
}
