//! The operators of classifiers against finite differences and candle's own, over shapes drawn at random.

use candle_core::{D, DType, Device, Tensor, Var};
use proptest::prelude::*;
use ue_audit::nn::ops::{self, Conv};
use ue_audit::nn::{Mode, Tape};

use crate::gradients::{assert_close, check, compare, flat, nchw, nhwc, random};

/// Images: batch, height, width, channels.
fn images() -> impl Strategy<Value = [usize; 4]> {
    (1..5usize, 1..10usize, 1..10usize, 1..20usize).prop_map(|(b, h, w, c)| [b, h, w, c])
}

/// Numbers no two of which are near each other or near a kink, so that differences do not step over one.
fn distinct(shape: &[usize]) -> Var {
    let count: usize = shape.iter().product();
    let places = (0..count).map(|i| (i * 7919 % count) as f32 + 0.25 - (count / 2) as f32);
    Var::from_vec(
        places.map(|place| place * 0.04).collect(),
        shape,
        &Device::Cpu,
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linear_agrees(batch in 1..80usize, inputs in 1..40usize, outputs in 1..20usize) {
        let (x, weight) = (random(&[batch, inputs], 0), random(&[outputs, inputs], 1));
        let bias = random(&[outputs], 2);
        let run = |mode: Mode<'_>| ops::linear(mode, &x, &weight, &bias).unwrap();
        let theirs = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        compare("linear", run, &theirs, &[&x, &weight, &bias]);
        check("linear", &[x, weight, bias], |mode, t| {
            ops::linear(mode, &t[0], &t[1], &t[2]).unwrap()
        });
    }

    #[test]
    fn pools_agree([b, h, w, c] in images(), kernel in 1..4usize) {
        let x = random(&[b, h, w, c], 0);
        if h.min(w) >= kernel {
            let run = |mode: Mode<'_>| ops::average_pool2d(mode, &x, kernel).unwrap();
            assert_close("average", &run(Mode::Eval), &nhwc(&nchw(&x).avg_pool2d(kernel).unwrap()));
            let run = |mode: Mode<'_>| ops::max_pool2d(mode, &x, kernel).unwrap();
            assert_close("max", &run(Mode::Eval), &nhwc(&nchw(&x).max_pool2d(kernel).unwrap()));
            // candle divides the gradient of a maximum by the size of the window, so differences are the judge.
            check("average", std::slice::from_ref(&x), |mode, t| {
                ops::average_pool2d(mode, &t[0], kernel).unwrap()
            });
            check("max", &[distinct(&[1, h, w, c.min(3)])], |mode, t| {
                ops::max_pool2d(mode, &t[0], kernel).unwrap()
            });
        }
        let flat = x.reshape((b, h * w, c)).unwrap();
        let shape = (b, 1, 1, c);
        let run = |mode: Mode<'_>| ops::global_average_pool(mode, &x).unwrap();
        compare("global average", run, &flat.mean(1).unwrap().reshape(shape).unwrap(), &[&x]);
        let run = |mode: Mode<'_>| ops::global_max_pool(mode, &x).unwrap();
        compare("global max", run, &flat.max(1).unwrap().reshape(shape).unwrap(), &[&x]);
    }

    #[test]
    fn depthwise_convolution_agrees(
        [b, h, w, c] in images(),
        (kernel, stride, padding) in (1..4usize, 1..3usize, 0..2usize),
    ) {
        prop_assume!(h.min(w) + 2 * padding >= kernel);
        let conv = Conv { kernel, stride, padding };
        let (x, weight) = (random(&[b, h, w, c], 0), random(&[c, 1, kernel, kernel], 1));
        let theirs = nhwc(&nchw(&x).conv2d(&weight, padding, stride, 1, c).unwrap());
        let run = |mode: Mode<'_>| ops::depthwise_conv2d(mode, &x, &weight, conv).unwrap();
        assert_close("depthwise", &run(Mode::Eval), &theirs);
        check("depthwise", &[x, weight], |mode, t| {
            ops::depthwise_conv2d(mode, &t[0], &t[1], conv).unwrap()
        });
    }

    #[test]
    fn concatenation_agrees([b, h, w, c] in images(), more in 1..9usize) {
        let (x, y) = (random(&[b, h, w, c], 0), random(&[b, h, w, more], 1));
        let run = |mode: Mode<'_>| ops::concat_channels(mode, &x, &y).unwrap();
        let theirs = Tensor::cat(&[x.as_tensor(), y.as_tensor()], 3).unwrap();
        compare("concat", run, &theirs, &[&x, &y]);
    }

    #[test]
    fn cross_entropy_agrees(batch in 1..9usize, classes in 1..12usize, smoothing in 0.0..0.5f64) {
        let logits = Var::from_tensor(&(random(&[batch, classes], 0).as_tensor() * 9.0).unwrap()).unwrap();
        let labels: Vec<u32> = (0..batch).map(|row| (row * 5 % classes) as u32).collect();
        let tape = Tape::new();
        let loss = ops::cross_entropy(Mode::Train(&tape), &logits, &labels, smoothing).unwrap();

        let log = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap();
        let rows = Tensor::new(&labels[..], &Device::Cpu).unwrap();
        let plain = candle_nn::loss::cross_entropy(&logits, &rows).unwrap();
        let even = log.mean_all().unwrap().neg().unwrap();
        let theirs = ((plain * (1.0 - smoothing)).unwrap() + (even * smoothing).unwrap()).unwrap();
        assert_close("cross-entropy", &loss, &theirs.to_dtype(DType::F32).unwrap());
        let ours = tape.gradients(&[(loss, 1.0)]).unwrap();
        let theirs = theirs.backward().unwrap();
        let (ours, theirs) = (ours.get(&logits).unwrap(), theirs.get(&logits).unwrap());
        assert_close("cross-entropy, gradient", ours, theirs);
    }

    #[test]
    fn rectifiers_and_sums_agree([b, h, w, c] in images()) {
        let shape = [b, h, w, c];
        let (x, y) = (distinct(&shape), random(&shape, 1));
        let run = |mode: Mode<'_>| ops::relu(mode, &x).unwrap();
        compare("relu", run, &x.relu().unwrap(), &[&x]);
        check("relu6", std::slice::from_ref(&x), |mode, t| ops::relu6(mode, &t[0]).unwrap());
        let capped = x.clamp(0f32, 6f32).unwrap();
        assert_close("relu6", &ops::relu6(Mode::Eval, &x).unwrap(), &capped);
        let run = |mode: Mode<'_>| ops::sum(mode, &x, &y).unwrap();
        compare("sum", run, &(x.as_tensor() + y.as_tensor()).unwrap(), &[&x, &y]);
    }
}

/// Of equal maxima the first gets the gradient, as in PyTorch.
#[test]
fn equal_maxima_share_nothing() {
    let x = Var::from_vec(vec![2f32; 8], (1, 2, 2, 2), &Device::Cpu).unwrap();
    let tape = Tape::new();
    let y = ops::max_pool2d(Mode::Train(&tape), &x, 2).unwrap();
    let loss = ops::mean_square(Mode::Train(&tape), &y).unwrap();
    let gradients = tape.gradients(&[(loss, 1.0)]).unwrap();
    let expected = [2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(flat(gradients.get(&x).unwrap()), expected);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = random(&[2, 3, 3, 4], 0);
    let mode = Mode::Eval;
    assert!(ops::max_pool2d(mode, &x, 4).is_err());
    assert!(ops::average_pool2d(mode, &x, 0).is_err());
    assert!(ops::linear(mode, &x, &random(&[2, 9], 1), &random(&[2], 2)).is_err());
    assert!(ops::linear(mode, &x, &random(&[2, 36], 1), &random(&[3], 2)).is_err());
    assert!(ops::concat_channels(mode, &x, &random(&[2, 3, 2, 4], 1)).is_err());
    assert!(ops::cross_entropy(mode, &random(&[2, 3], 1), &[0, 3], 0.0).is_err());
    assert!(ops::cross_entropy(mode, &random(&[2, 3], 1), &[0], 0.0).is_err());
    let conv = Conv {
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    assert!(ops::depthwise_conv2d(mode, &x, &random(&[4, 2, 3, 3], 1), conv).is_err());
}
