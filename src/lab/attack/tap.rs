//! TAP: targeted adversarial poisoning, "Adversarial Examples Make Strong Poisons" (Fowl et al., NeurIPS 2021).
//!
//! A network is trained well on the clean pictures; then every picture is moved to look like the next class to it. Who
//! trains on them learns that the features of the next class mean this one.
//!
//! Views are shifted by whole pixels here, by fractions in the original.

use super::surrogate::{BATCH, Canvas, Views, pixel_gradient};
use super::{Attack, Budget, Perturbation, Scale, Target};
use crate::observe::Observer;
use crate::zoo::{Architecture, Recipe, train};
use crate::{Result, Seed};

/// All steps together, in budgets, where there are fewer than the paper's 250 of 0.05 budgets.
const REACH: f64 = 2.5;
/// Longest step, in budgets.
const STEP: f64 = 0.05;

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
}

impl Attack for Tap {
    fn name(&self) -> &'static str {
        "tap"
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
        let network = train(
            &canvas.samples(&clean),
            self.surrogate,
            &self.recipe,
            seed.derive("tap.surrogate", 0),
            observer,
        )?
        .classifier;
        canvas.start_normal(&rows, seed, "tap.start");
        let step = (self.radius * (REACH / self.sweeps as f64).max(STEP)) as f32;
        let size = (target.height, target.width);
        observer.stage(self.name(), self.sweeps as u64);
        for sweep in 0..self.sweeps {
            let seed = seed.derive("tap.sweep", sweep as u64);
            for rows in rows.chunks(BATCH) {
                observer.check()?;
                let aims: Vec<u32> = canvas
                    .labels(rows)
                    .iter()
                    .map(|label| (label + 1) % target.classes as u32)
                    .collect();
                let views = Views::draw(rows, size, seed, "tap.view");
                let shown = views.show(&canvas.pictures(rows));
                let gradient = pixel_gradient(&*network, shown, canvas.shape(rows.len()), &aims)?;
                canvas.descend(rows, &views.pull_back(&gradient), step);
            }
            observer.progress(sweep as u64 + 1);
        }
        Ok(canvas.finish())
    }
}
