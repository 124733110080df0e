//! Every operator against finite differences and, where candle has the same operator, against candle's own.

use candle_core::{Device, Tensor, Var};
use rand::RngExt;
use ue_audit::Seed;
use ue_audit::nn::ops::{self, Conv};

/// Numbers in `(-1, 1)`, the same for the same arguments.
fn random(shape: &[usize], index: u64) -> Var {
    let mut rng = Seed(7).stream("test", index);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
    Var::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A scalar with a different weight on each output, so that no error cancels.
fn weigh(y: &Tensor) -> Tensor {
    let weights = random(y.dims(), 99);
    (y * weights.as_detached_tensor())
        .unwrap()
        .sum_all()
        .unwrap()
}

/// Compares the gradients of `run` with central differences along random directions.
fn check(name: &str, inputs: &[Var], run: impl Fn(&[Tensor]) -> Tensor) {
    let tracked: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
    let grads = weigh(&run(&tracked)).backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let direction = random(input.dims(), 200 + index as u64).as_detached_tensor();
        let at = |step: f64| -> f64 {
            let moved: Vec<Tensor> = inputs.iter().map(Var::as_detached_tensor).collect();
            let mut moved = moved;
            moved[index] = (&moved[index] + (&direction * step).unwrap()).unwrap();
            let y = run(&moved);
            let weights = random(y.dims(), 99).as_detached_tensor();
            let (y, weights) = (flat(&y), flat(&weights));
            let terms = y.iter().zip(&weights);
            terms.map(|(y, w)| f64::from(*y) * f64::from(*w)).sum()
        };
        let step = 2e-3;
        let expected = (at(step) - at(-step)) / (2.0 * step);
        let gradient = grads.get(input).unwrap();
        let actual: f64 = flat(gradient)
            .iter()
            .zip(flat(&direction))
            .map(|(g, d)| f64::from(*g) * f64::from(d))
            .sum();
        let scale = 1.0 + expected.abs();
        assert!(
            (actual - expected).abs() / scale < 5e-3,
            "{name}, input {index}: {actual} instead of {expected}"
        );
    }
}

fn nchw(x: &Tensor) -> Tensor {
    x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

fn assert_close(name: &str, actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.dims(), expected.dims(), "{name}");
    for (actual, expected) in flat(actual).iter().zip(flat(expected)) {
        let error = (actual - expected).abs() / (1.0 + expected.abs());
        assert!(error < 1e-4, "{name}: {actual} instead of {expected}");
    }
}

/// Batch, height, width, channels in and out, kernel, stride, padding: single images and channels, odd sides, strides
/// that leave a border unread, more channels than one block of the matrix product.
const CASES: [([usize; 5], [usize; 3]); 12] = [
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
];

#[test]
fn convolution_agrees_with_candle() {
    for ([b, h, w, ci, co], [kernel, stride, padding]) in CASES {
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
        let y = nchw(&ops::conv2d(&x, &weight, Some(&bias), conv).unwrap());
        let theirs = nchw(&x).conv2d(&weight, padding, stride, 1, 1).unwrap();
        let theirs = theirs
            .broadcast_add(&bias.reshape((1, co, 1, 1)).unwrap())
            .unwrap();
        // candle's own gradient fails where height and width leave borders of different size unread.
        if (h + 2 * padding - kernel) % stride == (w + 2 * padding - kernel) % stride {
            compare(&name, &y, &theirs, &[&x, &weight, &bias]);
        } else {
            assert_close(&name, &y, &theirs);
        }
    }
}

#[test]
fn transposed_convolution_agrees_with_candle() {
    for ([b, h, w, ci, co], [kernel, stride, padding]) in CASES {
        if (h.min(w) - 1) * stride + kernel <= 2 * padding {
            continue;
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
        let y = nchw(&ops::conv_transpose2d(&x, &weight, Some(&bias), conv).unwrap());
        let theirs = nchw(&x)
            .conv_transpose2d(&weight, padding, 0, stride, 1)
            .unwrap();
        let theirs = theirs
            .broadcast_add(&bias.reshape((1, co, 1, 1)).unwrap())
            .unwrap();
        compare(&name, &y, &theirs, &[&x, &weight, &bias]);
    }
}

fn compare(name: &str, y: &Tensor, theirs: &Tensor, inputs: &[&Var]) {
    assert_close(name, y, theirs);
    let (ours, theirs) = (
        weigh(y).backward().unwrap(),
        weigh(theirs).backward().unwrap(),
    );
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
        check("conv2d", &[x.clone(), weight], |t| {
            ops::conv2d(&t[0], &t[1], None, conv).unwrap()
        });
        let weight = random(&[ci, co, kernel, kernel], 1);
        let bias = random(&[co], 2);
        check("conv_transpose2d", &[x, weight, bias], |t| {
            ops::conv_transpose2d(&t[0], &t[1], Some(&t[2]), conv).unwrap()
        });
    }
}

#[test]
fn norms_agree_with_finite_differences() {
    for shape in [[1, 5, 7, 1], [2, 4, 4, 3], [9, 9, 8, 5], [3, 31, 33, 17]] {
        let x = random(&shape, 0);
        let (gamma, beta) = (random(&shape[3..], 1), random(&shape[3..], 2));
        let affine = [x.clone(), gamma.clone(), beta.clone()];
        check("batch_norm", &affine, |t| {
            ops::batch_norm(&t[0], &t[1], &t[2], false).unwrap().0
        });
        let (_, moments) = ops::batch_norm(&x, &gamma, &beta, false).unwrap();
        check("batch_norm_frozen", &affine, |t| {
            ops::batch_norm_frozen(&t[0], &t[1], &t[2], &moments, false).unwrap()
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

        let y = ops::instance_norm_relu(&x).unwrap();
        let theirs = normalised(&x.reshape((b, h * w, c)).unwrap());
        let theirs = theirs.relu().unwrap().reshape(&shape).unwrap();
        compare("instance norm", &y, &theirs, &[&x]);

        let (y, _) = ops::batch_norm(&x, &gamma, &beta, true).unwrap();
        let theirs = normalised(&x.reshape((1, b * h * w, c)).unwrap());
        let theirs = theirs
            .broadcast_mul(&gamma)
            .unwrap()
            .broadcast_add(&beta)
            .unwrap();
        let theirs = theirs.relu().unwrap().reshape(&shape).unwrap();
        compare("batch norm", &y, &theirs, &[&x, &gamma, &beta]);
    }
}

#[test]
fn normalisation_survives_a_large_mean() {
    let x = (random(&[2, 8, 8, 3], 0).as_detached_tensor() + 1e4).unwrap();
    let y = flat(&ops::instance_norm_relu(&x).unwrap());
    let mean_square = y.iter().map(|y| y * y).sum::<f32>() / y.len() as f32;
    assert!((0.4..0.6).contains(&mean_square), "{mean_square}");
}

#[test]
fn element_wise_operators_agree_with_finite_differences() {
    for shape in [vec![1, 1, 1, 1], vec![2, 3, 5, 4], vec![3, 40, 33, 17]] {
        let (a, b) = (random(&shape, 0), random(&shape, 1));
        let noise = random(&shape, 2).as_detached_tensor();
        check("reparameterize", &[a.clone(), b.clone()], |t| {
            ops::reparameterize(&t[0], &t[1], &noise).unwrap()
        });
        check("gaussian_kl", &[a.clone(), b.clone()], |t| {
            ops::gaussian_kl(&t[0], &t[1]).unwrap()
        });
        check("mean_square_error", std::slice::from_ref(&a), |t| {
            ops::mean_square_error(&t[0], &noise).unwrap()
        });
        check("mean_square", std::slice::from_ref(&a), |t| {
            ops::mean_square(&t[0]).unwrap()
        });
        let theirs = (a.as_tensor() + b.as_tensor()).unwrap().relu().unwrap();
        compare(
            "add_relu",
            &ops::add_relu(&a, &b).unwrap(),
            &theirs,
            &[&a, &b],
        );
        let theirs = a.clamp(0f32, 1f32).unwrap();
        compare("clamp_unit", &ops::clamp_unit(&a).unwrap(), &theirs, &[&a]);
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = random(&[1, 4, 4, 3], 0);
    let conv = Conv {
        kernel: 7,
        stride: 1,
        padding: 0,
    };
    assert!(ops::conv2d(&x, &random(&[2, 3, 7, 7], 1), None, conv).is_err());
    let conv = Conv {
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    assert!(ops::conv2d(&x, &random(&[2, 4, 3, 3], 1), None, conv).is_err());
    assert!(ops::add_relu(&x, &random(&[1, 4, 4, 2], 1)).is_err());
    let sideways = x.permute((0, 3, 1, 2)).unwrap();
    assert!(ops::instance_norm_relu(&sideways).is_err());
}
