//! The simple networks of UDP (Zhu et al., AAAI 2024, section 4): one linear layer, or two with a ReLU between.

use candle_core::Tensor;

use crate::nn::Mode;
use crate::nn::layers::Linear;
use crate::nn::ops::relu;
use crate::nn::params::Params;
use crate::zoo::{Classifier, Samples};
use crate::{Result, Seed};

pub(super) struct Simple {
    params: Params,
    hidden: Option<Linear>,
    last: Linear,
}

impl Simple {
    /// For images like `samples`, with so many `hidden` units, or none.
    pub(super) fn new(samples: &Samples<'_>, hidden: Option<usize>, seed: Seed) -> Result<Self> {
        let mut params = Params::new(seed);
        let mut inputs = samples.height * samples.width * 3;
        let layer = hidden.map(|units| {
            let layer = Linear::new(&mut params, "hidden", (inputs, units));
            inputs = units;
            layer
        });
        let hidden = layer.transpose()?;
        let last = Linear::new(&mut params, "fc", (inputs, samples.classes))?;
        Ok(Self {
            params,
            hidden,
            last,
        })
    }
}

impl Classifier for Simple {
    fn params(&self) -> &Params {
        &self.params
    }

    fn features(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let x = x.flatten_from(1)?;
        match &self.hidden {
            Some(hidden) => Ok(relu(mode, &hidden.forward(&x, mode)?)?),
            None => Ok(x),
        }
    }

    fn head(&self, features: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.last.forward(features, mode)
    }
}
