//! REM: robust error-minimising noise (Fu et al., ICLR 2022), algorithm 1.
//!
//! As EM, but against a network that trains on adversarial examples: the noise is moved so that even the worst change
//! within the adversary's radius, of a random view, leaves nothing to learn. The adversary is taken for a constant, as in
//! the original; pictures are not centred here, the network's norm layers see to that.
//!
//! Class-wise, a perturbation belongs to all rows of a class: each step follows the sum of its rows' gradients in the batch,
//! and a visit goes on from where the last one ended, as one batch alone says little about a class.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::surrogate::{
    BATCH, Canvas, DECAY, Learner, MOMENTUM, Shape, Shared, Views, failed, fresh, go_on, parts,
    pixel_gradient, sign,
};
use super::{Attack, Budget, Perturbation, Scale, Target, WorkFile};
use crate::observe::Observer;
use crate::zoo::{Architecture, Classifier};
use crate::{Result, Seed};

/// Radius of the adversary, in budgets of the noise: 4/255 of 8/255.
const ADVERSARY: f64 = 0.5;
/// All steps on a perturbation together, in its radius.
const REACH: f64 = 2.0;
/// First learning rate of the network; a tenth of it after each of [`DROPS`].
const RATE: f64 = 0.1;
/// Shares of the training after which the learning rate falls.
const DROPS: [f64; 2] = [0.4, 0.8];

/// The attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rem {
    /// Largest change of a value, in [0, 1] pixel units: 8/255 in the tables.
    pub radius: f64,
    /// Whether all rows of a class share one perturbation.
    pub class_wise: bool,
    /// The network that learns.
    pub surrogate: Architecture,
    /// Steps of its training.
    pub updates: usize,
    /// Steps on the noise of a batch, and of the adversary against each view.
    pub steps: usize,
    /// Views a step of the noise is averaged over.
    pub views: usize,
}

impl Rem {
    /// With the effort of `scale`.
    pub fn new(radius: f64, class_wise: bool, surrogate: Architecture, scale: Scale) -> Self {
        let (updates, steps, views) = match scale {
            Scale::Cpu => (300, 5, 2),
            Scale::Paper => (5000, 10, 5),
        };
        Self {
            radius,
            class_wise,
            surrogate,
            updates,
            steps,
            views,
        }
    }

    /// Makes the noise of some rows anew, or moves that of their classes on.
    fn defend(
        &self,
        canvas: &mut Canvas<'_>,
        shared: Option<&mut Shared>,
        network: &dyn Classifier,
        rows: &[usize],
        seed: Seed,
    ) -> Result<()> {
        let labels = canvas.labels(rows);
        let shape = canvas.shape(rows.len());
        let step = self.step(self.radius) as f32;
        let mut shared = shared;
        match &shared {
            Some(shared) => shared.paint(canvas, rows, &labels),
            None => canvas.start_even(rows, seed, "rem.start"),
        }
        for number in 0..self.steps {
            let mut sum = vec![0.0f32; shape.0 * shape.1 * shape.2 * shape.3];
            for view in 0..self.views {
                let seed = seed.derive("rem.view", (number * self.views + view) as u64);
                let views = Views::draw(rows, (shape.1, shape.2), seed, "rem.view");
                let shown = views.show(&canvas.pictures(rows));
                let worst = self.adversary(network, shown, shape, &labels, rows, seed)?;
                let gradient = pixel_gradient(network, worst, shape, &labels)?;
                let pulled = views.pull_back(&gradient);
                sum.iter_mut().zip(pulled).for_each(|(s, g)| *s += g);
            }
            match &mut shared {
                Some(shared) => {
                    shared.descend(&labels, &sum, step);
                    shared.paint(canvas, rows, &labels);
                }
                None => canvas.descend(rows, &sum, step),
            }
        }
        Ok(())
    }

    /// A step within `radius`.
    fn step(&self, radius: f64) -> f64 {
        REACH * radius / self.steps as f64
    }

    /// `pictures` moved within the adversary's radius to where the network errs most.
    fn adversary(
        &self,
        network: &dyn Classifier,
        pictures: Vec<f32>,
        shape: Shape,
        labels: &[u32],
        rows: &[usize],
        seed: Seed,
    ) -> Result<Vec<f32>> {
        let radius = (ADVERSARY * self.radius) as f32;
        let step = self.step(ADVERSARY * self.radius) as f32;
        let bounded = |value: f32, clean: f32| {
            let near = value.clamp(clean - radius, clean + radius);
            near.clamp(0.0, 1.0)
        };
        let size = pictures.len() / rows.len();
        let mut worst = pictures.clone();
        for (&row, picture) in rows.iter().zip(worst.chunks_exact_mut(size)) {
            let rng = &mut seed.stream("rem.adversary", row as u64);
            for value in picture {
                let clean = *value;
                *value = bounded(clean + rng.random_range(-radius..=radius), clean);
            }
        }
        for _ in 0..self.steps {
            let gradient = pixel_gradient(network, worst.clone(), shape, labels)?;
            for ((value, slope), clean) in worst.iter_mut().zip(gradient).zip(&pictures) {
                *value = bounded(*value + step * sign(slope), *clean);
            }
        }
        Ok(worst)
    }
}

impl Attack for Rem {
    fn name(&self) -> &'static str {
        if self.class_wise { "rem-class" } else { "rem" }
    }

    fn budget(&self) -> Budget {
        Budget::Linf(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "class_wise": self.class_wise,
            "surrogate": self.surrogate,
            "batch": BATCH,
            "updates": self.updates,
            "learning_rate": RATE,
            "tenth_of_it_after": DROPS,
            "momentum": MOMENTUM,
            "weight_decay": DECAY,
            "steps": self.steps,
            "step": self.step(self.radius),
            "views_a_step": self.views,
            "views": Views::describe(),
            "adversary": {
                "radius": ADVERSARY * self.radius,
                "steps": self.steps,
                "step": self.step(ADVERSARY * self.radius),
            },
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
        let network = fresh(self.surrogate, &samples, seed.derive("rem.init", 0))?;
        let mut learner = Learner::new(network, None);
        let mut shared = self
            .class_wise
            .then(|| Shared::start_even(target, self.radius, seed, "rem.start"));
        let state = work.begin(self, target, seed, observer);
        let begun = go_on(state.as_ref(), &mut canvas, &mut learner)?;
        if let (Some(shared), Some(state)) = (&mut shared, &state) {
            let part = state.parts.get(3);
            shared.restore(part.ok_or_else(|| failed("the work file lacks a part"))?);
        }
        let parts = |canvas: &Canvas<'_>, learner: &mut Learner, shared: &Option<Shared>| {
            let mut parts = parts(canvas, learner)?;
            parts.extend(shared.as_ref().map(Shared::to_part));
            Ok(parts)
        };

        let batch = BATCH.min(canvas.rows());
        let a_pass = canvas.rows() / batch;
        let mut order = rows.clone();
        let last = canvas.rows().div_ceil(BATCH);
        observer.stage(self.name(), (self.updates + last) as u64);
        for update in begun..self.updates {
            observer.check()?;
            if update % a_pass == 0 || update == begun {
                order.sort_unstable();
                order.shuffle(&mut seed.stream("rem.order", (update / a_pass) as u64));
            }
            let rows = &order[update % a_pass * batch..][..batch];
            let seed = seed.derive("rem.update", update as u64);
            self.defend(&mut canvas, shared.as_mut(), learner.network(), rows, seed)?;
            let views = Views::draw(rows, (target.height, target.width), seed, "rem.learn");
            let shown = views.show(&canvas.pictures(rows));
            let (labels, shape) = (canvas.labels(rows), canvas.shape(rows.len()));
            let worst = self.adversary(learner.network(), shown, shape, &labels, rows, seed)?;
            let passed = |share: &&f64| update as f64 >= **share * self.updates as f64;
            let drops = DROPS.iter().filter(passed).count();
            let rate = RATE * 0.1f64.powi(drops as i32);
            learner.learn(worst, shape, &labels, rate)?;
            observer.progress(update as u64 + 1);
            work.save(update + 1, || parts(&canvas, &mut learner, &shared))?;
        }
        for (number, rows) in rows.chunks(BATCH).enumerate() {
            let done = self.updates + number + 1;
            if done <= begun {
                continue;
            }
            observer.check()?;
            let seed = seed.derive("rem.last", number as u64);
            self.defend(&mut canvas, shared.as_mut(), learner.network(), rows, seed)?;
            observer.progress(done as u64);
            work.save(done, || parts(&canvas, &mut learner, &shared))?;
        }
        if let Some(shared) = &shared {
            shared.paint_all(&mut canvas);
        }
        Ok(canvas.finish())
    }
}
