//! The D-VAE as a whole: shapes, loss invariants, training, determinism, checkpoints.

use std::sync::Mutex;

use candle_core::{Device, Tensor};
use rand::RngExt;
use ue_audit::data::Dataset;
use ue_audit::dvae::{Dvae, DvaeConfig, Latent, Network, Objective, Output};
use ue_audit::nn::{Mode, Tape};
use ue_audit::observe::{Observer, Silent};
use ue_audit::{Error, Result, Seed};

fn tiny() -> DvaeConfig {
    DvaeConfig {
        widths: [4, 8],
        blocks: 1,
        latent: 4,
        epochs: 3,
        batch: 8,
        energy_epoch: 1,
        ..DvaeConfig::fast()
    }
}

/// Images of one colour a class with some noise.
fn data(count: usize, (height, width): (usize, usize)) -> Dataset {
    let mut rng = Seed(3).stream("data", 0);
    let labels: Vec<u32> = (0..count as u32).map(|row| row % 3).collect();
    let pixels = labels
        .iter()
        .flat_map(|&label| {
            let size = height * width * 3;
            (0..size)
                .map(|i| label as usize * 60 + i % 3 * 20)
                .collect::<Vec<_>>()
        })
        .map(|value| value as u8 + rng.random_range(0..20))
        .collect();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::from_pixels("memory", "test", names, (height, width), pixels, &labels)
}

fn tensor(values: Vec<f32>) -> Tensor {
    let count = values.len();
    Tensor::from_vec(values, (1, 1, 1, count), &Device::Cpu).unwrap()
}

#[test]
fn the_published_size_has_the_published_shapes() {
    let config = DvaeConfig::paper();
    let network = Network::new(&config, 10, (32, 32), Seed(0)).unwrap();
    assert_eq!(network.params().count(), 1_181_382);
    let x = Tensor::full(0.5f32, (1, 32, 32, 3), &Device::Cpu).unwrap();
    let output = network.forward(&x, &[3], None, Mode::Eval).unwrap();
    assert_eq!(output.mean.dims(), [1, 16, 16, 256]);
    assert_eq!(output.perturbation.unwrap().dims(), [1, 32, 32, 3]);
    let reconstruction: Vec<f32> = output
        .reconstruction
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert!(
        reconstruction
            .iter()
            .all(|value| (0.0..=1.0).contains(value))
    );
}

#[test]
fn a_rate_below_its_limit_has_no_gradient() {
    // Gradients of the log variance and the mean, a limit that the rate is below, and none.
    let gradients = |limit: f64| {
        let config = DvaeConfig {
            kld_limit: limit,
            ..tiny()
        };
        let network = Network::new(&config, 3, (8, 8), Seed(0)).unwrap();
        let x = Tensor::full(0.5f32, (2, 8, 8, 3), &Device::Cpu).unwrap();
        let tape = Tape::new();
        let mode = Mode::Train(&tape);
        let output = network.forward(&x, &[0, 1], None, mode).unwrap();
        let objective = Objective::at_epoch(&config, 0);
        let terms = objective.evaluate(&x, &output, mode).unwrap();
        let grads = tape.gradients(&terms.active).unwrap();
        ["log_var.weight", "mu.weight"].map(|name| {
            let mut params = network.params().trainables();
            let weight = params.find(|param| param.name == name).unwrap();
            let gradient = grads.get(&weight.var)?;
            Some(gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        })
    };
    let [free, bound, higher] = [1e6, 0.0, 2e6].map(gradients);
    // The log variance enters nothing but the rate here, since the latent is its mean.
    assert!(free[0].is_none() && bound[0].is_some());
    // The mean enters the reconstruction as well: that part does not know the limit.
    assert!(free[1] == higher[1] && free[1] != bound[1]);
}

#[test]
fn energy_is_free_until_its_epoch_and_below_its_limit() {
    let config = DvaeConfig::paper();
    let x = tensor(vec![0.5; 3]);
    let total = |epoch: usize, p: f32| {
        let perturbation = candle_core::Var::from_tensor(&tensor(vec![p; 3])).unwrap();
        let output = Output {
            reconstruction: x.clone(),
            perturbation: Some(perturbation.as_tensor().clone()),
            mean: tensor(vec![0.0; 3]),
            log_variance: tensor(vec![0.0; 3]),
        };
        let tape = Tape::new();
        let objective = Objective::at_epoch(&config, epoch);
        let terms = objective.evaluate(&x, &output, Mode::Train(&tape)).unwrap();
        let gradient = tape.gradients(&terms.active).unwrap();
        let gradient: Vec<f32> = gradient
            .get(&perturbation)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        (terms.total as f32, gradient[0])
    };
    let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
    // 0.1^2 is above the limit of 0.002, 0.02^2 below it; mean((x̂ + p̂ - x)²) is p²; the rate costs 0.01.
    let (early, slope) = total(10, 0.1);
    assert!(
        close(early, 0.02) && close(slope, 0.2 / 3.0),
        "{early} {slope}"
    );
    let (late, slope) = total(11, 0.1);
    assert!(
        close(late, 0.03) && close(slope, 0.4 / 3.0),
        "{late} {slope}"
    );
    let (late, slope) = total(11, 0.02);
    assert!(
        close(late, 0.0124) && close(slope, 0.04 / 3.0),
        "{late} {slope}"
    );
    // Beyond the clamp the joint term cannot pull p̂ back.
    let (_, slope) = total(0, 0.6);
    assert_eq!(slope, 0.0);
}

#[test]
fn training_lowers_the_loss_and_tells_each_epoch() {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>, Mutex<u64>);
    impl Observer for Notes {
        fn stage(&self, _: &str, _: u64) {}
        fn progress(&self, done: u64) {
            *self.1.lock().unwrap() = done;
        }
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.into());
        }
    }
    let notes = Notes::default();
    let config = DvaeConfig {
        epochs: 6,
        ..tiny()
    };
    let model = Dvae::fit(&data(44, (10, 10)), &config, Seed(1), &notes).unwrap();
    let history = &model.provenance().history;
    assert_eq!(history.len(), 6);
    let loss = |epoch: usize| history[epoch].reconstruction + history[epoch].disentangled;
    assert!(loss(5) < 0.5 * loss(0), "{history:?}");
    assert_eq!(notes.0.lock().unwrap().len(), 6);
    assert_eq!(
        *notes.1.lock().unwrap(),
        30,
        "44 rows are 5 whole batches of 8"
    );
}

/// Weights, statistics, reconstruction and perturbation after three steps, as bits.
fn bits(threads: usize) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let config = DvaeConfig {
            batch: 20,
            ..tiny()
        };
        let data = data(20, (9, 12));
        let model = Dvae::fit(&data, &config, Seed(5), &Silent).unwrap();
        let out = model
            .apply(&data, Latent::Sampled(Seed(6)), &Silent)
            .unwrap();
        let numbers = out.reconstruction.iter().chain(&out.perturbation);
        numbers.map(|value| value.to_bits()).collect()
    })
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let one = bits(1);
    assert_eq!(one.len(), 2 * 20 * 9 * 12 * 3);
    assert!(one == bits(2) && one == bits(3));
}

/// Seventy copies of one picture are more than are decoded at once.
#[test]
fn each_row_has_a_noise_stream_of_its_own() {
    let model = Dvae::fit(&data(16, (8, 8)), &tiny(), Seed(5), &Silent).unwrap();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let copies = vec![90; 70 * 8 * 8 * 3];
    let copies = Dataset::from_pixels("memory", "test", names, (8, 8), copies, &[1; 70]);
    let distinct = |latent: Latent| {
        let out = model.apply(&copies, latent, &Silent).unwrap();
        let mut rows: Vec<Vec<u32>> = out
            .perturbation
            .chunks_exact(8 * 8 * 3)
            .map(|row| row.iter().map(|value| value.to_bits()).collect())
            .collect();
        rows.sort();
        rows.dedup();
        rows.len()
    };
    assert_eq!(distinct(Latent::Mean), 1);
    assert_eq!(distinct(Latent::Sampled(Seed(1))), 70);
}

#[test]
fn a_saved_model_gives_the_same_answers_and_the_same_bytes() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.safetensors"), folder.path().join("b"));
    let data = data(17, (9, 8));
    let model = Dvae::fit(&data, &tiny(), Seed(2), &Silent)?;
    model.save(&first)?;
    let loaded = Dvae::load(&first)?;
    loaded.save(&second)?;
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap());
    assert_eq!(loaded.config(), model.config());
    assert_eq!(loaded.provenance(), model.provenance());
    assert_eq!(loaded.provenance().data, data.fingerprint);
    let answers = |model: &Dvae| model.apply(&data, Latent::Mean, &Silent);
    assert_eq!(answers(&loaded)?, answers(&model)?);
    assert_eq!(loaded.class_perturbation()?, model.class_perturbation()?);
    Ok(())
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let data8 = data(8, (8, 8));
    let model = Dvae::fit(&data8, &tiny(), Seed(2), &Silent).unwrap();
    model.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();

    let refused = |bytes: &[u8], reason: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = Dvae::load(&path).unwrap_err();
        assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    };
    let edited = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "offsets must not move");
        let at = bytes
            .windows(from.len())
            .position(|w| w == from.as_bytes())
            .unwrap();
        let mut edited = bytes.clone();
        edited[at..at + to.len()].copy_from_slice(to.as_bytes());
        edited
    };
    refused(b"not a model", "not a safetensors file");
    refused(&bytes[..bytes.len() / 2], "not a safetensors file");
    refused(&edited(r#"\"version\":1"#, r#"\"version\":9"#), "version 9");
    refused(&edited("ue-audit.dvae", "ue-audit.rvae"), "not a D-VAE");
    refused(
        &edited(r#"\"classes\":3"#, r#"\"classes\":4"#),
        "embedding.weight",
    );
    refused(
        &edited(r#"\"latent\":4"#, r#"\"latent\":5"#),
        "expected F32",
    );
    refused(
        &edited("conv1.weight", "conv9.weight"),
        "conv1.weight is missing",
    );

    let error = model
        .apply(&data(2, (8, 10)), Latent::Mean, &Silent)
        .unwrap_err();
    assert!(error.to_string().contains("8x8"), "{error}");
}

#[test]
fn without_the_second_decoder_it_is_a_plain_rate_constrained_vae() {
    let config = DvaeConfig {
        perturbation_decoder: false,
        ..tiny()
    };
    let data = data(16, (8, 8));
    let model = Dvae::fit(&data, &config, Seed(2), &Silent).unwrap();
    assert!(
        model
            .provenance()
            .history
            .iter()
            .all(|losses| losses.disentangled == 0.0)
    );
    let out = model.apply(&data, Latent::Mean, &Silent).unwrap();
    assert!(out.perturbation.iter().all(|&value| value == 0.0));
    assert!(model.class_perturbation().unwrap().is_none());
}

#[test]
fn divergence_is_an_error_that_names_the_step() {
    let config = DvaeConfig {
        learning_rate: 1e30,
        ..tiny()
    };
    let error = Dvae::fit(&data(32, (8, 8)), &config, Seed(2), &Silent).unwrap_err();
    assert!(matches!(error, Error::Numeric { .. }), "{error}");
    assert!(error.to_string().contains("epoch 1, step"), "{error}");
}

#[test]
fn too_few_rows_and_interruption_are_errors() {
    struct Stop;
    impl Observer for Stop {
        fn stage(&self, _: &str, _: u64) {}
        fn progress(&self, _: u64) {}
        fn note(&self, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
    }
    let fit = |rows: usize, observer: &dyn Observer| {
        Dvae::fit(&data(rows, (8, 8)), &tiny(), Seed(2), observer)
    };
    assert!(matches!(fit(1, &Silent), Err(Error::Numeric { .. })));
    assert!(matches!(fit(9, &Stop), Err(Error::Interrupted)));
    assert!(fit(2, &Silent).is_ok());
}
