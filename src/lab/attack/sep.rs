//! SEP: self-ensemble protection (Chen et al., ICLR 2023), with the cross-entropy of the ensemble.
//!
//! As TAP, but the pictures are moved against many states of one training at once, early ones included, so that the
//! perturbation holds for networks that it never saw. They are moved towards the class half of the classes on.

use safetensors::SafeTensors;

use super::surrogate::{BATCH, Canvas, pixel_gradient};
use super::{Attack, Budget, Perturbation, Scale, Target};
use crate::observe::Observer;
use crate::zoo::{Architecture, Recipe, train_watched};
use crate::{Error, Result, Seed};

/// Steps on each picture.
const STEPS: usize = 30;
/// Step, in budgets: 1/255 of 8/255.
const STEP: f64 = 0.125;

/// The attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Sep {
    /// Largest change of a value, in [0, 1] pixel units: 8/255 in the tables.
    pub radius: f64,
    /// The network whose training is watched.
    pub surrogate: Architecture,
    /// How it is trained.
    pub recipe: Recipe,
    /// States of the training that are looked at, evenly spaced.
    pub states: usize,
}

impl Sep {
    /// With the effort of `scale`.
    pub fn new(radius: f64, surrogate: Architecture, scale: Scale) -> Self {
        let (epochs, states) = match scale {
            Scale::Cpu => (15, 3),
            Scale::Paper => (120, 30),
        };
        Self {
            radius,
            surrogate,
            recipe: Recipe {
                epochs,
                ..Recipe::of(surrogate)
            },
            states,
        }
    }
}

impl Attack for Sep {
    fn name(&self) -> &'static str {
        "sep"
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn perturb(
        &self,
        target: &Target<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Perturbation> {
        let mut canvas = Canvas::new(target, self.radius);
        let rows: Vec<usize> = (0..canvas.rows()).collect();
        let clean = canvas.pictures(&rows);
        let every = (self.recipe.epochs / self.states).max(1);
        let mut states = Vec::new();
        let network = train_watched(
            &canvas.samples(&clean),
            self.surrogate,
            &self.recipe,
            seed.derive("sep.surrogate", 0),
            &mut |epochs, params| {
                if epochs % every == 0 {
                    states.push(params.to_safetensors(("epochs", epochs.to_string()))?);
                }
                Ok(())
            },
            observer,
        )?
        .classifier;
        let half = (target.classes / 2).max(1) as u32;
        observer.stage(self.name(), STEPS as u64);
        for step in 0..STEPS {
            let mut sum = vec![0.0f32; clean.len()];
            for state in &states {
                restore(state, network.params())?;
                let batches = rows.chunks(BATCH);
                let sums = sum.chunks_mut(BATCH * target.image_len());
                for (rows, sum) in batches.zip(sums) {
                    observer.check()?;
                    let aims: Vec<u32> = canvas
                        .labels(rows)
                        .iter()
                        .map(|label| (label + half) % target.classes as u32)
                        .collect();
                    let x = canvas.pictures(rows);
                    let gradient = pixel_gradient(&*network, x, canvas.shape(rows.len()), &aims)?;
                    sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
                }
            }
            canvas.descend(&rows, &sum, (STEP * self.radius) as f32);
            observer.progress(step as u64 + 1);
        }
        Ok(canvas.finish())
    }
}

/// Puts a state of the training back into the network.
fn restore(state: &[u8], params: &crate::nn::params::Params) -> Result<()> {
    let problem = match SafeTensors::deserialize(state) {
        Ok(file) => params.load(&file).err(),
        Err(error) => Some(error.to_string()),
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(Error::Numeric {
            stage: "sep",
            problem,
        }),
    }
}
