//! The ten pictures of `fixtures/same10`, from their formula, and helpers to read them back.

use std::path::{Path, PathBuf};

use ue_audit::data::{self, Dataset, Image, Limits, LoadOptions, Reader};
use ue_audit::observe::Silent;

pub(crate) const NAMES: [&str; 3] = ["ant", "bee", "cow"];

pub(crate) fn folder(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/same10")
        .join(format)
}

pub(crate) fn picture(i: usize) -> Image {
    let (height, width) = (32, 32);
    let rgb = (0..height * width)
        .map(|pixel| (pixel / width, pixel % width))
        .flat_map(|(y, x)| [7 * x + 13 * i, 5 * y + 3 * x, 11 * y + 29 * i + x * y])
        .map(|value| (value % 256) as u8)
        .collect();
    Image { height, width, rgb }
}

pub(crate) fn open(path: &Path) -> Box<dyn Reader> {
    data::open(path, "auto", &Limits::default()).unwrap()
}

pub(crate) fn load(path: &Path) -> Dataset {
    data::load(&*open(path), &LoadOptions::default(), &Silent).unwrap()
}

/// Class name and pixels of each readable row, sorted: what must not depend on the format.
pub(crate) fn content(dataset: &Dataset) -> Vec<(String, Vec<u8>)> {
    let labels = dataset.labels();
    let mut rows: Vec<_> = (0..labels.len())
        .map(|k| {
            let name = dataset.class_names[labels[k] as usize].clone();
            (name, dataset.image(k).to_vec())
        })
        .collect();
    rows.sort();
    rows
}

/// The content of the pictures with these numbers.
pub(crate) fn expected(numbers: impl IntoIterator<Item = usize>) -> Vec<(String, Vec<u8>)> {
    let mut rows: Vec<_> = numbers
        .into_iter()
        .map(|i| (NAMES[i % 3].to_owned(), picture(i).rgb))
        .collect();
    rows.sort();
    rows
}
