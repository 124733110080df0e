//! BENCH: the speed of training on this machine, beside the speed that its arithmetic allows.

use std::num::NonZeroUsize;
use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::RngExt;
use serde::Serialize;

use crate::dvae::{Batch, DvaeConfig, Network, Objective, Training};
use crate::kernel::peak_memory_mib;
use crate::nn::Precision;
use crate::nn::epochs::step;
use crate::nn::likelihood::Epoch;
use crate::nn::ops::peak_flops;
use crate::observe::Observer;
use crate::zoo::{Architecture, Images, Recipe, Samples};
use crate::{Result, Seed};

/// Side of the pictures, pixels; they have three channels.
const SIDE: usize = 32;
const CLASSES: usize = 10;

/// A network that can be measured.
#[derive(Debug)]
pub struct Case {
    /// What the user calls it.
    pub name: &'static str,
    /// A network before its first step; the batch is that of its own training unless given.
    start: fn(Option<usize>, Precision, Seed) -> Result<Start>,
}

/// All networks that can be measured, the smallest first, as peak memory never falls.
pub const CASES: [Case; 3] = [
    Case {
        name: "dvae-fast",
        start: |batch, precision, seed| dvae(&DvaeConfig::fast(), batch, precision, seed),
    },
    Case {
        name: "dvae-paper",
        start: |batch, precision, seed| dvae(&DvaeConfig::paper(), batch, precision, seed),
    },
    Case {
        name: "resnet18",
        start: |batch, precision, seed| classifier(Architecture::ResNet18, batch, precision, seed),
    },
];

struct Start {
    batch: usize,
    /// One step on the same made-up batch; gives its floating-point operations.
    step: Box<dyn FnMut() -> Result<u64>>,
}

/// One network's speed.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The name of the case.
    pub network: &'static str,
    /// What its convolutions multiplied.
    pub precision: Precision,
    /// Threads that worked.
    pub threads: usize,
    /// Images in a step.
    pub batch: usize,
    /// Timed steps, after one that was not.
    pub steps: usize,
    /// Median time of a step (forward, backward and optimiser), milliseconds.
    pub ms_per_step: f64,
    /// Images in a second of such steps.
    pub images_per_s: f64,
    /// Arithmetic of the matrix products as defined, 1e9 per second; see [`Tape::flops`](crate::nn::Tape::flops).
    pub gflops: f64,
    /// The speed of one matrix product in cache on as many threads, measured just before, 1e9 per second.
    pub peak_gflops: f64,
    /// The former over the latter; minimal filtering multiplies less than the definition, so this may pass 1.
    pub share_of_peak: f64,
    /// Most memory the process has held since it began, MiB: `VmHWM` of `/proc/self/status`; `None` where there is none.
    pub peak_rss_mib: Option<f64>,
}

/// Times `steps` steps of a network with convolutions of `precision`.
///
/// # Errors
/// Those of [`Precision::validate`], [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so, or if the
/// tensor library fails.
pub fn measure(
    case: &Case,
    steps: NonZeroUsize,
    batch: Option<usize>,
    precision: Precision,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Measurement> {
    precision.validate()?;
    let steps = steps.get();
    observer.stage(&format!("bench {}", case.name), steps as u64);
    let peak = peak_flops();
    let Start { batch, mut step } = (case.start)(batch, precision, seed)?;
    let flops = step()? as f64;
    let mut times = Vec::with_capacity(steps);
    for done in 1..=steps {
        observer.check()?;
        let start = Instant::now();
        step()?;
        times.push(start.elapsed().as_secs_f64());
        observer.progress(done as u64);
    }
    times.sort_by(f64::total_cmp);
    let seconds = (times[(steps - 1) / 2] + times[steps / 2]) / 2.0;
    Ok(Measurement {
        network: case.name,
        precision,
        threads: rayon::current_num_threads(),
        batch,
        steps,
        ms_per_step: seconds * 1e3,
        images_per_s: batch as f64 / seconds,
        gflops: flops / seconds / 1e9,
        peak_gflops: peak / 1e9,
        share_of_peak: flops / seconds / peak,
        peak_rss_mib: peak_memory_mib(),
    })
}

fn dvae(
    config: &DvaeConfig,
    batch: Option<usize>,
    precision: Precision,
    seed: Seed,
) -> Result<Start> {
    let batch = batch.unwrap_or(config.batch);
    let network = Network::new(config, CLASSES, (SIDE, SIDE), seed.derive("bench.init", 0))?;
    let [height, width, latent] = network.latent_shape();
    let x = uniform([batch, SIDE, SIDE, 3], seed)?;
    let y: Vec<u32> = (0..batch).map(|k| (k % CLASSES) as u32).collect();
    let objective = Objective::at_epoch(config, 0);
    let (rate, norm) = (config.learning_rate, config.clip_norm);
    let mut training = Training::new(network, norm);
    let mut count = 0;
    let step = Box::new(move || {
        count += 1;
        let noise = crate::dvae::noise([height, width, latent], batch, |k| {
            (seed.derive("bench.noise", count), k as u64)
        })?;
        let (x, y) = (x.clone(), y.clone());
        Ok(training
            .step(Batch { x, y, noise }, objective, rate, precision)?
            .flops)
    });
    Ok(Start { batch, step })
}

fn classifier(
    architecture: Architecture,
    batch: Option<usize>,
    precision: Precision,
    seed: Seed,
) -> Result<Start> {
    let recipe = Recipe::of(architecture);
    let batch = batch.unwrap_or(recipe.batch);
    let x = uniform([batch, SIDE, SIDE, 3], seed)?;
    let pixels: Vec<f32> = x.flatten_all()?.to_vec1()?;
    let labels: Vec<u32> = (0..batch).map(|k| (k % CLASSES) as u32).collect();
    let samples = Samples {
        height: SIDE,
        width: SIDE,
        images: Images::Reals(&pixels),
        labels: labels.clone(),
        classes: CLASSES,
    };
    let network = architecture.build(&samples, seed.derive("bench.init", 0))?;
    let mut sgd = recipe.optimizer(network.params());
    let step = Box::new(move || {
        let done = step(&mut sgd, recipe.learning_rate, precision, |mode| {
            let logits = network.forward(&x, mode)?;
            Epoch::loss(mode, &logits, &labels, recipe.smoothing)
        })?;
        Ok(done.flops)
    });
    Ok(Start { batch, step })
}

/// Numbers in [0, 1).
fn uniform(shape: [usize; 4], seed: Seed) -> Result<Tensor> {
    let mut rng = seed.stream("bench.images", 0);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random()).collect();
    Ok(Tensor::from_vec(values, &shape, &Device::Cpu)?)
}
