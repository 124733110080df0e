//! REM: robust error-minimising noise (Fu et al., ICLR 2022), algorithm 1.
//!
//! As EM, but against a network that trains on adversarial examples: the noise is moved so that even the worst change
//! within the adversary's radius, of a random view, leaves nothing to learn. The adversary is taken for a constant, as in
//! the original; pictures are not centred here, the network's norm layers see to that.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::surrogate::{BATCH, Canvas, Shape, Views, learn, pixel_gradient, sign};
use super::{Attack, Budget, Perturbation, Scale, Target};
use crate::nn::optim::Sgd;
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
    pub fn new(radius: f64, surrogate: Architecture, scale: Scale) -> Self {
        let (updates, steps, views) = match scale {
            Scale::Cpu => (300, 5, 1),
            Scale::Paper => (5000, 10, 5),
        };
        Self {
            radius,
            surrogate,
            updates,
            steps,
            views,
        }
    }

    /// Makes the noise of some rows anew.
    fn defend(
        &self,
        canvas: &mut Canvas<'_>,
        network: &dyn Classifier,
        rows: &[usize],
        size: (usize, usize),
        seed: Seed,
    ) -> Result<()> {
        let labels = canvas.labels(rows);
        let shape = canvas.shape(rows.len());
        let step = (REACH * self.radius / self.steps as f64) as f32;
        canvas.start_even(rows, seed, "rem.start");
        for number in 0..self.steps {
            let mut sum = vec![0.0f32; canvas.pictures(rows).len()];
            for view in 0..self.views {
                let seed = seed.derive("rem.view", (number * self.views + view) as u64);
                let views = Views::draw(rows, size, seed, "rem.view");
                let shown = views.show(&canvas.pictures(rows));
                let worst = self.adversary(network, shown, shape, &labels, rows, seed)?;
                let gradient = pixel_gradient(network, worst, shape, &labels)?;
                let pulled = views.pull_back(&gradient);
                sum.iter_mut().zip(pulled).for_each(|(s, g)| *s += g);
            }
            canvas.descend(rows, &sum, step);
        }
        Ok(())
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
        let step = (REACH * ADVERSARY * self.radius / self.steps as f64) as f32;
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
        "rem"
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
        let size = (target.height, target.width);
        let mut order: Vec<usize> = (0..canvas.rows()).collect();
        let clean = canvas.pictures(&order);
        let network = self
            .surrogate
            .build(&canvas.samples(&clean), seed.derive("rem.init", 0))?;
        let mut sgd = Sgd::new(network.params(), 0.9).weight_decay(5e-4);
        let batch = BATCH.min(canvas.rows());
        let a_pass = canvas.rows() / batch;
        let last = canvas.rows().div_ceil(BATCH);
        observer.stage(self.name(), (self.updates + last) as u64);
        for update in 0..self.updates {
            observer.check()?;
            if update % a_pass == 0 {
                order.sort_unstable();
                order.shuffle(&mut seed.stream("rem.order", (update / a_pass) as u64));
            }
            let rows = &order[update % a_pass * batch..][..batch];
            let seed = seed.derive("rem.update", update as u64);
            self.defend(&mut canvas, &*network, rows, size, seed)?;
            let views = Views::draw(rows, size, seed, "rem.learn");
            let shown = views.show(&canvas.pictures(rows));
            let (labels, shape) = (canvas.labels(rows), canvas.shape(rows.len()));
            let worst = self.adversary(&*network, shown, shape, &labels, rows, seed)?;
            let passed = |share: &&f64| update as f64 >= **share * self.updates as f64;
            let drops = DROPS.iter().filter(passed).count();
            let rate = RATE * 0.1f64.powi(drops as i32);
            learn(&*network, &mut sgd, worst, shape, &labels, rate)?;
            observer.progress(update as u64 + 1);
        }
        order.sort_unstable();
        for (number, rows) in order.chunks(BATCH).enumerate() {
            observer.check()?;
            let seed = seed.derive("rem.last", number as u64);
            self.defend(&mut canvas, &*network, rows, size, seed)?;
            observer.progress((self.updates + number) as u64 + 1);
        }
        Ok(canvas.finish())
    }
}
