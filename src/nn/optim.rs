//! Adam (Kingma and Ba, 2015) with the semantics of PyTorch's `Adam` and `clip_grad_norm_`.

use candle_core::Var;
use rayon::prelude::*;

use super::Gradients;
use super::params::{Params, store, values};
use crate::Result;

/// Adam without weight decay, with the gradient's global norm clipped.
#[derive(Debug)]
pub struct Adam {
    slots: Vec<Slot>,
    step: i32,
    clip_norm: f64,
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
        }
    }

    /// One step down `grads`; returns the gradient's norm before clipping. Where that norm is not finite nothing is
    /// changed. A tensor without a gradient stays as it is.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn step(&mut self, grads: &Gradients, learning_rate: f64) -> Result<f64> {
        let mut gradients = Vec::with_capacity(self.slots.len());
        let mut square = 0.0;
        for slot in &self.slots {
            let gradient = grads.get(&slot.var).map(values).transpose()?;
            square += gradient
                .iter()
                .flatten()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>();
            gradients.push(gradient);
        }
        let norm = square.sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        self.step += 1;
        // PyTorch divides by the norm plus 1e-6.
        let scale = (self.clip_norm / (norm + 1e-6)).min(1.0) as f32;
        let (beta1, beta2) = Self::BETAS;
        let rate = learning_rate / (1.0 - beta1.powi(self.step));
        let correction = (1.0 - beta2.powi(self.step)).sqrt();
        let update = |(slot, gradient): (&mut Slot, Option<Vec<f32>>)| {
            let Some(gradient) = gradient else {
                return Ok(());
            };
            let mut new = values(&slot.var)?;
            let state = slot.mean.iter_mut().zip(&mut slot.square);
            for ((value, gradient), (mean, square)) in new.iter_mut().zip(gradient).zip(state) {
                let gradient = gradient * scale;
                *mean += (gradient - *mean) * (1.0 - beta1) as f32;
                *square += (gradient * gradient - *square) * (1.0 - beta2) as f32;
                let deviation = square.sqrt() / correction as f32 + Self::EPSILON as f32;
                *value -= rate as f32 * *mean / deviation;
            }
            store(&slot.var, new)
        };
        self.slots
            .par_iter_mut()
            .zip(gradients)
            .try_for_each(update)?;
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::nn::params::Init;
    use crate::nn::{Mode, Tape, ops};

    /// These numbers as the gradient of `w`: that of the mean square error to a target chosen for it.
    fn gradients(w: &Var, gradient: Vec<f32>) -> Gradients {
        let half = gradient.len() as f64 / 2.0;
        let gradient = candle_core::Tensor::from_vec(gradient, w.shape(), w.device()).unwrap();
        let target = (w.as_detached_tensor() - gradient).unwrap();
        let tape = Tape::new();
        let loss = ops::mean_square_error(Mode::Train(&tape), w, &target).unwrap();
        tape.gradients(&[(loss, half)]).unwrap()
    }

    /// Expected numbers: five steps of `torch.optim.Adam([w], 0.1)` from w = [1, -2] on `([3, 0.5] * w**3).sum()` after
    /// `clip_grad_norm_([w], clip)`, and the norm of the last gradient; 9.5 clips two steps of the five.
    #[test]
    fn agrees_with_pytorch() {
        for (clip, expected, expected_norm) in [
            (1.0, [0.513_841_15, -2.501_793_6], 9.256_617_5),
            (9.5, [0.514996, -2.501932], 9.25988),
            (100.0, [0.519_962_55, -2.502_22], 9.274_646_8),
        ] {
            let mut params = Params::new(Seed(0));
            let w = params.trainable("w", &[2], Init::Normal).unwrap();
            store(&w, vec![1.0, -2.0]).unwrap();
            let mut adam = Adam::new(&params, clip);
            let mut norm = 0.0;
            for _ in 0..5 {
                let gradient =
                    [(0, 9.0), (1, 1.5)].map(|(k, c)| c * values(&w).unwrap()[k].powi(2));
                norm = adam.step(&gradients(&w, gradient.to_vec()), 0.1).unwrap();
            }
            assert!((norm - expected_norm).abs() < 1e-5, "{norm}");
            for (actual, expected) in values(&w).unwrap().iter().zip(expected) {
                assert!((actual - expected).abs() < 1e-5, "{actual} {expected}");
            }
        }
    }

    #[test]
    fn leaves_everything_alone_when_the_gradient_is_not_finite() {
        let mut params = Params::new(Seed(0));
        let w = params.trainable("w", &[1], Init::Constant(1.0)).unwrap();
        let mut adam = Adam::new(&params, 1.0);
        assert!(
            adam.step(&gradients(&w, vec![f32::NAN]), 0.1)
                .unwrap()
                .is_nan()
        );
        assert_eq!(values(&w).unwrap(), [1.0]);
    }
}
