//! AT: adversarial training (Madry et al., ICLR 2018) with the numbers of the D-VAE release: 8/255, 10 steps of 2/255 from
//! a start one step's deviation away, 100 epochs. The attack sees the network in evaluation mode; training sees adversarial
//! pictures alone. It fails against perturbations that are not small in every pixel, such as one-pixel shortcuts.

use candle_core::{Device, Var};
use rand_distr::{Distribution, StandardNormal};

use super::{Defense, Step, falling};
use crate::nn::epochs::Clock;
use crate::nn::ops::cross_entropy;
use crate::nn::{Mode, Tape};
use crate::zoo::Recipe;
use crate::{Error, Result};

/// The defense.
#[derive(Clone, Copy, Debug)]
pub struct Adversarial {
    /// Largest change of a value, in [0, 1] pixel units.
    pub radius: f32,
    /// Steps of the attack.
    pub steps: usize,
    /// Length of each.
    pub step: f32,
}

impl Default for Adversarial {
    fn default() -> Self {
        Self {
            radius: 8.0 / 255.0,
            steps: 10,
            step: 2.0 / 255.0,
        }
    }
}

impl Adversarial {
    fn bounded(&self, value: f32, clean: f32) -> f32 {
        let near = value.clamp(clean - self.radius, clean + self.radius);
        near.clamp(0.0, 1.0)
    }
}

impl Defense for Adversarial {
    fn name(&self) -> &'static str {
        "at"
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            epochs: 100,
            ..Recipe::paper()
        }
    }

    fn rate(&self, recipe: &Recipe, clock: Clock) -> f64 {
        falling(recipe.learning_rate, &[0.75, 0.9], clock)
    }

    fn pictures(&self, pictures: Vec<f32>, step: &Step<'_>) -> Result<Vec<f32>> {
        let size = pictures.len() / step.rows.len().max(1);
        let mut worst = pictures.clone();
        for (&row, picture) in step.rows.iter().zip(worst.chunks_exact_mut(size.max(1))) {
            let draws = StandardNormal.sample_iter(step.seed.stream("at.start", row as u64));
            for (value, draw) in picture.iter_mut().zip(draws) {
                let draw: f32 = draw;
                *value = self.bounded(*value + self.step * draw, *value);
            }
        }
        for _ in 0..self.steps {
            let slopes = gradient(worst.clone(), step)?;
            for ((value, slope), clean) in worst.iter_mut().zip(slopes).zip(&pictures) {
                let direction = if slope == 0.0 { 0.0 } else { slope.signum() };
                *value = self.bounded(*value + self.step * direction, *clean);
            }
        }
        Ok(worst)
    }
}

/// The gradient of the mean cross-entropy in the pixels.
fn gradient(pictures: Vec<f32>, step: &Step<'_>) -> Result<Vec<f32>> {
    let x = Var::from_vec(pictures, step.shape, &Device::Cpu)?;
    let tape = Tape::new();
    let mode = Mode::Frozen(&tape);
    let logits = step.network.forward(&x, mode)?;
    let loss = cross_entropy(mode, &logits, step.labels, 0.0)?;
    let gradients = tape.gradients(&[(loss, 1.0)])?;
    let gradient = gradients.get(&x).ok_or_else(|| Error::Numeric {
        stage: "at",
        problem: "the network does not depend on its input".into(),
    })?;
    Ok(gradient.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::Silent;
    use crate::zoo::{Architecture, Samples};
    use crate::{Seed, demo};

    fn values(step: &Step<'_>) -> Vec<f32> {
        let entries = step.network.params().entries().iter();
        let flat = |param: &crate::nn::params::Param| {
            param.var.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        entries.flat_map(flat).collect()
    }

    /// The attack stays within its radius and in range, leaves the network as it is, and raises the loss.
    #[test]
    fn the_attack_is_bounded_and_does_harm() {
        let data = demo::dataset(40, Seed(0));
        let samples = Samples::from(&data);
        let recipe = Recipe {
            epochs: 2,
            batch: 20,
            ..Recipe::fast()
        };
        let small = Architecture::Small;
        let trained = crate::zoo::train(&samples, small, &recipe, Seed(1), &Silent).unwrap();
        let rows: Vec<usize> = (0..16).collect();
        let labels = samples.labels_of(&rows);
        let clean = samples
            .batch(&rows, |_| crate::nn::augment::View::IDENTITY)
            .unwrap();
        let step = Step {
            network: &*trained.classifier,
            shape: clean.dims4().unwrap(),
            rows: &rows,
            labels: &labels,
            clock: Clock {
                epoch: 0,
                epochs: 1,
                step: 0,
                steps: 1,
            },
            seed: Seed(2),
        };
        let before = values(&step);
        let clean: Vec<f32> = clean.flatten_all().unwrap().to_vec1().unwrap();
        let at = Adversarial::default();
        let worst = at.pictures(clean.clone(), &step).unwrap();
        for (a, b) in worst.iter().zip(&clean) {
            assert!((a - b).abs() <= at.radius + 1e-6 && (0.0..=1.0).contains(a));
        }
        let loss = |pictures: &[f32]| {
            let x = step.tensor(pictures.to_vec()).unwrap();
            let logits = step.network.forward(&x, Mode::Eval).unwrap();
            let loss = cross_entropy(Mode::Eval, &logits, &labels, 0.0).unwrap();
            loss.to_scalar::<f32>().unwrap()
        };
        assert!(
            loss(&worst) > 1.2 * loss(&clean),
            "{} {}",
            loss(&worst),
            loss(&clean)
        );
        assert!(values(&step) == before);
        assert!(
            at.pictures(clean, &step).unwrap() == worst,
            "one seed, one attack"
        );
    }
}
