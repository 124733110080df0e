//! From a [`Reader`] to a [`Dataset`]: decode every row in parallel, fit the pictures into one block.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rand::RngExt;
use rayon::prelude::*;

use super::block::{Block, Picture};
use super::decode::{decode, too_many_bytes};
use super::read::{Reader, Record, Source};
use super::reason::{Defect, Reason};
use super::{Dataset, Image, Limits, Row, Status, dataset_fingerprint};
use crate::observe::Observer;
use crate::{Result, Seed};

/// The last class of a data set in which some rows name no class; all its rows are unreadable.
pub const UNKNOWN_CLASS: &str = "(unknown)";

/// What to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Caps on each row.
    pub limits: Limits,
    /// Score only this many rows, spread evenly over the drop so that sorted classes keep their shares; the others
    /// become [`Status::Skipped`].
    pub max_rows: Option<usize>,
}

/// Rows in flight at a time.
const CHUNK: usize = 512;

/// One row with what the load needs of its picture.
pub(super) struct Loaded {
    pub(super) row: Row,
    pub(super) picture: Option<Picture>,
    pub(super) defect: Option<Defect>,
}

/// Loads the drop. If all pictures have one size with both sides at most 32, that is the block's; else the block is
/// 32 x 32 and pictures of other sizes are resized. A bad row is a row with a reason; fingerprints are taken of the
/// pixels as stored, before any resizing.
///
/// # Errors
/// [`crate::Error::Broken`] and [`crate::Error::Io`] if the container breaks midway, [`crate::Error::Interrupted`].
pub fn load(
    reader: &dyn Reader,
    options: &LoadOptions,
    observer: &dyn Observer,
) -> Result<Dataset> {
    let mut rows = Vec::with_capacity(reader.rows());
    let mut readable = Vec::new();
    let mut block = Block::default();
    for_each_row(reader, options, observer, &mut |loaded| {
        if let Some(picture) = loaded.picture {
            readable.push(rows.len());
            block.push(picture);
        }
        rows.push(loaded.row);
    })?;
    let resized = block.resized();
    let (height, width) = block.size();
    Ok(Dataset {
        format: reader.format().name.into(),
        rule: reader.format().rule.into(),
        class_names: class_names(reader, &rows),
        fingerprint: dataset_fingerprint(&rows),
        rows,
        height,
        width,
        resized,
        readable,
        pixels: block.into_pixels()?,
    })
}

/// The reader's classes, and [`UNKNOWN_CLASS`] if a row points past them.
pub(super) fn class_names(reader: &dyn Reader, rows: &[Row]) -> Vec<String> {
    let mut names = reader.class_names().to_vec();
    if rows.iter().any(|row| row.label as usize >= names.len()) {
        names.push(UNKNOWN_CLASS.into());
    }
    names
}

/// Decodes in parallel and visits in sample order.
pub(super) fn for_each_row(
    reader: &dyn Reader,
    options: &LoadOptions,
    observer: &dyn Observer,
    visit: &mut dyn FnMut(Loaded),
) -> Result<()> {
    let total = reader.rows();
    let wanted = options.max_rows.unwrap_or(total).min(total);
    let sampled = (wanted < total).then(|| sampled(total, wanted));
    let is_wanted = |row: usize| {
        let sampled = sampled.as_ref();
        sampled.is_none_or(|places| places.binary_search(&row).is_ok())
    };
    let unknown = reader.class_names().len() as u32;
    observer.stage("load", total as u64);
    let mut records = reader.records().enumerate();
    let mut done = 0;
    loop {
        observer.check()?;
        let chunk: Vec<(usize, Record)> = records
            .by_ref()
            .take(CHUNK)
            .map(|(row, record)| Ok((row, record?)))
            .collect::<Result<_>>()?;
        if chunk.is_empty() {
            return Ok(());
        }
        done += chunk.len() as u64;
        let loaded: Vec<Loaded> = chunk
            .into_par_iter()
            .map(|(row, record)| {
                if is_wanted(row) || record.is_broken_file() {
                    loaded(record, unknown, &options.limits)
                } else {
                    skipped(record, unknown, wanted)
                }
            })
            .collect();
        loaded.into_iter().for_each(&mut *visit);
        observer.progress(done);
    }
}

/// Places of `wanted` rows spread over `total`, ascending: one in each of as many stretches of equal length, drawn, as classes may take
/// turns.
fn sampled(total: usize, wanted: usize) -> Vec<usize> {
    let starts =
        |stretch: usize| (stretch as u128 * total as u128).div_ceil(wanted as u128) as usize;
    let place = |stretch: usize| {
        let rng = &mut Seed(0).stream("sampled rows", stretch as u64);
        rng.random_range(starts(stretch)..starts(stretch + 1))
    };
    (0..wanted).map(place).collect()
}

fn skipped(record: Record, unknown: u32, wanted: usize) -> Loaded {
    let status = Status::Skipped(format!("not sampled: {wanted} rows were asked for"));
    let (id, label) = (record.id, record.label.unwrap_or(unknown));
    let row = Row {
        id,
        label,
        status,
        fingerprint: String::new(),
    };
    Loaded {
        row,
        picture: None,
        defect: None,
    }
}

fn loaded(record: Record, unknown: u32, limits: &Limits) -> Loaded {
    let label = record.label.unwrap_or(unknown);
    let picture = record.source.decode(limits).and_then(|image| {
        let fingerprint = image.fingerprint(label);
        Ok((fingerprint, Picture::fit(image)?))
    });
    let (status, fingerprint, picture, defect) = match picture {
        Ok((fingerprint, picture)) => (Status::Ok, fingerprint, Some(picture), None),
        Err(reason) => (
            Status::Unreadable(reason.to_string()),
            String::new(),
            None,
            Some(reason.defect),
        ),
    };
    Loaded {
        row: Row {
            id: record.id,
            label,
            status,
            fingerprint,
        },
        picture,
        defect,
    }
}

impl Source {
    /// The picture, if it can be had within the limits.
    ///
    /// # Errors
    /// The reason for the row to be unreadable.
    pub fn decode(self, limits: &Limits) -> Result<Image, Reason> {
        match self {
            Self::File(path) => decode(&read_file(&path, limits)?, limits),
            Self::Encoded(bytes) => decode(&bytes, limits),
            Self::Pixels(image) => Ok(image),
            Self::Bad(reason) => Err(reason),
        }
    }
}

/// The bytes of a file, if within the limit: one more byte is asked for, since a size can change under the reader.
fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, Reason> {
    let unreadable = |error: io::Error| Defect::Missing.because(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > limits.max_encoded_bytes {
        return Err(too_many_bytes(size, limits));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(limits.max_encoded_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}
