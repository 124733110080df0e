//! What several topics need: small drops on disk, and audits of them with made-up findings.

use std::collections::BTreeMap;
use std::path::Path;

use ue_audit::data::{Dataset, Image, Limits, LoadOptions, encode_png, load, open};
use ue_audit::decide::{ClassDecision, Decision, Ratio, RowDecision, Severity, Verdict};
use ue_audit::detect::{Evidence, View};
use ue_audit::observe::Silent;
use ue_audit::report::{Report, Timings, folder};
use ue_audit::settings::{Config, Settings};
use ue_audit::{Seed, demo};

/// Writes `rows` demo pictures of the first `classes` figures as PNG files, a folder for each class.
pub(crate) fn image_folder(root: &Path, rows: usize, classes: usize) {
    write_images(
        root,
        &demo::dataset(rows * 10 / classes, Seed(0)),
        rows,
        classes,
    );
}

/// The same at half the size, for tests that scan: a quarter of the pixels is a small part of the work.
pub(crate) fn small_image_folder(root: &Path, rows: usize, classes: usize) {
    let drop = demo::dataset(rows * 10 / classes, Seed(0));
    let (height, width) = (drop.height / 2, drop.width / 2);
    let pixels = (0..drop.rows.len()).flat_map(|row| {
        let image = drop.image(row);
        let mean = move |y: usize, x: usize, c: usize| {
            let at = |dy, dx| u32::from(image[((2 * y + dy) * width * 2 + 2 * x + dx) * 3 + c]);
            ((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) / 4) as u8
        };
        (0..height * width * 3).map(move |i| mean(i / 3 / width, i / 3 % width, i % 3))
    });
    let names = drop.class_names.clone();
    let small = Dataset::from_pixels(
        "small",
        "",
        names,
        (height, width),
        pixels.collect(),
        &drop.labels(),
    );
    write_images(root, &small, rows, classes);
}

fn write_images(root: &Path, drop: &Dataset, rows: usize, classes: usize) {
    let few = (0..drop.rows.len()).filter(|&row| (drop.rows[row].label as usize) < classes);
    for row in few.take(rows) {
        let class = &drop.class_names[drop.rows[row].label as usize];
        let folder = root.join(class);
        std::fs::create_dir_all(&folder).unwrap();
        let image = Image {
            height: drop.height,
            width: drop.width,
            rgb: drop.image(row).to_vec(),
        };
        let name = folder.join(format!("{row:04}.png"));
        std::fs::write(name, encode_png(&image).unwrap()).unwrap();
    }
}

pub(crate) fn loaded(path: &Path) -> Dataset {
    let reader = open(path, "auto", &Limits::default()).unwrap();
    load(&*reader, &LoadOptions::default(), &Silent).unwrap()
}

/// Every second readable row is flagged.
pub(crate) fn findings(dataset: &Dataset) -> (Evidence, Decision) {
    let rows = dataset.readable().len();
    let values = |factor: f64| (0..rows).map(|k| factor * k as f64).collect::<Vec<_>>();
    let evidence = Evidence {
        views: vec![View {
            name: "template",
            scores: values(-0.5),
            null: Vec::new(),
        }],
        linked: Vec::new(),
        unlinked: Vec::new(),
        wholes: Vec::new(),
        perturbation_l2: values(0.1),
        perturbation_linf: values(0.01),
    };
    let ratio = Ratio {
        estimate: 0.5,
        lo95: 0.25,
        hi95: 0.75,
    };
    let row = |k: usize| RowDecision {
        flagged: k % 2 == 1,
        poison_score: k as f64 / rows as f64,
        q_value: 0.001,
        severity: [Severity::None, Severity::High][k % 2],
    };
    let class = |label: usize| ClassDecision {
        label: label as u32,
        count: 4,
        flagged: 2,
        ratio,
        verdict: Verdict::Poisoned,
    };
    let decision = Decision {
        verdict: Verdict::Poisoned,
        reason: "a test".into(),
        ratio,
        rows: (0..rows).map(row).collect(),
        classes: (0..dataset.class_names.len()).map(class).collect(),
    };
    (evidence, decision)
}

pub(crate) fn settings() -> Settings {
    Config::default().check().unwrap()
}

/// Writes an audit and gives back the bytes of each of its files.
pub(crate) fn audit(
    dataset: &Dataset,
    truth: Option<&[bool]>,
    out: &Path,
) -> BTreeMap<String, Vec<u8>> {
    let (evidence, decision) = findings(dataset);
    let report = Report::new(dataset, &evidence, &decision, &settings(), truth).unwrap();
    let size = dataset.height * dataset.width * 3;
    let flat = |rows: &[usize]| Ok((vec![0.25; rows.len() * size], vec![0.25; rows.len() * size]));
    let contents = folder::Contents {
        dataset,
        evidence: &evidence,
        decision: &decision,
        take_apart: Some(&flat),
        report: &report,
        timings: &Timings::new(&[("fit".into(), 1.5)]),
    };
    folder::write(out, false, &contents).unwrap();
    let entries = std::fs::read_dir(out).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}
