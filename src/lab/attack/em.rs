//! EM: error-minimising noise, "Unlearnable Examples" (Huang et al., ICLR 2021), algorithm 1.
//!
//! A network learns from the perturbed pictures for a moment, then every perturbation is moved so that this network makes
//! fewer mistakes on it, until there are all but none: nothing is left to learn from such pictures.

use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::surrogate::{
    BATCH, Canvas, DECAY, Learner, MOMENTUM, fresh, go_on, parts, pixel_gradient,
};
use super::{Attack, Budget, Perturbation, Scale, Target, WorkFile};
use crate::observe::{Observer, Silent};
use crate::zoo::{Architecture, Classifier, Evaluation};
use crate::{Result, Seed};

/// Step of the perturbation, in budgets: 0.8/255 of 8/255.
const STEP: f64 = 0.1;
/// Steps on each picture in a sweep.
const STEPS: usize = 20;
/// Share of an epoch that the network learns between two sweeps.
const LEARNING: f64 = 0.1;
/// Share of mistakes at which the noise is done.
const STOP: f64 = 0.01;
/// Learning rate of the network.
const RATE: f64 = 0.1;
/// Largest joint norm of its gradient.
const CLIP: f64 = 5.0;
/// One row in this many takes part in a class-wise sweep.
const CLASS_WISE_SHARE: usize = 5;

/// The attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Em {
    /// Largest change of a value, in [0, 1] pixel units: 8/255 in the tables.
    pub radius: f64,
    /// Whether all rows of a class share one perturbation.
    pub class_wise: bool,
    /// The network that learns.
    pub surrogate: Architecture,
    /// Sweeps after which the attack gives up.
    pub sweeps: usize,
}

impl Em {
    /// With the effort of `scale`.
    pub fn new(radius: f64, class_wise: bool, surrogate: Architecture, scale: Scale) -> Self {
        let sweeps = match scale {
            Scale::Cpu => 30,
            Scale::Paper => 100,
        };
        Self {
            radius,
            class_wise,
            surrogate,
            sweeps,
        }
    }

    /// Moves the perturbation of each of `batches` by itself.
    fn sweep(
        &self,
        canvas: &mut Canvas<'_>,
        network: &dyn Classifier,
        batches: &[&[usize]],
        observer: &dyn Observer,
    ) -> Result<()> {
        let step = (STEP * self.radius) as f32;
        for rows in batches {
            observer.check()?;
            let labels = canvas.labels(rows);
            for _ in 0..STEPS {
                let x = canvas.pictures(rows);
                let gradient = pixel_gradient(network, x, canvas.shape(rows.len()), &labels)?;
                canvas.descend(rows, &gradient, step);
            }
        }
        Ok(())
    }

    /// Moves the perturbation of each class by one step on a part of its rows, batch by batch.
    fn sweep_classes(
        &self,
        canvas: &mut Canvas<'_>,
        network: &dyn Classifier,
        (batches, members): (&[&[usize]], &[Vec<usize>]),
        observer: &dyn Observer,
    ) -> Result<()> {
        let step = (STEP * self.radius) as f32;
        for rows in batches {
            observer.check()?;
            let labels = canvas.labels(rows);
            let x = canvas.pictures(rows);
            let gradient = pixel_gradient(network, x, canvas.shape(rows.len()), &labels)?;
            canvas.descend(rows, &gradient, step);
            for (class, members) in members.iter().enumerate() {
                let own = rows
                    .iter()
                    .zip(&labels)
                    .filter(|(_, label)| **label as usize == class);
                let own: Vec<usize> = own.map(|(&row, _)| row).collect();
                if !own.is_empty() {
                    let mean = mean(canvas, &own);
                    canvas.paint(members, &mean);
                }
            }
        }
        Ok(())
    }
}

impl Attack for Em {
    fn name(&self) -> &'static str {
        if self.class_wise { "em-class" } else { "em" }
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "class_wise": self.class_wise,
            "surrogate": self.surrogate,
            "batch": BATCH,
            "learning_rate": RATE,
            "momentum": MOMENTUM,
            "weight_decay": DECAY,
            "clip_norm": CLIP,
            "epochs_between_sweeps": LEARNING,
            "step": STEP * self.radius,
            "steps": if self.class_wise { 1 } else { STEPS },
            "one_row_in": if self.class_wise { CLASS_WISE_SHARE } else { 1 },
            "stop_at_mistakes": STOP,
            "sweeps": self.sweeps,
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
        let members = target.members();
        // Drawn once: a drop is often sorted by class, and the order must not change between sweeps.
        let mut order: Vec<usize> = (0..canvas.rows()).collect();
        order.shuffle(&mut seed.stream("em.order", 0));
        let batches: Vec<&[usize]> = order.chunks(BATCH).collect();
        let part = members
            .iter()
            .flat_map(|rows| rows.iter().step_by(CLASS_WISE_SHARE));
        let mut part: Vec<usize> = part.copied().collect();
        part.shuffle(&mut seed.stream("em.part", 0));
        let part: Vec<&[usize]> = part.chunks(BATCH).collect();

        let all: Vec<usize> = (0..canvas.rows()).collect();
        let pictures = canvas.pictures(&all);
        let samples = canvas.samples(&pictures);
        let network = fresh(self.surrogate, &samples, seed.derive("em.init", 0))?;
        let mut learner = Learner::new(network, Some(CLIP));
        let state = work.begin(self, target, seed, observer);
        let begun = go_on(state.as_ref(), &mut canvas, &mut learner)?;
        let updates = (LEARNING * batches.len() as f64).round().max(1.0) as usize;
        let mut turn = batches.iter().cycle().skip(begun * updates % batches.len());
        observer.stage(self.name(), self.sweeps as u64);
        for sweep in begun..self.sweeps {
            for rows in turn.by_ref().take(updates) {
                let (x, labels) = (canvas.pictures(rows), canvas.labels(rows));
                learner.learn(x, canvas.shape(rows.len()), &labels, RATE)?;
            }
            if self.class_wise {
                self.sweep_classes(&mut canvas, learner.network(), (&part, &members), observer)?;
            } else {
                self.sweep(&mut canvas, learner.network(), &batches, observer)?;
            }
            let pictures = canvas.pictures(&all);
            let answers = Evaluation::new(learner.network(), &canvas.samples(&pictures), &Silent)?;
            let mistakes = 1.0 - answers.accuracy().unwrap_or(0.0);
            observer.progress(sweep as u64 + 1);
            observer.note(&format!(
                "sweep {}: {:.1} % mistakes",
                sweep + 1,
                100.0 * mistakes
            ));
            if mistakes <= STOP {
                return Ok(canvas.finish());
            }
            work.save(sweep + 1, || parts(&canvas, &mut learner))?;
        }
        observer.note(&format!(
            "not converged: more than {} % mistakes after {} sweeps",
            100.0 * STOP,
            self.sweeps
        ));
        Ok(Perturbation {
            converged: false,
            ..canvas.finish()
        })
    }
}

/// Mean perturbation of some rows.
fn mean(canvas: &Canvas<'_>, rows: &[usize]) -> Vec<f32> {
    let mut mean = vec![0.0; canvas.delta(rows[0]).len()];
    for &row in rows {
        for (mean, value) in mean.iter_mut().zip(canvas.delta(row)) {
            *mean += value / rows.len() as f32;
        }
    }
    mean
}
