//! Image to latent: the front of a ResNet-18 (He et al., 2016) with a stem for small images, at half resolution, then
//! mean and log variance.

use candle_core::Tensor;

use super::DvaeConfig;
use crate::Result;
use crate::nn::Mode;
use crate::nn::layers::{BatchNorm, Conv2d};
use crate::nn::ops::{Conv, add_relu};
use crate::nn::params::Params;

pub(super) const POINTWISE: Conv = Conv {
    kernel: 1,
    stride: 1,
    padding: 0,
};
const SAME: Conv = Conv {
    kernel: 3,
    stride: 1,
    padding: 1,
};
const HALVE: Conv = Conv {
    kernel: 3,
    stride: 2,
    padding: 1,
};
const HALVE_POINTWISE: Conv = Conv {
    kernel: 1,
    stride: 2,
    padding: 0,
};

#[derive(Clone, Debug)]
pub(super) struct Encoder {
    stem: (Conv2d, BatchNorm),
    blocks: Vec<Block>,
    mean: Conv2d,
    log_variance: Conv2d,
}

impl Encoder {
    pub(super) fn new(params: &mut Params, config: &DvaeConfig) -> Result<Self> {
        let [full, half] = config.widths;
        let conv = Conv2d::new(params, "conv1", (3, full), SAME, false)?;
        let stem = (conv, BatchNorm::new(params, "bn1", full, true)?);
        let mut blocks = (0..config.blocks)
            .map(|index| Block::new(params, &format!("layer1.{index}"), (full, full), SAME))
            .collect::<Result<Vec<_>>>()?;
        blocks.push(Block::new(params, "layer2", (full, half), HALVE)?);
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
        let (conv, norm) = &self.stem;
        let mut h = norm.forward(&conv.forward(x, mode)?, mode)?;
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
    inner: [(Conv2d, BatchNorm); 2],
    shortcut: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(params: &mut Params, name: &str, (ci, co): (usize, usize), first: Conv) -> Result<Self> {
        let conv1 = Conv2d::new(params, &format!("{name}.conv1"), (ci, co), first, false)?;
        let bn1 = BatchNorm::new(params, &format!("{name}.bn1"), co, true)?;
        let conv2 = Conv2d::new(params, &format!("{name}.conv2"), (co, co), SAME, false)?;
        let bn2 = BatchNorm::new(params, &format!("{name}.bn2"), co, false)?;
        let shortcut = if first.stride == 1 && ci == co {
            None
        } else {
            let name = format!("{name}.shortcut");
            let conv = Conv2d::new(
                params,
                &format!("{name}.0"),
                (ci, co),
                HALVE_POINTWISE,
                false,
            )?;
            Some((
                conv,
                BatchNorm::new(params, &format!("{name}.1"), co, false)?,
            ))
        };
        Ok(Self {
            inner: [(conv1, bn1), (conv2, bn2)],
            shortcut,
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let mut h = x.clone();
        for (conv, norm) in &self.inner {
            h = norm.forward(&conv.forward(&h, mode)?, mode)?;
        }
        let skip = match &self.shortcut {
            Some((conv, norm)) => norm.forward(&conv.forward(x, mode)?, mode)?,
            None => x.clone(),
        };
        Ok(add_relu(mode, &h, &skip)?)
    }
}
