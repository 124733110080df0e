//! Parquet files as Hugging Face `datasets` writes them: pictures encoded in cells, shards side by side.
//!
//! The picture column is a struct with a binary field `bytes` (and mostly a text field `path`), under any name, or else
//! a plain binary column. The label column is described in `label_column`. All shards under the path are one drop, in
//! the order of their names, whatever split their names speak of.

use std::fs::File;
use std::iter;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;

use super::label_column::{self, Features, LabelColumn};
use super::picture_column;
use super::{Format, Reader, Record, Source, numbered};
use crate::data::Limits;
use crate::data::guard::catch_panic;
use crate::data::reason::{Defect, Reason};
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    rule: "Parquet files (.parquet) with a picture column, struct<bytes, path> or binary, and a label column",
    claims: |entry| entry.extension() == "parquet",
    file_of: numbered,
    open: |tree, limits| Ok(Box::new(Parquet::open(tree, limits)?)),
};

/// Rows decoded at a time: few, since each may be as large as the limits allow.
const BATCH: usize = 64;

/// One Parquet file, its footer read.
pub(in crate::data) struct Shard {
    /// Path relative to the root.
    pub(in crate::data) id: String,
    /// Where it lies.
    pub(in crate::data) path: PathBuf,
    /// Column of the pictures.
    pub(in crate::data) image: usize,
    footer: ArrowReaderMetadata,
    labels: Vec<Result<u32, Reason>>,
}

/// One or more shards with the same classes.
pub(in crate::data) struct Parquet {
    tree: Tree,
    class_names: Vec<String>,
    shards: Vec<Shard>,
}

impl Parquet {
    fn open(tree: Tree, limits: &Limits) -> Result<Self> {
        let mut shards = Vec::new();
        let mut cells = Vec::new();
        let mut chosen: Option<LabelColumn> = None;
        for entry in tree
            .entries()
            .iter()
            .filter(|&entry| (FORMAT.claims)(entry))
        {
            let (shard, label) = Shard::open(entry, tree.readable(entry)?)?;
            if chosen
                .as_ref()
                .is_some_and(|first| first.name != label.name || first.names != label.names)
            {
                let problem =
                    "its label column or class names differ from those of the shards before it";
                return Err(Error::input(&shard.path, problem));
            }
            cells.push(shard.label_cells(label.index)?);
            chosen = Some(label);
            shards.push(shard);
        }
        let declared = chosen.as_ref().and_then(|column| column.names.as_deref());
        let (class_names, labels) = label_column::labels(&cells.concat(), declared);
        if class_names.len() > limits.max_classes {
            let problem = format!(
                "column {} has {} distinct values, more than a label column may have ({})",
                chosen.map(|column| column.name).unwrap_or_default(),
                class_names.len(),
                limits.max_classes
            );
            return Err(Error::input(tree.root(), problem));
        }
        let mut labels = labels.into_iter();
        for (shard, cells) in shards.iter_mut().zip(&cells) {
            shard.labels = labels.by_ref().take(cells.len()).collect();
        }
        Ok(Self {
            tree,
            class_names,
            shards,
        })
    }

    /// The files, in sample order.
    pub(in crate::data) fn shards(&self) -> &[Shard] {
        &self.shards
    }
}

impl Shard {
    fn open(entry: &Entry, path: PathBuf) -> Result<(Self, LabelColumn)> {
        let file = File::open(&path).map_err(Error::io(&path))?;
        let footer = catch_panic(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))
            .map_err(|message| broken(&path, message))?
            .map_err(|error| broken(&path, error))?;
        let schema = footer.schema();
        let features = Features::of(schema);
        let columns = || {
            let names: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            names.join(", ")
        };
        let image = picture_column::choose(schema, &features).ok_or_else(|| {
            let problem = format!(
                "no column, or no single column, holds pictures; there are {}",
                columns()
            );
            Error::input(&path, problem)
        })?;
        let label = label_column::choose(schema, &features).ok_or_else(|| {
            let problem = format!(
                "no column holds labels, such as `label`; there are {}",
                columns()
            );
            Error::input(&path, problem)
        })?;
        let shard = Self {
            id: entry.id.clone(),
            path,
            image,
            footer,
            labels: Vec::new(),
        };
        Ok((shard, label))
    }

    /// The schema, with its metadata.
    pub(in crate::data) fn schema(&self) -> SchemaRef {
        self.footer.schema().clone()
    }

    /// The footer.
    pub(in crate::data) fn metadata(&self) -> &ParquetMetaData {
        self.footer.metadata()
    }

    /// All columns, or one, batch after batch.
    pub(in crate::data) fn batches(&self, column: Option<usize>) -> Result<Batches<'_>> {
        let file = File::open(&self.path).map_err(Error::io(&self.path))?;
        let descriptor = self.footer.parquet_schema();
        let mask = match column {
            Some(column) => ProjectionMask::roots(descriptor, [column]),
            None => ProjectionMask::all(),
        };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone());
        let builder = builder.with_projection(mask).with_batch_size(BATCH);
        let reader = catch_panic(|| builder.build())
            .map_err(|message| broken(&self.path, message))?
            .map_err(|error| broken(&self.path, error))?;
        Ok(Batches {
            path: &self.path,
            reader: Some(reader),
        })
    }

    fn label_cells(&self, column: usize) -> Result<Vec<label_column::Value>> {
        let mut cells = Vec::new();
        for batch in self.batches(Some(column))? {
            let batch = batch?;
            let values = catch_panic(|| label_column::values(batch.column(0)))
                .map_err(|message| broken(&self.path, message))?;
            cells.extend(values.ok_or_else(|| broken(&self.path, "unknown type of label"))?);
        }
        Ok(cells)
    }

    /// A row for each label; from where the pictures cannot be read on, bad ones.
    fn records(&self) -> impl Iterator<Item = Result<Record>> {
        let (batches, failed) = match self.batches(Some(self.image)) {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        let batches = batches.into_iter().flatten().chain(failed);
        let mut sources = batches.flat_map(|batch| match batch {
            Ok(batch) => picture_column::sources(batch.column(0))
                .into_iter()
                .map(Ok)
                .collect(),
            Err(error) => vec![Err(unreadable(&error))],
        });
        let missing = || Err(Defect::Missing.because("there are fewer pictures than labels"));
        let mut ended: Option<Reason> = None;
        let mut labels = self.labels.iter().enumerate();
        iter::from_fn(move || {
            let Some((row, label)) = labels.next() else {
                let more = || Err(broken(&self.path, "more pictures than labels"));
                return sources.next().map(|_| more());
            };
            let next = match &ended {
                Some(reason) => Err(reason.clone()),
                None => sources.next().unwrap_or_else(missing),
            };
            let source = next.unwrap_or_else(|reason| Source::Bad(ended.insert(reason).clone()));
            let (label, source) = match label {
                Ok(label) => (Some(*label), source),
                Err(reason) => (None, Source::Bad(reason.clone())),
            };
            Some(Ok(Record {
                id: format!("{}#{row}", self.id),
                label,
                source,
            }))
        })
    }
}

/// Why the rest of a shard has no pictures.
fn unreadable(error: &Error) -> Reason {
    match error {
        Error::Broken { problem, .. } => Defect::Corrupt.because(problem),
        Error::Io { source, .. } => Defect::Missing.because(format!("cannot be read: {source}")),
        other => Defect::Corrupt.because(other),
    }
}

/// Record batches of a shard; an error or a panic of the decoder ends them.
pub(in crate::data) struct Batches<'a> {
    path: &'a Path,
    reader: Option<ParquetRecordBatchReader>,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.reader.take()?;
        let next: Option<Result<RecordBatch, ArrowError>> = match catch_panic(|| reader.next()) {
            Ok(next) => next,
            Err(message) => return Some(Err(broken(self.path, message))),
        };
        match next? {
            Ok(batch) => {
                self.reader = Some(reader);
                Some(Ok(batch))
            }
            Err(error) => Some(Err(broken(self.path, error))),
        }
    }
}

fn broken(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::broken(
        path,
        format!("not a usable Parquet file ({cause}); fetch or write it again"),
    )
}

impl Reader for Parquet {
    fn format(&self) -> &'static Format {
        &FORMAT
    }

    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.labels.len()).sum()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        Box::new(self.shards.iter().flat_map(Shard::records))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::parquet(self, copy)
    }
}
