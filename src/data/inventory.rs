//! What a drop holds, without keeping its pixels: the answer of `inspect`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::load::{LoadOptions, class_names, for_each_row};
use super::read::Reader;
use super::{Row, Status};
use crate::Result;
use crate::observe::Observer;

/// Examples kept for each kind of defect.
const EXAMPLES: usize = 5;

/// Counts of a drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Name of the format.
    pub format: String,
    /// The rule that recognised it, in words.
    pub rule: String,
    /// All rows.
    pub rows: usize,
    /// Rows that decode.
    pub readable: usize,
    /// Rows that were not looked at.
    pub skipped: usize,
    /// Classes, by label.
    pub classes: Vec<ClassCount>,
    /// Sizes of the readable pictures, smallest first.
    pub sizes: Vec<SizeCount>,
    /// Kinds of defect, by their word.
    pub unreadable: Vec<ReasonCount>,
    /// Files that belong to no row: descriptions, name lists, tables.
    pub ignored_files: usize,
}

/// Rows of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Name of the class.
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// Its rows that do not decode.
    pub unreadable: usize,
}

/// Pictures of one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizeCount {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Pictures of this size.
    pub rows: usize,
}

/// Rows with one kind of defect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The word that starts the reasons.
    pub defect: String,
    /// Rows that have it.
    pub rows: usize,
    /// The first few, as `id: reason`.
    pub examples: Vec<String>,
}

/// Decodes every row once and counts.
///
/// # Errors
/// As [`load`](super::load).
pub fn inspect(
    reader: &dyn Reader,
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Inventory> {
    let mut rows: Vec<Row> = Vec::with_capacity(reader.rows());
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut defects: BTreeMap<&'static str, ReasonCount> = BTreeMap::new();
    for_each_row(reader, options, observer, &mut |loaded| {
        if let Some(picture) = &loaded.picture {
            *sizes.entry(picture.size).or_default() += 1;
        }
        if let (Some(defect), Status::Unreadable(reason)) = (loaded.defect, &loaded.row.status) {
            let count = defects.entry(defect.word()).or_default();
            count.rows += 1;
            if count.examples.len() < EXAMPLES {
                count.examples.push(format!("{}: {reason}", loaded.row.id));
            }
        }
        rows.push(loaded.row);
    })?;
    let count = |fits: fn(&Status) -> bool| rows.iter().filter(|row| fits(&row.status)).count();
    let entries = reader.tree().entries();
    Ok(Inventory {
        format: reader.format().name.into(),
        rule: reader.format().rule.into(),
        rows: rows.len(),
        readable: count(|status| *status == Status::Ok),
        skipped: count(|status| matches!(status, Status::Skipped(_))),
        classes: classes(class_names(reader, &rows), &rows),
        sizes: sizes
            .into_iter()
            .map(|((height, width), rows)| SizeCount {
                height,
                width,
                rows,
            })
            .collect(),
        unreadable: defects
            .into_iter()
            .map(|(word, count)| ReasonCount {
                defect: word.into(),
                ..count
            })
            .collect(),
        ignored_files: entries
            .iter()
            .filter(|&entry| !(reader.format().claims)(entry))
            .count(),
    })
}

fn classes(names: Vec<String>, rows: &[Row]) -> Vec<ClassCount> {
    let mut classes: Vec<ClassCount> = names
        .into_iter()
        .map(|name| ClassCount {
            name,
            ..ClassCount::default()
        })
        .collect();
    for row in rows {
        let class = &mut classes[row.label as usize];
        class.rows += 1;
        class.unreadable += usize::from(matches!(row.status, Status::Unreadable(_)));
    }
    classes
}
