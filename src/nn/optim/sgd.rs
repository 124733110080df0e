//! Stochastic gradient descent with momentum, as PyTorch's `SGD` without dampening.

use candle_core::Var;
use rayon::prelude::*;

use super::clip::Clipped;
use super::{Memory, Optimizer};
use crate::Result;
use crate::nn::Gradients;
use crate::nn::params::{Params, store, values};

/// Gradient descent with momentum, Nesterov's where wanted, and weight decay on every parameter.
#[derive(Debug)]
pub struct Sgd {
    slots: Vec<(Var, Vec<f32>)>,
    momentum: f32,
    nesterov: bool,
    weight_decay: f32,
    clip_norm: Option<f64>,
}

impl Sgd {
    /// For all trainable tensors of `params`, with plain momentum and neither decay nor clipping.
    pub fn new(params: &Params, momentum: f64) -> Self {
        Self {
            slots: params
                .trainables()
                .map(|param| (param.var.clone(), vec![0.0; param.var.elem_count()]))
                .collect(),
            momentum: momentum as f32,
            nesterov: false,
            weight_decay: 0.0,
            clip_norm: None,
        }
    }

    /// Looks ahead along the momentum (Sutskever et al., 2013).
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Adds `decay` times each parameter to its gradient, behind the clipping.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = decay as f32;
        self
    }

    /// Scales gradients down whose joint norm exceeds `norm`.
    #[must_use]
    pub fn clip_norm(mut self, norm: Option<f64>) -> Self {
        self.clip_norm = norm;
        self
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64> {
        let vars = self.slots.iter().map(|(var, _)| var);
        let clipped = Clipped::new(gradients, vars, self.clip_norm)?;
        if !clipped.norm.is_finite() {
            return Ok(clipped.norm);
        }
        let rate = learning_rate as f32;
        let update = |((var, velocity), gradient): (&mut (Var, Vec<f32>), Option<Vec<f32>>)| {
            let Some(gradient) = gradient else {
                return Ok(());
            };
            let mut new = values(var)?;
            for ((value, gradient), velocity) in new.iter_mut().zip(gradient).zip(velocity) {
                let gradient = gradient * clipped.scale + self.weight_decay * *value;
                *velocity = self.momentum * *velocity + gradient;
                let ahead = gradient + self.momentum * *velocity;
                *value -= rate * if self.nesterov { ahead } else { *velocity };
            }
            store(var, new)
        };
        self.slots
            .par_iter_mut()
            .zip(clipped.gradients)
            .try_for_each(update)?;
        Ok(clipped.norm)
    }

    fn memory(&mut self) -> Memory<'_> {
        let slots = self.slots.iter_mut();
        Memory {
            steps: None,
            buffers: slots.map(|(_, velocity)| velocity).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, five_steps};
    use super::*;

    /// Expected numbers: as for Adam, of `torch.optim.SGD([w], 0.01, momentum=0.9, ...)` in PyTorch 2.15.
    #[test]
    fn agrees_with_pytorch() {
        for (decay, nesterov, clip, expected, expected_norm) in [
            (0.0, false, None, [0.170_214_2, -2.916_578_5], 10.186_853_4),
            (0.1, false, None, [0.162_347_7, -2.883_674_6], 10.021_397_6),
            (0.1, true, None, [0.127_338_2, -3.272_668_8], 12.127_730_4),
            (0.1, true, Some(5.0), [0.425_264, -2.563_377_9], 8.947_352_4),
        ] {
            let sgd = |params: &Params| {
                let sgd = Sgd::new(params, 0.9).weight_decay(decay);
                sgd.nesterov(nesterov).clip_norm(clip)
            };
            let (actual, norm) = five_steps(sgd, 0.01);
            assert!((norm - expected_norm).abs() < 1e-5, "{norm}");
            assert_close(&actual, expected);
        }
    }
}
