//! A network that learns a step at a time beside the perturbation, and that can be put on file between two steps.

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::{Shape, failed, fill, to_bytes};
use crate::nn::ops::cross_entropy;
use crate::nn::optim::{Optimizer, Sgd};
use crate::nn::params::Params;
use crate::nn::{Mode, Tape};
use crate::zoo::Classifier;
use crate::{Error, Result};

/// Momentum of the descent.
pub(in super::super) const MOMENTUM: f64 = 0.9;
/// Weight decay, on every parameter.
pub(in super::super) const DECAY: f64 = 5e-4;

/// The network and its optimiser.
pub(in super::super) struct Learner {
    network: Box<dyn Classifier>,
    descent: Sgd,
}

impl Learner {
    /// At rest. Gradients whose joint norm exceeds `clip_norm` are scaled down to it.
    pub(in super::super) fn new(network: Box<dyn Classifier>, clip_norm: Option<f64>) -> Self {
        let descent = Sgd::new(network.params(), MOMENTUM)
            .weight_decay(DECAY)
            .clip_norm(clip_norm);
        Self { network, descent }
    }

    pub(in super::super) fn network(&self) -> &dyn Classifier {
        &*self.network
    }

    /// One step of training on the pictures `x`.
    pub(in super::super) fn learn(
        &mut self,
        x: Vec<f32>,
        shape: Shape,
        labels: &[u32],
        rate: f64,
    ) -> Result<()> {
        let x = Tensor::from_vec(x, shape, &Device::Cpu)?;
        let tape = Tape::new();
        let mode = Mode::Train(&tape);
        let loss = cross_entropy(mode, &self.network.forward(&x, mode)?, labels, 0.0)?;
        let norm = self.descent.step(&tape.gradients(&[(loss, 1.0)])?, rate)?;
        match norm.is_finite() {
            true => Ok(()),
            false => Err(failed("the surrogate's gradient is not finite")),
        }
    }

    /// Network and velocities, for a work file.
    pub(in super::super) fn parts(&mut self) -> Result<[Vec<u8>; 2]> {
        let velocities = self.descent.memory().buffers.into_iter();
        let velocities = to_bytes(velocities.flat_map(|values| &*values));
        Ok([parts_of(self.network.params())?, velocities])
    }

    /// Back to what [`Learner::parts`] gave.
    pub(in super::super) fn restore(&mut self, [network, velocities]: [&[u8]; 2]) -> Result<()> {
        restore(network, self.network.params())?;
        let buffers = self.descent.memory().buffers;
        let count: usize = buffers.iter().map(|values| values.len()).sum();
        if velocities.len() != count * size_of::<f32>() {
            return Err(failed("the work file has other velocities"));
        }
        fill(buffers.into_iter().flatten(), velocities);
        Ok(())
    }
}

/// The tensors of a network as bytes.
pub(in super::super) fn parts_of(params: &Params) -> Result<Vec<u8>> {
    params.to_safetensors(("part", "surrogate".into()))
}

/// Puts them back.
pub(in super::super) fn restore(bytes: &[u8], params: &Params) -> Result<()> {
    let loaded = match SafeTensors::deserialize(bytes) {
        Ok(file) => params.load(&file),
        Err(error) => Err(error.to_string()),
    };
    loaded.map_err(|problem| Error::Numeric {
        stage: "attack",
        problem,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::zoo::{Architecture, Images, Samples};
    use rand::RngExt;

    const SHAPE: Shape = (6, 16, 16, 3);

    fn network(pixels: &[f32]) -> Box<dyn Classifier> {
        let samples = Samples {
            height: 16,
            width: 16,
            images: Images::Reals(pixels),
            labels: vec![0, 1, 2, 0, 1, 2],
            classes: 3,
        };
        Architecture::Small.build(&samples, Seed(3)).unwrap()
    }

    fn pixels() -> Vec<f32> {
        let mut rng = Seed(1).stream("pixels", 0);
        (0..6 * 16 * 16 * 3).map(|_| rng.random()).collect()
    }

    fn all(params: &Params) -> Vec<Vec<f32>> {
        params
            .entries()
            .iter()
            .map(|p| p.var.flatten_all().unwrap().to_vec1().unwrap())
            .collect()
    }

    #[test]
    fn it_goes_on_from_its_parts() {
        let x = pixels();
        let labels = [0, 1, 2, 0, 1, 2];
        let learn = |learner: &mut Learner| learner.learn(x.clone(), SHAPE, &labels, 0.1).unwrap();
        let mut learner = Learner::new(network(&x), None);
        learn(&mut learner);
        let [a, b] = learner.parts().unwrap();
        let mut other = Learner::new(network(&x), None);
        other.restore([&a, &b]).unwrap();
        learn(&mut learner);
        learn(&mut other);
        assert_eq!(
            all(learner.network().params()),
            all(other.network().params())
        );
    }
}
