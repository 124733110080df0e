//! Adam (Kingma and Ba, 2015), and with a weight decay AdamW (Loshchilov and Hutter, 2019).

use candle_core::Var;
use rayon::prelude::*;

use super::clip::Clipped;
use super::{Memory, Optimizer};
use crate::Result;
use crate::nn::Gradients;
use crate::nn::params::{Params, store, values};

/// Adam with the gradient's global norm clipped.
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    step: i32,
    clip_norm: f64,
    weight_decay: f64,
}

#[derive(Debug)]
struct Slot {
    var: Var,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Adam {
    const BETAS: (f64, f64) = (0.9, 0.999);
    const EPSILON: f64 = 1e-8;

    /// For all trainable tensors of `params`; gradients whose joint norm exceeds `clip_norm` are scaled down to it.
    pub fn new(params: &Params, clip_norm: f64) -> Self {
        let slots = params
            .trainables()
            .map(|param| Slot {
                var: param.var.clone(),
                mean: vec![0.0; param.var.elem_count()],
                square: vec![0.0; param.var.elem_count()],
            })
            .collect();
        Self {
            slots,
            step: 0,
            clip_norm,
            weight_decay: 0.0,
        }
    }

    /// Shrinks each parameter by `decay` times the learning rate before its step, beside the gradient: AdamW.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = decay;
        self
    }
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64> {
        let vars = self.slots.iter().map(|slot| &slot.var);
        let clipped = Clipped::new(gradients, vars, Some(self.clip_norm))?;
        if !clipped.norm.is_finite() {
            return Ok(clipped.norm);
        }
        self.step += 1;
        let (beta1, beta2) = Self::BETAS;
        let rate = learning_rate / (1.0 - beta1.powi(self.step));
        let correction = (1.0 - beta2.powi(self.step)).sqrt();
        let kept = (1.0 - learning_rate * self.weight_decay) as f32;
        let update = |(slot, gradient): (&mut Slot, Option<Vec<f32>>)| {
            let Some(gradient) = gradient else {
                return Ok(());
            };
            let mut new = values(&slot.var)?;
            let state = slot.mean.iter_mut().zip(&mut slot.square);
            for ((value, gradient), (mean, square)) in new.iter_mut().zip(gradient).zip(state) {
                let gradient = gradient * clipped.scale;
                *mean += (gradient - *mean) * (1.0 - beta1) as f32;
                *square += (gradient * gradient - *square) * (1.0 - beta2) as f32;
                let deviation = square.sqrt() / correction as f32 + Self::EPSILON as f32;
                *value = *value * kept - rate as f32 * *mean / deviation;
            }
            store(&slot.var, new)
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
            steps: Some(&mut self.step),
            buffers: slots
                .flat_map(|slot| [&mut slot.mean, &mut slot.square])
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, five_steps};
    use super::*;

    /// Expected numbers: five steps of `torch.optim.Adam([w], 0.1)` from w = [1, -2] on `([3, 0.5] * w**3).sum()` after
    /// `clip_grad_norm_([w], clip)`, and the norm of the last gradient; 9.5 clips two steps of the five.
    #[test]
    fn agrees_with_pytorch() {
        for (clip, expected, expected_norm) in [
            (1.0, [0.513_841_15, -2.501_793_6], 9.256_617_5),
            (9.5, [0.514996, -2.501932], 9.25988),
            (100.0, [0.519_962_55, -2.502_22], 9.274_646_8),
        ] {
            let (actual, norm) = five_steps(|params| Adam::new(params, clip), 0.1);
            assert!((norm - expected_norm).abs() < 1e-5, "{norm}");
            assert_close(&actual, expected);
        }
    }
    /// Expected numbers: the same with `torch.optim.AdamW([w], 0.1, weight_decay=0.1)` in PyTorch 2.15.
    #[test]
    fn decay_agrees_with_pytorch() {
        let adam = |params: &Params| Adam::new(params, 100.0).weight_decay(0.1);
        let (actual, norm) = five_steps(adam, 0.1);
        assert!((norm - 8.592_001_9).abs() < 1e-5, "{norm}");
        assert_close(&actual, [0.483_661_2, -2.394_129_3]);
    }
}
