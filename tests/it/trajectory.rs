//! Training against PyTorch: 200 steps of a small D-VAE from the same weights over the same batches and noise. See
//! `fixtures/golden/README.md`; PyTorch 2.15, seed 0.

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use ue_audit::dvae::{Batch, Objective, Training};
use ue_audit::nn::Precision;

use crate::golden::{Golden, nhwc};

/// The tensor `name` with its elements moved on by `step`.
fn rolled(golden: &Golden<'_>, name: &str, step: usize) -> Tensor {
    let mut values = golden.values(name);
    let length = values.len();
    values.rotate_right(step % length);
    nhwc(&Tensor::from_vec(values, golden.shape(name), &Device::Cpu).unwrap())
}

/// Rounding errors grow from step to step, as a small network at this rate is chaotic: PyTorch's own f32 and f64 curves
/// part by 3e-4 of a term's largest value within 50 steps and by 1e-2 within 200, the rate most, which bounces off its
/// limit. A wrong gradient, a stale moment of Adam or a batch out of order parts the curves within a few steps.
fn tolerance(step: usize, term: &str) -> f32 {
    match (step, term) {
        (..10, _) => 1e-5,
        (..50, _) => 1e-3,
        (_, "kld") => 3e-2,
        _ => 3e-3,
    }
}

/// Eight bits of mantissa in the products of the layers with 16 channels: a hundred times the error of f32 at once, and not more
/// than that of a parted curve later on.
fn rounded_tolerance(step: usize, term: &str) -> f32 {
    match (step, term) {
        (..10, _) => 1e-2,
        (_, "kld") => 1e-1,
        _ => 3e-2,
    }
}

/// Trains in `precision` for so many steps beside the curve of PyTorch in f32.
fn follow(precision: Precision, steps: usize, tolerance: impl Fn(usize, &str) -> f32) {
    let read = |name: &str| {
        let path = format!("{}/fixtures/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    };
    let (start, curve) = (read("dvae.safetensors"), read("trajectory.safetensors"));
    let golden = Golden(SafeTensors::deserialize(&start).unwrap());
    let curve = Golden(SafeTensors::deserialize(&curve).unwrap()).values("loss");
    let curve = curve.as_chunks::<4>().0;
    assert_eq!(curve.len(), 200);

    let (config, network) = golden.network();
    let objective = Objective::at_epoch(&config, config.energy_epoch);
    let mut training = Training::new(network, config.clip_norm);
    let mut largest = [0f32; 4];
    for losses in curve {
        largest = std::array::from_fn(|k| largest[k].max(losses[k]));
    }
    for (step, expected) in curve.iter().take(steps).enumerate() {
        let y = golden.labels().into_iter().map(|y| (y + step as u32) % 10);
        let batch = Batch {
            x: rolled(&golden, "in.x", step),
            y: y.collect(),
            noise: rolled(&golden, "in.eps", step),
        };
        let losses = training
            .step(batch, objective, 0.001, precision)
            .unwrap()
            .tally;
        let losses = losses.unwrap();
        let terms = [
            ("rec", losses.reconstruction),
            ("rec_p", losses.disentangled),
            ("kld", losses.kld),
            ("energy", losses.energy),
        ];
        for (k, (term, actual)) in terms.into_iter().enumerate() {
            let error = (actual - expected[k]).abs() / largest[k];
            assert!(
                error < tolerance(step, term),
                "step {step}, {term}: {actual} instead of {}, error {error}",
                expected[k]
            );
        }
    }
}

#[test]
fn training_follows_pytorch() {
    follow(Precision::F32, 200, tolerance);
}

#[test]
fn training_in_bf16_stays_beside_it() {
    follow(Precision::Bf16, 60, rounded_tolerance);
}
