//! SEP: self-ensemble protection (Chen et al., ICLR 2023), with the cross-entropy of the ensemble.
//!
//! As TAP, but the pictures are moved against many states of one training at once, early ones included, so that the
//! perturbation holds for networks that it never saw. They are moved towards the class half of the classes on.

use serde_json::{Value, json};

use super::surrogate::{BATCH, Canvas, describe, fresh, parts_of, pixel_gradient, restore};
use super::{Attack, Budget, Perturbation, Scale, Target, WorkFile};
use crate::observe::Observer;
use crate::zoo::{Architecture, Recipe, Samples, train_watched};
use crate::{Result, Seed};

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
    /// States of the training that are looked at, evenly spaced, its end among them.
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

    /// States of one training, the last among them.
    fn states(
        &self,
        samples: &Samples<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<u8>>> {
        let every = (self.recipe.epochs / self.states).max(1);
        let mut states = Vec::new();
        let trained = train_watched(
            samples,
            self.surrogate,
            &self.recipe,
            seed.derive("sep.surrogate", 0),
            &mut |epochs, params| {
                if epochs % every == 0 && states.len() + 1 < self.states {
                    states.push(parts_of(params)?);
                }
                Ok(())
            },
            observer,
        )?;
        states.push(parts_of(trained.classifier.params())?);
        Ok(states)
    }
}

impl Attack for Sep {
    fn name(&self) -> &'static str {
        "sep"
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "surrogate": describe(self.surrogate, &self.recipe),
            "states": self.states,
            "steps": STEPS,
            "step": STEP * self.radius,
            "batch": BATCH,
            "loss": "cross-entropy",
            "aim": "the class half of the classes on",
        })
    }

    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        seed: Seed,
        work: &mut WorkFile,
        observer: &dyn Observer,
    ) -> Result<Perturbation> {
        let mut canvas = Canvas::new(target, self.radius);
        let rows: Vec<usize> = (0..canvas.rows()).collect();
        let clean = canvas.pictures(&rows);
        let samples = canvas.samples(&clean);
        let network = fresh(self.surrogate, &samples, seed)?;
        let state = work.begin(self, target, seed, observer);
        let (states, begun) = match state {
            None => (self.states(&samples, seed, observer)?, 0),
            Some(mut state) => {
                let states = state.parts.split_off(state.parts.len().min(1));
                canvas.restore(state.parts.first().map_or(&[][..], Vec::as_slice));
                (states, state.done)
            }
        };
        let parts = |canvas: &Canvas<'_>| {
            let states = states.iter().cloned();
            Ok([canvas.to_part()].into_iter().chain(states).collect())
        };
        if begun == 0 {
            work.save_now(0, || parts(&canvas))?;
        }
        let half = (target.classes / 2).max(1);
        observer.stage(self.name(), STEPS as u64);
        for step in begun..STEPS {
            let mut sum = vec![0.0f32; clean.len()];
            for state in &states {
                restore(state, network.params())?;
                let batches = rows.chunks(BATCH);
                let sums = sum.chunks_mut(BATCH * target.image_len());
                for (rows, sum) in batches.zip(sums) {
                    observer.check()?;
                    let aims = target.aims(rows, half);
                    let x = canvas.pictures(rows);
                    let gradient = pixel_gradient(&*network, x, canvas.shape(rows.len()), &aims)?;
                    sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
                }
            }
            canvas.descend(&rows, &sum, (STEP * self.radius) as f32);
            observer.progress(step as u64 + 1);
            work.save(step + 1, || parts(&canvas))?;
        }
        Ok(canvas.finish())
    }
}
