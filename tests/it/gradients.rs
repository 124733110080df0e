//! Every operator against finite differences and, where candle has the same operator, against candle's own.

use candle_core::{Device, Tensor, Var};
use proptest::prelude::*;
use rand::RngExt;
use ue_audit::Seed;
use ue_audit::nn::ops::{self, Conv};
use ue_audit::nn::{Gradients, Mode, Tape};

/// Numbers in `(-1, 1)`, the same for the same arguments.
pub(crate) fn random(shape: &[usize], index: u64) -> Var {
    let mut rng = Seed(7).stream("test", index);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub(crate) fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Gradients of the outputs' sum, each output with a weight of its own so that no errors cancel.
fn weighted_gradients(tape: Tape, y: &Tensor) -> Gradients {
    // Of the mean square error to y - weight times half the count, the gradient is the weight.
    let target = (y - random(y.dims(), WEIGHTS).as_detached_tensor()).unwrap();
    let loss = ops::mean_square_error(Mode::Train(&tape), y, &target).unwrap();
    tape.gradients(&[(loss, y.elem_count() as f64 / 2.0)])
        .unwrap()
}

/// Number of the random tensor that weighs outputs.
const WEIGHTS: u64 = 99;

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let terms = flat(a).into_iter().zip(flat(b));
    terms.map(|(a, b)| f64::from(a) * f64::from(b)).sum()
}

/// Compares the gradients of `run` with central differences along random directions.
pub(crate) fn check(name: &str, inputs: &[Var], run: impl Fn(Mode<'_>, &[Tensor]) -> Tensor) {
    let tracked: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let tape = Tape::new();
    let y = run(Mode::Train(&tape), &tracked);
    let gradients = weighted_gradients(tape, &y);
    for (index, input) in inputs.iter().enumerate() {
        let direction = random(input.dims(), 200 + index as u64).as_detached_tensor();
        let at = |step: f64| {
            let mut moved = tracked.clone();
            moved[index] = (input.as_detached_tensor() + (&direction * step).unwrap()).unwrap();
            let y = run(Mode::Eval, &moved);
            dot(&y, &random(y.dims(), WEIGHTS))
        };
        let step = 2e-3;
        let expected = (at(step) - at(-step)) / (2.0 * step);
        let actual = dot(gradients.get(input).unwrap(), &direction);
        assert!(
            (actual - expected).abs() / (1.0 + expected.abs()) < 5e-3,
            "{name}, input {index}: {actual} instead of {expected}"
        );
    }
}

pub(crate) fn nchw(x: &Tensor) -> Tensor {
    x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

pub(crate) fn nhwc(x: &Tensor) -> Tensor {
    x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
}

pub(crate) fn assert_close(name: &str, actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.dims(), expected.dims(), "{name}");
    for (actual, expected) in flat(actual).iter().zip(flat(expected)) {
        let error = (actual - expected).abs() / (1.0 + expected.abs());
        assert!(error < 1e-4, "{name}: {actual} instead of {expected}");
    }
}

/// Batch, height, width, channels in and out, kernel, stride, padding: single images and channels, odd sides, strides
/// that leave a border unread, channels that minimal filtering takes and channels just beside them.
const CASES: [([usize; 5], [usize; 3]); 18] = [
    ([1, 8, 8, 1, 1], [3, 1, 1]),
    ([2, 7, 5, 3, 4], [3, 1, 1]),
    ([3, 9, 6, 4, 5], [3, 2, 1]),
    ([2, 8, 8, 2, 7], [1, 1, 0]),
    ([2, 7, 9, 5, 3], [1, 2, 0]),
    ([9, 5, 5, 3, 2], [3, 3, 0]),
    ([1, 11, 7, 2, 3], [5, 2, 2]),
    ([2, 9, 9, 3, 2], [7, 3, 3]),
    ([2, 8, 6, 3, 4], [4, 2, 1]),
    ([1, 4, 4, 1, 1], [4, 1, 0]),
    ([1, 6, 6, 70, 65], [3, 1, 1]),
    ([17, 4, 4, 2, 2], [3, 1, 2]),
    ([2, 7, 5, 32, 40], [3, 1, 1]),
    ([1, 6, 3, 40, 32], [3, 1, 0]),
    ([9, 4, 5, 32, 32], [3, 1, 2]),
    ([1, 9, 5, 27, 72], [3, 1, 1]),
    ([2, 8, 12, 24, 40], [4, 2, 1]),
    ([1, 6, 10, 33, 27], [4, 2, 1]),
];

#[test]
fn convolution_agrees_with_candle() {
    CASES
        .into_iter()
        .for_each(|(shape, geometry)| convolution_agrees(shape, geometry));
}

#[test]
fn transposed_convolution_agrees_with_candle() {
    CASES
        .into_iter()
        .for_each(|(shape, geometry)| transposed_agrees(shape, geometry));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_of_random_shapes_agree(
        [b, h, w, ci, co] in [1..4usize, 1..12usize, 1..12usize, 1..40usize, 1..40usize],
        kernel in 1..8usize,
        stride in 1..4usize,
        padding in 0..4usize,
    ) {
        let shape = [b, h, w, ci, co];
        if h.min(w) + 2 * padding >= kernel {
            convolution_agrees(shape, [kernel, stride, padding]);
        }
        transposed_agrees(shape, [kernel, stride, padding]);
    }
}

fn convolution_agrees([b, h, w, ci, co]: [usize; 5], [kernel, stride, padding]: [usize; 3]) {
    let name = format!("conv2d {b}x{h}x{w} {ci}->{co} k{kernel} s{stride} p{padding}");
    let conv = Conv {
        kernel,
        stride,
        padding,
    };
    let (x, weight) = (
        random(&[b, h, w, ci], 0),
        random(&[co, ci, kernel, kernel], 1),
    );
    let bias = random(&[co], 2);
    let run = |mode: Mode<'_>| ops::conv2d(mode, &x, &weight, Some(&bias), conv).unwrap();
    let theirs = nchw(&x).conv2d(&weight, padding, stride, 1, 1).unwrap();
    let theirs = nhwc(&theirs).broadcast_add(&bias).unwrap();
    // candle's own gradient fails where height and width leave borders of different size unread, and where that border is larger than
    // the image: it then subtracts below zero.
    let [unread, other] = [h, w].map(|side| (side + 2 * padding - kernel) % stride);
    if unread == other && unread <= h.min(w) {
        compare(&name, run, &theirs, &[&x, &weight, &bias]);
    } else {
        assert_close(&name, &run(Mode::Eval), &theirs);
    }
}

fn transposed_agrees([b, h, w, ci, co]: [usize; 5], [kernel, stride, padding]: [usize; 3]) {
    if (h.min(w) - 1) * stride + kernel <= 2 * padding {
        return;
    }
    let name = format!("transposed {b}x{h}x{w} {ci}->{co} k{kernel} s{stride} p{padding}");
    let conv = Conv {
        kernel,
        stride,
        padding,
    };
    let (x, weight) = (
        random(&[b, h, w, ci], 0),
        random(&[ci, co, kernel, kernel], 1),
    );
    let bias = random(&[co], 2);
    let run = |mode: Mode<'_>| ops::conv_transpose2d(mode, &x, &weight, Some(&bias), conv).unwrap();
    let theirs = nchw(&x)
        .conv_transpose2d(&weight, padding, 0, stride, 1)
        .unwrap();
    let theirs = nhwc(&theirs).broadcast_add(&bias).unwrap();
    compare(&name, run, &theirs, &[&x, &weight, &bias]);
}

/// Compares `run` and its gradients with candle's own result `theirs`.
pub(crate) fn compare(
    name: &str,
    run: impl Fn(Mode<'_>) -> Tensor,
    theirs: &Tensor,
    inputs: &[&Var],
) {
    let tape = Tape::new();
    let y = run(Mode::Train(&tape));
    assert_close(name, &y, theirs);
    let weights = random(y.dims(), WEIGHTS).as_detached_tensor();
    let sum = (theirs * weights).unwrap().sum_all().unwrap();
    let (ours, theirs) = (weighted_gradients(tape, &y), sum.backward().unwrap());
    for (index, input) in inputs.iter().enumerate() {
        let name = format!("{name}, gradient {index}");
        assert_close(&name, ours.get(input).unwrap(), theirs.get(input).unwrap());
    }
}

#[test]
fn convolutions_agree_with_finite_differences() {
    for ([b, h, w, ci, co], [kernel, stride, padding]) in CASES {
        let conv = Conv {
            kernel,
            stride,
            padding,
        };
        let x = random(&[b, h, w, ci], 0);
        let weight = random(&[co, ci, kernel, kernel], 1);
        check("conv2d", &[x.clone(), weight], |mode, t| {
            ops::conv2d(mode, &t[0], &t[1], None, conv).unwrap()
        });
        let weight = random(&[ci, co, kernel, kernel], 1);
        let bias = random(&[co], 2);
        check("conv_transpose2d", &[x, weight, bias], |mode, t| {
            ops::conv_transpose2d(mode, &t[0], &t[1], Some(&t[2]), conv).unwrap()
        });
    }
}

/// Images are spread over threads, and weight gradients summed over images, in every algorithm for convolutions.
#[test]
fn convolutions_do_not_depend_on_the_number_of_threads() {
    for ([_, h, w, ci, co], [kernel, stride, padding]) in CASES {
        let conv = Conv {
            kernel,
            stride,
            padding,
        };
        let (x, weight) = (
            random(&[19, h, w, ci], 0),
            random(&[co, ci, kernel, kernel], 1),
        );
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let tape = Tape::new();
                let y = ops::conv2d(Mode::Train(&tape), &x, &weight, None, conv).unwrap();
                let gradients = weighted_gradients(tape, &y);
                let tensors = [
                    &y,
                    gradients.get(&x).unwrap(),
                    gradients.get(&weight).unwrap(),
                ];
                tensors.map(flat)
            })
        };
        assert_eq!(
            bits(1),
            bits(3),
            "{ci}->{co} k{kernel} s{stride} p{padding}"
        );
    }
}

#[test]
fn norms_agree_with_finite_differences() {
    for shape in [[1, 5, 7, 1], [2, 4, 4, 3], [9, 9, 8, 5], [3, 31, 33, 17]] {
        let x = random(&shape, 0);
        let (gamma, beta) = (random(&shape[3..], 1), random(&shape[3..], 2));
        let affine = [x.clone(), gamma.clone(), beta.clone()];
        check("batch_norm", &affine, |mode, t| {
            ops::batch_norm(mode, &t[0], &t[1], &t[2], false).unwrap().0
        });
        let (_, moments) = ops::batch_norm(Mode::Eval, &x, &gamma, &beta, false).unwrap();
        check("batch_norm_frozen", &affine, |mode, t| {
            ops::batch_norm_frozen(mode, &t[0], &t[1], &t[2], &moments, false).unwrap()
        });
    }
}

/// ReLU has a kink that finite differences step over, so fused ReLU is compared with candle's operators.
#[test]
fn fused_norms_agree_with_candle() {
    for shape in [[1, 5, 7, 1], [2, 4, 4, 3], [9, 9, 8, 5], [3, 31, 33, 17]] {
        let [b, h, w, c] = shape;
        let x = random(&shape, 0);
        let (gamma, beta) = (random(&[c], 1), random(&[c], 2));
        let normalised = |rows: &Tensor| {
            let centred = rows.broadcast_sub(&rows.mean_keepdim(1).unwrap()).unwrap();
            let variance = centred.sqr().unwrap().mean_keepdim(1).unwrap();
            let deviation = (variance + 1e-5).unwrap().sqrt().unwrap();
            centred.broadcast_div(&deviation).unwrap()
        };

        let run = |mode: Mode<'_>| ops::instance_norm_relu(mode, &x).unwrap();
        let theirs = normalised(&x.reshape((b, h * w, c)).unwrap());
        let theirs = theirs.relu().unwrap().reshape(&shape).unwrap();
        compare("instance norm", run, &theirs, &[&x]);

        let run = |mode: Mode<'_>| {
            let (y, _) = ops::batch_norm(mode, &x, &gamma, &beta, true).unwrap();
            y
        };
        let theirs = normalised(&x.reshape((1, b * h * w, c)).unwrap());
        let theirs = theirs
            .broadcast_mul(&gamma)
            .unwrap()
            .broadcast_add(&beta)
            .unwrap();
        let theirs = theirs.relu().unwrap().reshape(&shape).unwrap();
        compare("batch norm", run, &theirs, &[&x, &gamma, &beta]);
    }
}

#[test]
fn normalisation_survives_a_large_mean() {
    let x = (random(&[2, 8, 8, 3], 0).as_detached_tensor() + 1e4).unwrap();
    let y = flat(&ops::instance_norm_relu(Mode::Eval, &x).unwrap());
    let mean_square = y.iter().map(|y| y * y).sum::<f32>() / y.len() as f32;
    assert!((0.4..0.6).contains(&mean_square), "{mean_square}");
}

#[test]
fn element_wise_operators_agree_with_finite_differences() {
    for shape in [vec![1, 1, 1, 1], vec![2, 3, 5, 4], vec![3, 40, 33, 17]] {
        let (a, b) = (random(&shape, 0), random(&shape, 1));
        let noise = random(&shape, 2).as_detached_tensor();
        check("reparameterize", &[a.clone(), b.clone()], |mode, t| {
            ops::reparameterize(mode, &t[0], &t[1], &noise).unwrap()
        });
        check("gaussian_kl", &[a.clone(), b.clone()], |mode, t| {
            ops::gaussian_kl(mode, &t[0], &t[1]).unwrap()
        });
        check("mean_square_error", std::slice::from_ref(&a), |mode, t| {
            ops::mean_square_error(mode, &t[0], &noise).unwrap()
        });
        check("mean_square", std::slice::from_ref(&a), |mode, t| {
            ops::mean_square(mode, &t[0]).unwrap()
        });
        check("sigmoid", std::slice::from_ref(&a), |mode, t| {
            ops::sigmoid(mode, &t[0]).unwrap()
        });
        let sum = (a.as_tensor() + b.as_tensor()).unwrap();
        let run = |mode: Mode<'_>| ops::add_relu(mode, &a, &b).unwrap();
        compare("add_relu", run, &sum.relu().unwrap(), &[&a, &b]);
        let run = |mode: Mode<'_>| ops::clamped_sum(mode, &a, &b).unwrap();
        compare(
            "clamped_sum",
            run,
            &sum.clamp(0f32, 1f32).unwrap(),
            &[&a, &b],
        );
    }
}

#[test]
fn embeddings_agree_with_candle() {
    let labels = [2, 0, 2, 2];
    for [h, w, c] in [[1, 1, 1], [3, 5, 4]] {
        let (x, table) = (random(&[4, h, w, c], 0), random(&[3, c * h * w], 1));
        let run = |mode: Mode<'_>| ops::add_embedding(mode, &x, &table, &labels).unwrap();
        let rows = Tensor::new(&labels, &Device::Cpu).unwrap();
        let rows = table.index_select(&rows, 0).unwrap();
        let images = nhwc(&rows.reshape((4, c, h, w)).unwrap());
        let theirs = (images + x.as_tensor()).unwrap();
        compare("embedding", run, &theirs, &[&x, &table]);
    }
    let (x, table) = (random(&[1, 2, 2, 3], 0), random(&[3, 12], 1));
    assert!(ops::add_embedding(Mode::Eval, &x, &table, &[3]).is_err());
}

/// A tensor used twice gets the sum of both gradients, and one below the loss none.
#[test]
fn gradients_meet_and_stop_where_they_should() {
    let (x, unused) = (random(&[2, 3, 3, 1], 0), random(&[2, 3, 3, 1], 1));
    let tape = Tape::new();
    let mode = Mode::Train(&tape);
    let twice = ops::add_relu(mode, &x, &x).unwrap();
    let loss = ops::mean_square(mode, &twice).unwrap();
    ops::mean_square(mode, &unused).unwrap();
    let gradients = tape.gradients(&[(loss, 18.0)]).unwrap();
    let expected: Vec<f32> = flat(&x).iter().map(|x| 8.0 * x.max(0.0)).collect();
    for (actual, expected) in flat(gradients.get(&x).unwrap()).iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-5, "{actual} {expected}");
    }
    assert!(gradients.get(&unused).is_none());
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = random(&[1, 4, 4, 3], 0);
    let conv = Conv {
        kernel: 7,
        stride: 1,
        padding: 0,
    };
    assert!(ops::conv2d(Mode::Eval, &x, &random(&[2, 3, 7, 7], 1), None, conv).is_err());
    let conv = Conv {
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    assert!(ops::conv2d(Mode::Eval, &x, &random(&[2, 4, 3, 3], 1), None, conv).is_err());
    assert!(ops::add_relu(Mode::Eval, &x, &random(&[1, 4, 4, 2], 1)).is_err());
    let sideways = x.permute((0, 3, 1, 2)).unwrap();
    assert!(ops::instance_norm_relu(Mode::Eval, &sideways).is_err());
}
