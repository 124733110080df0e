//! Optimisers with the semantics of PyTorch's, each with the gradient's global norm clipped where wanted.

mod adam;
mod clip;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use super::Gradients;
use crate::Result;

/// What moves parameters down a gradient.
pub trait Optimizer {
    /// One step down `gradients`; returns the gradient's norm before clipping. Where that norm is not finite nothing is
    /// changed. A tensor without a gradient stays as it is.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64>;

    /// All that it remembers from one step to the next, to be kept and put back.
    fn memory(&mut self) -> Memory<'_>;
}

/// The memory of an optimiser, beside the parameters themselves.
pub struct Memory<'a> {
    /// Steps that it has taken, if it counts them.
    pub steps: Option<&'a mut i32>,
    /// Its numbers, in an order that the parameters decide.
    pub buffers: Vec<&'a mut Vec<f32>>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::{Tensor, Var};

    use super::*;
    use crate::Seed;
    use crate::nn::params::{Init, Params, store, values};
    use crate::nn::{Mode, Tape, ops};

    /// These numbers as the gradient of `w`: that of the mean square error to a target chosen for it.
    fn gradients(w: &Var, gradient: Vec<f32>) -> Gradients {
        let half = gradient.len() as f64 / 2.0;
        let gradient = Tensor::from_vec(gradient, w.shape(), w.device()).unwrap();
        let target = (w.as_detached_tensor() - gradient).unwrap();
        let tape = Tape::new();
        let loss = ops::mean_square_error(Mode::Train(&tape), w, &target).unwrap();
        tape.gradients(&[(loss, half)]).unwrap()
    }

    /// Five steps from w = [1, -2] on `([3, 0.5] * w**3).sum()`: where they end, and the norm of the last gradient.
    pub(super) fn five_steps<O: Optimizer>(
        optimizer: impl Fn(&Params) -> O,
        rate: f64,
    ) -> (Vec<f32>, f64) {
        let mut params = Params::new(Seed(0));
        let w = params.trainable("w", &[2], Init::Normal).unwrap();
        store(&w, vec![1.0, -2.0]).unwrap();
        let mut optimizer = optimizer(&params);
        let mut norm = 0.0;
        for _ in 0..5 {
            let gradient = [(0, 9.0), (1, 1.5)].map(|(k, c)| c * values(&w).unwrap()[k].powi(2));
            let gradient = gradients(&w, gradient.to_vec());
            norm = optimizer.step(&gradient, rate).unwrap();
        }
        (values(&w).unwrap(), norm)
    }

    pub(super) fn assert_close(actual: &[f32], expected: [f64; 2]) {
        for (actual, expected) in actual.iter().zip(expected) {
            let error = f64::from(*actual) - expected;
            assert!(error.abs() < 1e-5, "{actual} {expected}");
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let mut params = Params::new(Seed(0));
        let w = params.trainable("w", &[1], Init::Constant(1.0)).unwrap();
        let optimizers: [Box<dyn Optimizer>; 2] = [
            Box::new(Adam::new(&params, 1.0)),
            Box::new(Sgd::new(&params, 0.9)),
        ];
        for mut optimizer in optimizers {
            let gradient = gradients(&w, vec![f32::NAN]);
            assert!(optimizer.step(&gradient, 0.1).unwrap().is_nan());
            assert_eq!(values(&w).unwrap(), [1.0]);
        }
    }
}
