//! The classifiers against PyTorch: logits, loss, and the gradient of every tensor and of the images. Weights and images are
//! computed by both sides from one formula; see `fixtures/golden/README.md`.

use candle_core::{Device, Tensor, Var};
use safetensors::SafeTensors;
use ue_audit::Seed;
use ue_audit::nn::ops::cross_entropy;
use ue_audit::nn::params::Param;
use ue_audit::nn::{Gradients, Mode, Tape};
use ue_audit::zoo::{Architecture, Classifier, Images, Samples};

use crate::gradients::flat;

const BATCH: usize = 8;
/// Number of the stream that the images come from; those of the tensors count from 1.
const IMAGES: u32 = 1000;

/// `count` numbers in [0, 1): the finaliser of MurmurHash3 over a counter.
fn hashed(count: usize, stream: u32) -> impl Iterator<Item = f64> {
    (0..count as u32).map(move |index| {
        let mut h = index.wrapping_add(stream.wrapping_mul(0x9E37_79B9));
        h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
        h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
        f64::from((h ^ (h >> 16)) >> 8) / f64::from(1 << 24)
    })
}

/// Starting values of tensor number `number` in the order of the names.
fn fill(param: &Param, number: u32) {
    let dims = param.var.dims();
    let signed = hashed(param.var.elem_count(), number).map(|u| 2.0 * u - 1.0);
    let inputs: usize = dims[1..].iter().product();
    let bound = (6.0 / inputs as f64).sqrt();
    let place = |u: f64| {
        if dims.len() > 1 {
            bound * u
        } else if param.name.ends_with("weight") {
            1.0 + 0.25 * u
        } else {
            0.25 * u
        }
    };
    let values: Vec<f32> = signed.map(|u| place(u) as f32).collect();
    let tensor = Tensor::from_vec(values, dims, &Device::Cpu).unwrap();
    param.var.set(&tensor).unwrap();
}

fn norm(values: &[f32]) -> f32 {
    let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    square.sqrt() as f32
}

/// A fresh network on blank images.
fn build(architecture: Architecture, side: usize) -> Box<dyn Classifier> {
    let blank = vec![0.0; BATCH * side * side * 3];
    let samples = Samples {
        height: side,
        width: side,
        images: Images::Reals(&blank),
        labels: vec![0; BATCH],
        classes: 10,
    };
    architecture.build(&samples, Seed(0)).unwrap()
}

struct Golden<'a> {
    file: SafeTensors<'a>,
    name: &'static str,
}

impl Golden<'_> {
    fn values(&self, part: &str) -> Vec<f32> {
        let view = self.file.tensor(&format!("{}.{part}", self.name)).unwrap();
        let numbers = view.data().as_chunks().0.iter();
        numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    fn assert_close(&self, part: &str, actual: &[f32], tolerance: f32) {
        let expected = self.values(part);
        assert_eq!(actual.len(), expected.len(), "{}.{part}", self.name);
        let scale = expected
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()));
        for (actual, expected) in actual.iter().zip(expected) {
            assert!(
                (actual - expected).abs() < tolerance * scale,
                "{}.{part}: {actual} instead of {expected}, scale {scale}",
                self.name
            );
        }
    }

    /// The norm and the first numbers of each gradient.
    fn assert_gradients(&self, params: &[&Param], gradients: &Gradients) {
        let (norms, heads) = (self.values("norms"), self.values("heads"));
        assert_eq!(norms.len(), params.len(), "every gradient of {}", self.name);
        let largest = norms.iter().fold(0.0f32, |most, norm| most.max(*norm));
        for ((param, expected), heads) in params.iter().zip(norms).zip(heads.chunks_exact(4)) {
            let name = format!("{}, gradient of {}", self.name, param.name);
            let actual = flat(gradients.get(&param.var).unwrap());
            // Some gradients are zero but for rounding: a norm behind the layer takes its bias away.
            let slack = 0.01 * expected + 1e-5 * largest;
            let found = norm(&actual);
            assert!(
                (found - expected).abs() < slack,
                "{name}: norm {found} instead of {expected}"
            );
            for (actual, expected) in actual.iter().zip(heads) {
                let error = (actual - expected).abs();
                assert!(error < slack, "{name}: {actual} instead of {expected}");
            }
        }
    }
}

fn agrees(architecture: Architecture, parameters: usize, side: usize) {
    let stored = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/golden/zoo.safetensors"
    );
    let bytes = std::fs::read(stored).unwrap();
    let golden = Golden {
        file: SafeTensors::deserialize(&bytes).unwrap(),
        name: architecture.name(),
    };
    let network = build(architecture, side);
    assert_eq!(network.params().count(), parameters);
    let mut params: Vec<&Param> = network.params().trainables().collect();
    params.sort_by(|a, b| a.name.cmp(&b.name));
    for (number, param) in (1..).zip(&params) {
        fill(param, number);
    }
    let images: Vec<f32> = hashed(BATCH * side * side * 3, IMAGES)
        .map(|u| u as f32)
        .collect();
    let x = Var::from_vec(images, (BATCH, side, side, 3), &Device::Cpu).unwrap();
    let labels: Vec<u32> = (0..BATCH as u32).map(|row| row * 3 % 10).collect();

    let tape = Tape::new();
    let logits = network.forward(&x, Mode::Train(&tape)).unwrap();
    golden.assert_close("logits", &flat(&logits), 1e-3);
    let loss = cross_entropy(Mode::Train(&tape), &logits, &labels, 0.1).unwrap();
    golden.assert_close("loss", &flat(&loss.flatten_all().unwrap()), 1e-4);
    let gradients = tape.gradients(&[(loss, 1.0)]).unwrap();
    golden.assert_gradients(&params, &gradients);
    let images = norm(&flat(gradients.get(&x).unwrap()));
    golden.assert_close("images", &[images], 1e-2);

    // The running statistics have moved as PyTorch's have.
    let logits = network.forward(&x, Mode::Eval).unwrap();
    golden.assert_close("eval", &flat(&logits), 1e-3);
}

#[test]
fn resnet18_agrees_with_pytorch() {
    agrees(Architecture::ResNet18, 11_173_962, 16);
}

#[test]
fn resnet50_agrees_with_pytorch() {
    agrees(Architecture::ResNet50, 23_520_842, 16);
}

#[test]
fn densenet121_agrees_with_pytorch() {
    agrees(Architecture::DenseNet121, 6_956_426, 16);
}

#[test]
fn mobilenetv2_agrees_with_pytorch() {
    agrees(Architecture::MobileNetV2, 2_236_682, 32);
}

/// What an attack asks for: the gradient of the images through a network that stays as it is.
#[test]
fn a_frozen_network_gives_the_gradient_of_the_images() {
    let side = 16;
    let network = build(Architecture::ResNet18, side);
    let before: Vec<Vec<f32>> = values(&*network);
    let images: Vec<f32> = hashed(2 * side * side * 3, IMAGES)
        .map(|u| u as f32)
        .collect();
    let x = Var::from_vec(images, (2, side, side, 3), &Device::Cpu).unwrap();
    let loss_at = |x: &Tensor, mode: Mode<'_>| {
        let logits = network.forward(x, mode).unwrap();
        cross_entropy(mode, &logits, &[3, 7], 0.0).unwrap()
    };
    let tape = Tape::new();
    let loss = loss_at(&x, Mode::Frozen(&tape));
    let gradients = tape.gradients(&[(loss, 1.0)]).unwrap();
    let gradient = gradients.get(&x).unwrap();
    // The loss falls by the square of the gradient's norm along it, to first order.
    let step = 1e-3 / f64::from(norm(&flat(gradient)));
    let at = |step: f64| -> f64 {
        let moved = (x.as_detached_tensor() + (gradient * step).unwrap()).unwrap();
        f64::from(loss_at(&moved, Mode::Eval).to_scalar::<f32>().unwrap())
    };
    let slope = (at(step) - at(-step)) / (2.0 * step);
    let expected = f64::from(norm(&flat(gradient))).powi(2);
    assert!((slope / expected - 1.0).abs() < 0.05, "{slope} {expected}");
    assert_eq!(values(&*network), before);
    let stem = &network.params().entries()[0];
    assert!(
        gradients.get(&stem.var).is_none(),
        "weights get no gradient"
    );
}

fn values(network: &dyn Classifier) -> Vec<Vec<f32>> {
    let params = network.params().entries().iter();
    params.map(|param| flat(&param.var)).collect()
}
