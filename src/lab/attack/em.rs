//! EM: error-minimising noise, "Unlearnable Examples" (Huang et al., ICLR 2021), algorithm 1.
//!
//! A network learns from the perturbed pictures for a moment, then every perturbation is moved so that this network makes
//! fewer mistakes on it, until there are all but none: nothing is left to learn from such pictures.

use rand::seq::SliceRandom;

use super::surrogate::{BATCH, Canvas, learn, pixel_gradient};
use super::{Attack, Budget, Perturbation, Scale, Target};
use crate::nn::optim::Sgd;
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
    ) -> Result<()> {
        let step = (STEP * self.radius) as f32;
        for rows in batches {
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
        batches: &[&[usize]],
        members: &[Vec<usize>],
    ) -> Result<()> {
        let step = (STEP * self.radius) as f32;
        for rows in batches {
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

    fn perturb(
        &self,
        target: &Target<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Perturbation> {
        let mut canvas = Canvas::new(target, self.radius);
        let members: Vec<Vec<usize>> = (0..target.classes)
            .map(|class| {
                let rows = (0..canvas.rows()).filter(|&row| target.labels[row] as usize == class);
                rows.collect()
            })
            .collect();
        // Drawn once: a drop is often sorted by class, and the order must not change between sweeps.
        let mut order: Vec<usize> = (0..canvas.rows()).collect();
        order.shuffle(&mut seed.stream("em.order", 0));
        let batches: Vec<&[usize]> = order.chunks(BATCH).collect();
        let part: Vec<usize> = members
            .iter()
            .flat_map(|rows| rows.iter().step_by(CLASS_WISE_SHARE))
            .copied()
            .collect();
        let mut part: Vec<usize> = order
            .iter()
            .copied()
            .filter(|row| part.contains(row))
            .collect();
        part.shuffle(&mut seed.stream("em.part", 0));
        let part: Vec<&[usize]> = part.chunks(BATCH).collect();

        let all: Vec<usize> = (0..canvas.rows()).collect();
        let pictures = canvas.pictures(&all);
        let network = self
            .surrogate
            .build(&canvas.samples(&pictures), seed.derive("em.init", 0))?;
        let mut sgd = Sgd::new(network.params(), 0.9)
            .weight_decay(5e-4)
            .clip_norm(Some(5.0));
        let updates = (LEARNING * batches.len() as f64).round().max(1.0) as usize;
        let mut turn = batches.iter().cycle();
        observer.stage(self.name(), self.sweeps as u64);
        for sweep in 0..self.sweeps {
            observer.check()?;
            for rows in turn.by_ref().take(updates) {
                let (x, labels) = (canvas.pictures(rows), canvas.labels(rows));
                learn(
                    &*network,
                    &mut sgd,
                    x,
                    canvas.shape(rows.len()),
                    &labels,
                    RATE,
                )?;
            }
            if self.class_wise {
                self.sweep_classes(&mut canvas, &*network, &part, &members)?;
            } else {
                self.sweep(&mut canvas, &*network, &batches)?;
            }
            let pictures = canvas.pictures(&all);
            let answers = Evaluation::new(&*network, &canvas.samples(&pictures), &Silent)?;
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
