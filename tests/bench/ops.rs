//! Each operator alone, forward and backward, at the shapes of the published D-VAE and a batch of 8:
//! `cargo bench --bench ops -- conv`.
// The macros of criterion make public functions.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::RngExt;
use ue_audit::Seed;
use ue_audit::nn::ops::{self, Conv};
use ue_audit::nn::{Mode, Tape};

const BATCH: usize = 8;

fn random(shape: &[usize]) -> Var {
    let mut rng = Seed(0).stream("bench", shape.len() as u64);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Times `run` alone and with its backward pass.
fn both(criterion: &mut Criterion, name: &str, run: impl Fn(Mode<'_>) -> Tensor) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group.bench_function("forward", |bencher| bencher.iter(|| run(Mode::Eval)));
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| {
            let tape = Tape::new();
            let y = run(Mode::Train(&tape));
            let loss = ops::mean_square(Mode::Train(&tape), &y).unwrap();
            tape.gradients(&[(loss, 1.0)]).unwrap()
        });
    });
}

fn convolutions(criterion: &mut Criterion) {
    for (name, [side, ci, co], [kernel, stride, padding], transposed) in [
        ("conv 3x3 stem", [32, 3, 64], [3, 1, 1], false),
        ("conv 3x3", [32, 64, 64], [3, 1, 1], false),
        ("conv 3x3 half", [16, 128, 128], [3, 1, 1], false),
        ("conv 3x3 stride 2", [32, 64, 128], [3, 2, 1], false),
        ("conv 1x1", [16, 128, 256], [1, 1, 0], false),
        (
            "conv transposed 4x4 stride 2",
            [16, 128, 64],
            [4, 2, 1],
            true,
        ),
        ("conv transposed 3x3 out", [32, 32, 3], [3, 1, 1], true),
    ] {
        let conv = Conv {
            kernel,
            stride,
            padding,
        };
        let x = random(&[BATCH, side, side, ci]);
        let shape = if transposed { [ci, co] } else { [co, ci] };
        let weight = random(&[shape[0], shape[1], kernel, kernel]);
        let run = if transposed {
            ops::conv_transpose2d
        } else {
            ops::conv2d
        };
        both(criterion, name, |mode| {
            run(mode, &x, &weight, None, conv).unwrap()
        });
    }
}

fn norms(criterion: &mut Criterion) {
    let x = random(&[BATCH, 32, 32, 64]);
    let (gamma, beta) = (random(&[64]), random(&[64]));
    both(criterion, "batch norm", |mode| {
        ops::batch_norm(mode, &x, &gamma, &beta, true).unwrap().0
    });
    both(criterion, "instance norm", |mode| {
        ops::instance_norm_relu(mode, &x).unwrap()
    });
}

fn element_wise(criterion: &mut Criterion) {
    let shape = [BATCH, 16, 16, 256];
    let [mean, log_variance, noise] = [(); 3].map(|()| random(&shape));
    both(criterion, "reparameterize", |mode| {
        ops::reparameterize(mode, &mean, &log_variance, &noise).unwrap()
    });
    both(criterion, "gaussian kl", |mode| {
        ops::gaussian_kl(mode, &mean, &log_variance).unwrap()
    });
    both(criterion, "add relu", |mode| {
        ops::add_relu(mode, &mean, &noise).unwrap()
    });
    both(criterion, "sigmoid", |mode| {
        ops::sigmoid(mode, &mean).unwrap()
    });
}

fn layers_of_classifiers(criterion: &mut Criterion) {
    let depthwise = Conv {
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let (x, kernels) = (random(&[BATCH, 16, 16, 192]), random(&[192, 1, 3, 3]));
    both(criterion, "depthwise conv 3x3", |mode| {
        ops::depthwise_conv2d(mode, &x, &kernels, depthwise).unwrap()
    });
    both(criterion, "max pool", |mode| {
        ops::max_pool2d(mode, &x, 2).unwrap()
    });
    both(criterion, "average pool", |mode| {
        ops::average_pool2d(mode, &x, 2).unwrap()
    });
    both(criterion, "global average pool", |mode| {
        ops::global_average_pool(mode, &x).unwrap()
    });
    let (x, weight, bias) = (random(&[BATCH, 512]), random(&[100, 512]), random(&[100]));
    both(criterion, "linear", |mode| {
        ops::linear(mode, &x, &weight, &bias).unwrap()
    });
}

criterion_group!(
    benches,
    convolutions,
    norms,
    element_wise,
    layers_of_classifiers
);
criterion_main!(benches);
