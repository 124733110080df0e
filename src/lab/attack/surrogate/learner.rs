//! A network that learns a step at a time beside the perturbation, and that can be put on file between two steps.

use candle_core::{Device, Tensor, Var};
use safetensors::SafeTensors;

use super::{Shape, failed};
use crate::nn::ops::cross_entropy;
use crate::nn::params::{Init, Params};
use crate::nn::{Gradients, Mode, Tape};
use crate::zoo::Classifier;
use crate::{Error, Result, Seed};

/// Momentum of the descent.
pub(in super::super) const MOMENTUM: f32 = 0.9;
/// Weight decay, on every parameter.
pub(in super::super) const DECAY: f32 = 5e-4;

/// The network and its optimiser: stochastic gradient descent with momentum, as [`Sgd`](crate::nn::optim::Sgd), but with
/// velocities that can be written and read.
pub(in super::super) struct Learner {
    network: Box<dyn Classifier>,
    /// The trainable tensors, each with its velocity, in the order of `velocities`.
    slots: Vec<(Var, Var)>,
    velocities: Params,
    clip_norm: Option<f64>,
}

impl Learner {
    /// At rest. Gradients whose joint norm exceeds `clip_norm` are scaled down to it.
    pub(in super::super) fn new(
        network: Box<dyn Classifier>,
        clip_norm: Option<f64>,
    ) -> Result<Self> {
        let mut velocities = Params::new(Seed(0));
        let slots = network.params().trainables().map(|param| {
            let dims = param.var.dims();
            let velocity = velocities.trainable(&param.name, dims, Init::Constant(0.0))?;
            Ok((param.var.clone(), velocity))
        });
        Ok(Self {
            slots: slots.collect::<Result<_>>()?,
            network,
            velocities,
            clip_norm,
        })
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
        self.step(&tape.gradients(&[(loss, 1.0)])?, rate as f32)
    }

    fn step(&mut self, gradients: &Gradients, rate: f32) -> Result<()> {
        let gradient = |(var, _): &(Var, Var)| gradients.get(var).map(numbers).transpose();
        let all: Vec<_> = self.slots.iter().map(gradient).collect::<Result<_>>()?;
        let squares = |values: &Vec<f32>| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let norm = all.iter().flatten().map(squares).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(failed("the surrogate's gradient is not finite"));
        }
        let scale = self
            .clip_norm
            .map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0)) as f32;
        for ((var, velocity), gradient) in self.slots.iter().zip(all) {
            let Some(gradient) = gradient else { continue };
            let (mut values, mut speeds) = (numbers(var)?, numbers(velocity)?);
            for ((value, speed), gradient) in values.iter_mut().zip(&mut speeds).zip(gradient) {
                *speed = MOMENTUM * *speed + (gradient * scale + DECAY * *value);
                *value -= rate * *speed;
            }
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
            velocity.set(&Tensor::from_vec(speeds, velocity.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Network and velocities, for a work file.
    pub(in super::super) fn to_parts(&self) -> Result<[Vec<u8>; 2]> {
        Ok([
            parts_of(self.network.params())?,
            parts_of(&self.velocities)?,
        ])
    }

    /// Back to what [`Learner::to_parts`] gave.
    pub(in super::super) fn restore(&self, [network, velocities]: [&[u8]; 2]) -> Result<()> {
        restore(network, self.network.params())?;
        restore(velocities, &self.velocities)
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

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::nn::optim::{Optimizer, Sgd};
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
            .map(|p| numbers(&p.var).unwrap())
            .collect()
    }

    #[test]
    fn it_descends_as_the_library_does() {
        let x = pixels();
        let labels = [0, 1, 2, 0, 1, 2];
        let mut learner = Learner::new(network(&x), Some(0.5)).unwrap();
        let reference = network(&x);
        let mut sgd = Sgd::new(reference.params(), 0.9)
            .weight_decay(5e-4)
            .clip_norm(Some(0.5));
        for _ in 0..4 {
            learner.learn(x.clone(), SHAPE, &labels, 0.1).unwrap();
            let tensor = Tensor::from_vec(x.clone(), SHAPE, &Device::Cpu).unwrap();
            let tape = Tape::new();
            let mode = Mode::Train(&tape);
            let logits = reference.forward(&tensor, mode).unwrap();
            let loss = cross_entropy(mode, &logits, &labels, 0.0).unwrap();
            sgd.step(&tape.gradients(&[(loss, 1.0)]).unwrap(), 0.1)
                .unwrap();
        }
        assert_eq!(all(learner.network().params()), all(reference.params()));
    }

    #[test]
    fn it_goes_on_from_its_parts() {
        let x = pixels();
        let labels = [0, 1, 2, 0, 1, 2];
        let learn = |learner: &mut Learner| learner.learn(x.clone(), SHAPE, &labels, 0.1).unwrap();
        let mut learner = Learner::new(network(&x), None).unwrap();
        learn(&mut learner);
        let [a, b] = learner.to_parts().unwrap();
        let mut other = Learner::new(network(&x), None).unwrap();
        other.restore([&a, &b]).unwrap();
        learn(&mut learner);
        learn(&mut other);
        assert_eq!(
            all(learner.network().params()),
            all(other.network().params())
        );
    }
}
