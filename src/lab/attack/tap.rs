//! TAP: targeted adversarial poisoning, "Adversarial Examples Make Strong Poisons" (Fowl et al., NeurIPS 2021).
//!
//! A network is trained well on the clean pictures; then every picture is moved to look like the next class to it. Who
//! trains on them learns that the features of the next class mean this one.
//!
//! Views are shifted by whole pixels here, by fractions in the original.

use serde_json::{Value, json};

use super::surrogate::{
    BATCH, Canvas, Views, describe, failed, fresh, parts_of, pixel_gradient, restore,
};
use super::{Attack, Budget, Perturbation, Scale, Target, WorkFile};
use crate::observe::Observer;
use crate::zoo::{Architecture, Recipe, train};
use crate::{Result, Seed};

/// The paper's step, in budgets, which it takes 250 times.
const STEP: f64 = 0.05;
/// How far all steps together reach at least, in budgets: few of them must be longer.
const REACH: f64 = 2.5;

/// The attack, with one restart.
#[derive(Clone, Debug, PartialEq)]
pub struct Tap {
    /// Largest change of a value, in [0, 1] pixel units: 8/255 in the tables.
    pub radius: f64,
    /// The network that is looked at.
    pub surrogate: Architecture,
    /// How it is trained.
    pub recipe: Recipe,
    /// Sweeps over the pictures, a step each.
    pub sweeps: usize,
}

impl Tap {
    /// With the effort of `scale`.
    pub fn new(radius: f64, surrogate: Architecture, scale: Scale) -> Self {
        let (epochs, sweeps) = match scale {
            Scale::Cpu => (15, 60),
            Scale::Paper => (40, 250),
        };
        Self {
            radius,
            surrogate,
            recipe: Recipe {
                epochs,
                ..Recipe::of(surrogate)
            },
            sweeps,
        }
    }

    /// Step of the perturbation, in [0, 1] pixel units.
    fn step(&self) -> f64 {
        self.radius * (REACH / self.sweeps as f64).max(STEP)
    }
}

impl Attack for Tap {
    fn name(&self) -> &'static str {
        "tap"
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "surrogate": describe(self.surrogate, &self.recipe),
            "restarts": 1,
            "sweeps": self.sweeps,
            "step": self.step(),
            "batch": BATCH,
            "aim": "the next class",
            "views": Views::describe(),
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
        let state = work.begin(self, target, seed, observer);
        let (network, begun) = match state {
            None => {
                let seed = seed.derive("tap.surrogate", 0);
                let trained = train(&samples, self.surrogate, &self.recipe, seed, observer)?;
                (trained.classifier, 0)
            }
            Some(state) => {
                let [_, network] = &state.parts[..] else {
                    return Err(failed("the work file lacks a part"));
                };
                let blank = fresh(self.surrogate, &samples, seed)?;
                restore(network, blank.params())?;
                canvas.restore(&state.parts[0]);
                (blank, state.done)
            }
        };
        let parts = |canvas: &Canvas<'_>| Ok(vec![canvas.to_part(), parts_of(network.params())?]);
        if begun == 0 {
            canvas.start_normal(&rows, seed, "tap.start");
            work.save_now(0, || parts(&canvas))?;
        }
        let size = (target.height, target.width);
        observer.stage(self.name(), self.sweeps as u64);
        for sweep in begun..self.sweeps {
            let seed = seed.derive("tap.sweep", sweep as u64);
            for rows in rows.chunks(BATCH) {
                observer.check()?;
                let aims = target.aims(rows, 1);
                let views = Views::draw(rows, size, seed, "tap.view");
                let shown = views.show(&canvas.pictures(rows));
                let gradient = pixel_gradient(&*network, shown, canvas.shape(rows.len()), &aims)?;
                canvas.descend(rows, &views.pull_back(&gradient), self.step() as f32);
            }
            observer.progress(sweep as u64 + 1);
            work.save(sweep + 1, || parts(&canvas))?;
        }
        Ok(canvas.finish())
    }
}
