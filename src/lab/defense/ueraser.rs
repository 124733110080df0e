//! AA: UEraser (Qin et al., 2023). In the first part of the training each picture is augmented several times, and the view
//! with the largest loss is trained on; later, one view. The numbers are those of the D-VAE release for CIFAR-10.
//!
//! Here the views are compared by the network in evaluation mode, and only the worst goes through the training step; the
//! published code runs all of them through the training step's batch norm. The augmentations are those of its policy, with
//! the shorter list of [`trivial`].

use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::{Defense, Step, plasma, trivial};
use crate::Result;
use crate::nn::Mode;
use crate::nn::epochs::Clock;
use crate::nn::ops::cross_entropy;
use crate::zoo::Recipe;

/// The defense.
#[derive(Clone, Copy, Debug)]
pub struct UEraser {
    /// Views of a picture while the worst is sought.
    pub views: usize,
    /// Share of the epochs in which it is.
    pub share: f64,
}

impl Default for UEraser {
    fn default() -> Self {
        Self {
            views: 5,
            share: 0.25,
        }
    }
}

impl Defense for UEraser {
    fn name(&self) -> &'static str {
        "ueraser"
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            epochs: 200,
            learning_rate: 0.01,
            clip_norm: None,
            ..Recipe::paper()
        }
    }

    /// Constant.
    fn rate(&self, recipe: &Recipe, _: Clock) -> f64 {
        recipe.learning_rate
    }

    fn pictures(&self, pictures: Vec<f32>, step: &Step<'_>) -> Result<Vec<f32>> {
        let early = (step.clock.epoch as f64) < self.share * step.clock.epochs as f64;
        let mut worst = augmented(&pictures, step, 0);
        if !early || self.views < 2 {
            return Ok(worst);
        }
        let size = pictures.len() / step.rows.len().max(1);
        let mut losses = losses(&worst, step)?;
        for view in 1..self.views {
            let other = augmented(&pictures, step, view);
            let found = self::losses(&other, step)?;
            for (k, (old, new)) in losses.iter_mut().zip(found).enumerate() {
                if new > *old {
                    *old = new;
                    let place = k * size..(k + 1) * size;
                    worst[place.clone()].copy_from_slice(&other[place]);
                }
            }
        }
        Ok(worst)
    }
}

/// One view of each picture.
fn augmented(pictures: &[f32], step: &Step<'_>, view: usize) -> Vec<f32> {
    let (_, height, width, channels) = step.shape;
    let seed = step.seed.derive("ueraser.view", view as u64);
    let mut views = pictures.to_vec();
    views
        .par_chunks_exact_mut((height * width * channels).max(1))
        .zip(step.rows)
        .for_each(|(picture, &row)| {
            let rng = &mut seed.stream("ueraser.view", row as u64);
            if rng.random_bool(0.5) {
                let (roughness, intensity) =
                    (rng.random_range(0.3..0.7), rng.random_range(0.5..1.0));
                let map = plasma::map((height, width), roughness, rng);
                plasma::brightness(picture, &map, intensity);
            }
            if rng.random_bool(0.5) {
                let roughness = rng.random_range(0.3..0.7);
                plasma::contrast(picture, &plasma::map((height, width), roughness, rng));
            }
            if rng.random_bool(0.5) {
                let mut order = [0, 1, 2];
                order.shuffle(rng);
                for pixel in picture.chunks_exact_mut(3) {
                    let old = [pixel[0], pixel[1], pixel[2]];
                    pixel.copy_from_slice(&order.map(|channel| old[channel]));
                }
            }
            trivial::augment(picture, (height, width), rng);
        });
    views
}

/// The cross-entropy of each picture under the network as it is.
fn losses(pictures: &[f32], step: &Step<'_>) -> Result<Vec<f32>> {
    let logits = step
        .network
        .forward(&step.tensor(pictures.to_vec())?, Mode::Eval)?;
    step.labels
        .iter()
        .enumerate()
        .map(|(k, &label)| {
            let row = logits.narrow(0, k, 1)?.contiguous()?;
            Ok(cross_entropy(Mode::Eval, &row, &[label], 0.0)?.to_scalar()?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::nn::augment::View;
    use crate::zoo::{Architecture, Samples};
    use crate::{Seed, demo};

    /// Early the worst of the views is taken, row by row; later the first.
    #[test]
    fn the_worst_view_is_taken_early_and_one_view_later() {
        let data = demo::dataset(20, Seed(0));
        let samples = Samples::from(&data);
        let network = Architecture::Small.build(&samples, Seed(1)).unwrap();
        let rows: Vec<usize> = (4..16).collect();
        let labels = samples.labels_of(&rows);
        let pictures = samples.batch(&rows, |_| View::IDENTITY).unwrap();
        let shape = pictures.dims4().unwrap();
        let pictures: Vec<f32> = pictures.flatten_all().unwrap().to_vec1().unwrap();
        let at = |epoch| Step {
            network: &*network,
            shape,
            rows: &rows,
            labels: &labels,
            clock: Clock {
                epoch,
                epochs: 8,
                step: 0,
                steps: 8,
            },
            seed: Seed(3),
        };
        let ueraser = UEraser::default();
        let early = ueraser.pictures(pictures.clone(), &at(1)).unwrap();
        let late = ueraser.pictures(pictures.clone(), &at(2)).unwrap();
        let views: Vec<Vec<f32>> = (0..5)
            .map(|view| augmented(&pictures, &at(0), view))
            .collect();
        assert!(late == views[0]);
        let worst = losses(&early, &at(0)).unwrap();
        let each: Vec<Vec<f32>> = views
            .iter()
            .map(|view| losses(view, &at(0)).unwrap())
            .collect();
        for (k, worst) in worst.iter().enumerate() {
            let most = each.iter().map(|losses| losses[k]).fold(0.0, f32::max);
            assert_eq!(*worst, most, "row {k}");
        }
        assert!(early.iter().all(|value| (0.0..=1.0).contains(value)));
    }
}
