//! The classifiers: what they learn, and what they promise about seeds and threads.

use ue_audit::data::Dataset;
use ue_audit::nn::augment::View;
use ue_audit::observe::Silent;
use ue_audit::zoo::{Architecture, Images, Recipe, Samples, train};
use ue_audit::{Error, Seed, demo};

use crate::cli::{ends, last_line_as_json, ue_audit};
use crate::gradients::flat;
use crate::support;

fn few(rows: usize, seed: u64) -> Dataset {
    demo::dataset(rows, Seed(seed))
}

/// Demo pictures under a class-linked pattern of the finest stripes, which crops and mirrors leave as they are.
fn striped(rows: usize, seed: u64, amplitude: i16) -> Dataset {
    let clean = few(rows, seed);
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % 4).collect();
    let (side, size) = (clean.width, clean.image(0).len());
    let pixels = clean.pixels().iter().enumerate().map(|(at, &value)| {
        let (y, x) = (at % size / 3 / side, at / 3 % side);
        let phase = [0, y, x, x + y][labels[at / size] as usize] % 2;
        (i16::from(value) + amplitude * (1 - 2 * phase as i16)).clamp(0, 255) as u8
    });
    let names = ["flat", "rows", "columns", "checks"].map(str::to_string);
    let pixels = pixels.collect();
    Dataset::from_pixels("striped", "", names.into(), (side, side), pixels, &labels)
}

/// What the evaluation is for: a set whose labels follow a perturbation teaches the perturbation, and nothing that holds
/// without it.
#[test]
fn the_fast_classifier_learns_a_shortcut_and_nothing_else() {
    let recipe = Recipe {
        epochs: 6,
        batch: 16,
        learning_rate: 0.02,
        ..Recipe::fast()
    };
    let data = striped(160, 0, 12);
    let samples = Samples::from(&data);
    let trained = train(&samples, Architecture::Fast, &recipe, Seed(0), &Silent).unwrap();
    let accuracy = |amplitude| {
        let data = striped(80, 1, amplitude);
        let evaluation = trained.test(&Samples::from(&data), &Silent).unwrap();
        evaluation.accuracy().unwrap()
    };
    let (with, without) = (accuracy(12), accuracy(0));
    assert!(with > 0.9, "{with}, losses {:?}", trained.history);
    assert!(without < 0.5, "{without}");
}

#[test]
fn the_same_seed_gives_the_same_network_at_any_thread_count() {
    let data = few(64, 0);
    let weights = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let recipe = Recipe {
                epochs: 1,
                batch: 16,
                ..Recipe::fast()
            };
            let samples = Samples::from(&data);
            let seed = Seed(seed);
            let trained = train(&samples, Architecture::Fast, &recipe, seed, &Silent).unwrap();
            let params = trained.classifier.params();
            params.to_safetensors(("test", String::new())).unwrap()
        })
    };
    let one = weights(1, 0);
    assert!(one == weights(3, 0), "threads");
    assert!(one != weights(1, 1), "seeds");
}

#[test]
fn bytes_and_reals_are_the_same_pictures() {
    let data = few(4, 0);
    let reals: Vec<f32> = data
        .pixels()
        .iter()
        .map(|&v| f32::from(v) / 255.0)
        .collect();
    let bytes = Samples::from(&data);
    let reals = Samples {
        images: Images::Reals(&reals),
        ..bytes.clone()
    };
    let batch = |samples: &Samples<'_>| flat(&samples.batch(&[2, 0], |_| View::IDENTITY).unwrap());
    assert_eq!(batch(&bytes), batch(&reals));
    let first = data.image(2)[0];
    assert_eq!(batch(&bytes)[0], f32::from(first) / 255.0);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let data = few(40, 0);
    let samples = Samples::from(&data);
    let attempt = |samples: &Samples<'_>, recipe: &Recipe| {
        train(samples, Architecture::Fast, recipe, Seed(0), &Silent)
            .err()
            .unwrap()
    };
    let fast = Recipe::fast();
    let tiny = Samples {
        height: 8,
        width: 8,
        images: Images::Reals(&[0.0; 2 * 8 * 8 * 3]),
        labels: vec![0; 2],
        classes: 10,
    };
    let error = attempt(&tiny, &fast);
    assert!(
        matches!(
            error,
            Error::Settings {
                name: "image size",
                ..
            }
        ),
        "{error}"
    );
    let no_epochs = Recipe {
        epochs: 0,
        ..fast.clone()
    };
    let error = attempt(&samples, &no_epochs);
    assert!(
        matches!(error, Error::Settings { name: "epochs", .. }),
        "{error}"
    );
    let single = Samples {
        labels: vec![0],
        ..samples.clone()
    };
    assert!(matches!(attempt(&single, &fast), Error::Numeric { .. }));
    let explosive = Recipe {
        epochs: 3,
        batch: 8,
        learning_rate: 1e30,
        ..fast
    };
    let error = attempt(&samples, &explosive);
    assert!(error.to_string().contains("lower learning_rate"), "{error}");
}

#[test]
fn evaluate_prints_the_promised_fields() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("train"), 80, 2);
    support::image_folder(&home.path().join("test"), 40, 2);
    std::fs::write(home.path().join("test/disk/zz.png"), "no picture").unwrap();
    let args = [
        "evaluate", "--train", "train", "--test", "test", "--model", "fast", "--epochs", "2",
        "--seed", "5", "--json",
    ];
    let (stderr, stdout) = ends(ue_audit(home.path()).args(args), 0);
    let result = last_line_as_json(&stdout);
    assert_eq!(result["model"], "fast");
    assert_eq!(result["seed"], 5);
    assert_eq!(result["epochs"], 2);
    assert_eq!(result["n_train"], 80);
    assert_eq!(result["n_test"], 40);
    assert_eq!(result["unreadable"], serde_json::json!([0, 1]));
    assert_eq!(result["history"].as_array().unwrap().len(), 2);
    let accuracy = result["accuracy"].as_f64().unwrap();
    let confusion: Vec<Vec<u64>> = serde_json::from_value(result["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 40);
    let right = (confusion[0][0] + confusion[1][1]) as f64;
    assert_eq!(accuracy, right / 40.0);
    assert!(stdout.contains("accuracy:"), "{stdout}");
    assert!(
        stderr.contains("exit 0: fast trained on 80 rows"),
        "{stderr}"
    );
}

#[test]
fn evaluate_wants_the_classes_of_the_training_data() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("train"), 20, 2);
    support::image_folder(&home.path().join("test"), 30, 3);
    let args = ["evaluate", "--train", "train", "--test", "test"];
    let (stderr, _) = ends(ue_audit(home.path()).args(args), 2);
    assert!(stderr.contains("is not in the training data"), "{stderr}");
}
