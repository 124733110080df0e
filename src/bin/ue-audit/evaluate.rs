//! `ue-audit evaluate`: what a training set teaches, as accuracy on another.

use std::path::Path;
use std::time::Instant;

use anyhow::{anyhow, ensure};
use serde::Serialize;
use ue_audit::data::{Dataset, LoadOptions, Status, load, open};
use ue_audit::decide::gate::Gate;
use ue_audit::nn::Precision;
use ue_audit::nn::likelihood::Epoch;
use ue_audit::report::terminal::{printable, table};
use ue_audit::settings::Config;
use ue_audit::zoo::{Architecture, Recipe, Samples, train, train_from};
use ue_audit::{Error, Seed};

use crate::args::{EvaluateArgs, Global};
use crate::progress::Console;
use crate::{exit, output, source};

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    accuracy: f64,
    model: Architecture,
    seed: Seed,
    epochs: usize,
    precision: Precision,
    n_train: usize,
    n_test: usize,
    /// Rows of both sets that could not be read and took no part.
    unreadable: [usize; 2],
    classes: &'a [String],
    class_accuracy: Vec<Option<f64>>,
    /// A row for each class of the label, a column for each class of the answer.
    confusion: &'a [Vec<usize>],
    history: &'a [Epoch],
    timings: Timings,
}

/// Seconds.
#[derive(Serialize)]
struct Timings {
    train: f64,
    test: f64,
}

pub(crate) fn run(args: &EvaluateArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(Config {
        format: args.format.clone(),
        max_images: args.max_images,
        ..Config::default()
    })?;
    source::use_threads(&settings)?;
    let mut recipe = Recipe {
        precision: args.arithmetic.precision,
        ..Recipe::of(args.model)
    };
    if let Some(epochs) = args.epochs {
        recipe.epochs = epochs.get();
    }
    let whole = LoadOptions {
        max_rows: None,
        ..source::load_options(&settings)
    };
    let read = |path: &Path, options: &LoadOptions| -> ue_audit::Result<Dataset> {
        load(
            &*open(path, &settings.format, &settings.limits)?,
            options,
            console,
        )
    };
    let train_data = read(&args.train, &source::load_options(&settings))?;
    let test_data = read(&args.test, &whole)?;
    let test_samples = matched(&train_data, &test_data, &args.test)?;

    let begun = Instant::now();
    let samples = Samples::from(&train_data);
    let (model, seed) = (args.model, settings.seed);
    let trained = match &args.checkpoint {
        Some(path) => train_from(path, &samples, model, &recipe, seed, console)?,
        None => train(&samples, model, &recipe, seed, console)?,
    };
    let trained_in = begun.elapsed().as_secs_f64();
    let evaluation = trained.test(&test_samples, console)?;
    let accuracy = evaluation
        .accuracy()
        .ok_or_else(|| anyhow!("{}: no picture can be read", args.test.display()))?;
    console.rest();

    let outcome = Outcome {
        accuracy,
        model: args.model,
        seed: settings.seed,
        epochs: recipe.epochs,
        precision: recipe.precision,
        n_train: samples.len(),
        n_test: test_samples.len(),
        unreadable: [&train_data, &test_data].map(unreadable),
        classes: &train_data.class_names,
        class_accuracy: evaluation.class_accuracy(),
        confusion: &evaluation.confusion,
        history: &trained.history,
        timings: Timings {
            train: trained_in,
            test: begun.elapsed().as_secs_f64() - trained_in,
        },
    };
    if !console.is_quiet() {
        output::stdout(&render(&outcome))?;
    }
    if args.json {
        output::json(&outcome)?;
    }
    Ok(exit::done(format!(
        "{} trained on {} rows gets {:.2} % of {} right",
        args.model.name(),
        outcome.n_train,
        100.0 * accuracy,
        outcome.n_test
    )))
}

/// The test samples with labels that mean what they mean in the training data, whatever order each set has its classes
/// in.
fn matched<'a>(train: &Dataset, test: &'a Dataset, path: &Path) -> anyhow::Result<Samples<'a>> {
    ensure!(
        (train.height, train.width) == (test.height, test.width),
        "{}: pictures of {}x{}, but the training data has {}x{}",
        path.display(),
        test.height,
        test.width,
        train.height,
        train.width
    );
    let mut samples = Samples::from(test);
    for label in &mut samples.labels {
        let name = &test.class_names[*label as usize];
        let known = train.class_names.iter().position(|known| known == name);
        let problem = || format!("class {name} is not in the training data");
        *label = known.ok_or_else(|| Error::input(path, problem()))? as u32;
    }
    samples.classes = train.class_names.len();
    Ok(samples)
}

fn unreadable(data: &Dataset) -> usize {
    let rows = data.rows.iter();
    rows.filter(|row| matches!(row.status, Status::Unreadable(_)))
        .count()
}

fn render(outcome: &Outcome<'_>) -> String {
    let percent =
        |share: Option<f64>| share.map_or("-".into(), |share| format!("{:.2} %", 100.0 * share));
    let mut rows = table(&["class", "pictures", "right", "most often taken for"]);
    let answers = outcome.confusion.iter().zip(&outcome.class_accuracy);
    for (class, (answers, accuracy)) in outcome.classes.iter().zip(answers) {
        let wrong = answers.iter().zip(outcome.classes);
        let wrong = wrong.filter(|(count, name)| **count > 0 && *name != class);
        let taken = wrong.max_by_key(|(count, _)| **count);
        rows.add_row([
            printable(class),
            answers.iter().sum::<usize>().to_string(),
            percent(*accuracy),
            taken.map_or("-".into(), |(count, name)| {
                format!("{} ({count})", printable(name))
            }),
        ]);
    }
    format!(
        "model: {}, {} epochs, seed {}\ntrained on: {} pictures ({} unreadable)\ntested on: {} pictures ({} unreadable)\n\
         accuracy: {}\n\n{rows}",
        outcome.model.name(),
        outcome.epochs,
        outcome.seed.0,
        outcome.n_train,
        outcome.unreadable[0],
        outcome.n_test,
        outcome.unreadable[1],
        percent(Some(outcome.accuracy)),
    )
}
