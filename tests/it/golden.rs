//! The D-VAE against PyTorch: forward, each loss term, every gradient. See `fixtures/golden/README.md`.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use ue_audit::Seed;
use ue_audit::dvae::{DvaeConfig, Network, Objective};
use ue_audit::nn::{Mode, Tape};

/// Largest deviation, relative to the largest number of the tensor.
const TOLERANCE: f32 = 1e-4;

pub(crate) struct Golden<'a>(pub(crate) SafeTensors<'a>);

impl Golden<'_> {
    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        let view = self.0.tensor(name).unwrap();
        let numbers = view.data().as_chunks().0.iter();
        numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    fn tensor(&self, name: &str) -> Tensor {
        let shape = self.0.tensor(name).unwrap().shape().to_vec();
        Tensor::from_vec(self.values(name), shape, &Device::Cpu).unwrap()
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        self.0.tensor(name).unwrap().shape().to_vec()
    }

    fn image(&self, name: &str) -> Tensor {
        nhwc(&self.tensor(name))
    }

    pub(crate) fn labels(&self) -> Vec<u32> {
        let view = self.0.tensor("in.y").unwrap();
        let labels = view.data().as_chunks().0.iter();
        labels
            .map(|bytes| i64::from_le_bytes(*bytes) as u32)
            .collect()
    }

    /// The network before the pass, with its settings.
    pub(crate) fn network(&self) -> (DvaeConfig, Network) {
        let config = DvaeConfig {
            widths: [
                self.shape("w.conv1.weight")[0],
                self.shape("w.post.weight")[0],
            ],
            latent: self.shape("w.mu.weight")[0],
            ..DvaeConfig::paper()
        };
        let classes = self.shape("w.embedding.weight")[0];
        let network = Network::new(&config, classes, (32, 32), Seed(0)).unwrap();
        for param in network.params().entries() {
            let value = self.tensor(&format!("w.{}", param.name));
            param.var.set(&value).unwrap();
        }
        (config, network)
    }
}

/// PyTorch's `[b, c, h, w]` as `[b, h, w, c]`.
pub(crate) fn nhwc(tensor: &Tensor) -> Tensor {
    let tensor = tensor.permute((0, 2, 3, 1)).unwrap();
    tensor.contiguous().unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest(tensor: &Tensor) -> f32 {
    let values = flat(tensor);
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn assert_close(name: &str, actual: &Tensor, expected: &Tensor, scale: f32) {
    assert_eq!(actual.dims(), expected.dims(), "{name}");
    for (actual, expected) in flat(actual).iter().zip(flat(expected)) {
        let error = (actual - expected).abs() / scale;
        assert!(
            error < TOLERANCE,
            "{name}: {actual} instead of {expected}, scale {scale}"
        );
    }
}

/// The stored numbers, or those at `UE_AUDIT_GOLDEN`, such as a set at the published size.
#[test]
fn agrees_with_pytorch() {
    let stored = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/golden/dvae.safetensors"
    );
    let path = std::env::var_os("UE_AUDIT_GOLDEN").map_or(stored.into(), PathBuf::from);
    let bytes = std::fs::read(path).unwrap();
    let golden = Golden(SafeTensors::deserialize(&bytes).unwrap());
    let (config, network) = golden.network();

    let (x, noise) = (golden.image("in.x"), golden.image("in.eps"));
    let tape = Tape::new();
    let mode = Mode::Train(&tape);
    let output = network
        .forward(&x, &golden.labels(), Some(&noise), mode)
        .unwrap();
    for (name, actual) in [
        ("x_hat", &output.reconstruction),
        ("p_hat", output.perturbation.as_ref().unwrap()),
        ("mu", &output.mean),
        ("log_var", &output.log_variance),
    ] {
        let expected = golden.image(&format!("out.{name}"));
        assert_close(name, actual, &expected, largest(&expected));
    }

    let objective = Objective::at_epoch(&config, config.energy_epoch);
    let terms = objective.evaluate(&x, &output, mode).unwrap();
    let total = terms.total as f32;
    for (name, actual) in [
        ("total", total),
        ("rec", terms.losses.reconstruction),
        ("rec_p", terms.losses.disentangled),
        ("kld", terms.losses.kld),
        ("energy", terms.losses.energy),
    ] {
        let expected = golden.values(&format!("loss.{name}"))[0];
        assert!(
            (actual / expected - 1.0).abs() < TOLERANCE,
            "{name}: {actual} {expected}"
        );
    }

    let grads = tape.gradients(&terms.active).unwrap();
    let mut compared = 0;
    for param in network.params().trainables() {
        let name = format!("grad.{}", param.name);
        let expected = golden.tensor(&name);
        // The instance norm after these layers takes any bias away: both gradients are rounding errors of zero, to be
        // seen on the scale of the layer's weight.
        let scale = match name.strip_suffix(".bias") {
            Some(layer) if layer.ends_with("c1") || layer.ends_with("c2") => {
                largest(&golden.tensor(&format!("{layer}.weight")))
            }
            _ => largest(&expected),
        };
        assert_close(&name, grads.get(&param.var).unwrap(), &expected, scale);
        compared += 1;
    }
    let stored = golden
        .0
        .names()
        .iter()
        .filter(|name| name.starts_with("grad."))
        .count();
    assert_eq!(compared, stored, "every gradient");
}
