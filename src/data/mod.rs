//! LOAD: a data drop as one pixel block with labels, and copies of it.

mod block;
mod decode;
mod encode;
mod guard;
mod inventory;
mod limits;
mod load;
pub mod read;
mod reason;
mod resize;
mod sidecar;
mod staging;
mod tree;
mod write;

pub use crate::file::write_atomic;
pub use decode::decode;
pub use encode::encode_png;
pub use inventory::{ClassCount, Inventory, ReasonCount, SizeCount, inspect};
pub use limits::Limits;
pub use load::{LoadOptions, UNKNOWN_CLASS, load};
pub use read::{FORMATS, Format, Reader, Record, Source, file_of, open};
pub use reason::{Defect, Reason};
pub use sidecar::{TRUTH_FILE, read_truth, write_truth};
pub use tree::{Entry, Tree};
pub use write::{Copier, Edit, RowMap, Staged, check_target, real_path, rewrite, stage};

/// One picture: 8-bit RGB, row-major, height x width x 3. The only pixel layout in this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// `height * width * 3` bytes, RGB interleaved.
    pub rgb: Vec<u8>,
}

impl Image {
    /// Its fingerprint as a row with this label, see [`Row::fingerprint`].
    pub fn fingerprint(&self, label: u32) -> String {
        row_fingerprint(self.height, self.width, label, &self.rgb)
    }

    /// Whether no pixel has a colour.
    pub fn is_grey(&self) -> bool {
        is_grey(&self.rgb)
    }
}

/// Whether a row could be scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Decoded; its pixels are in the block.
    Ok,
    /// Present but not decodable, with the reason. Never counted as clean.
    Unreadable(String),
    /// Left out on purpose, with the reason.
    Skipped(String),
}

/// One row of the drop, readable or not, in sample order.
#[derive(Clone, Debug)]
pub struct Row {
    /// Path relative to the scanned one, or `file.parquet#row`, `file.npz[row]` or `file.tar!key`; stable across runs.
    pub id: String,
    /// Index into [`Dataset::class_names`].
    pub label: u32,
    /// Whether the pixels are there.
    pub status: Status,
    /// BLAKE3 of shape, label and decoded pixels, in hex; empty where there are no pixels.
    pub fingerprint: String,
}

/// A loaded drop. Readable rows lie in one block `[n, height, width, 3]`, in sample order.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the format (`imagefolder`, `parquet`, `cifar`, ...).
    pub format: String,
    /// The rule that recognised it, in words.
    pub rule: String,
    /// Name of each class; labels index it.
    pub class_names: Vec<String>,
    /// Every row of the drop, in sample order.
    pub rows: Vec<Row>,
    /// Height of the block.
    pub height: usize,
    /// Width of the block.
    pub width: usize,
    /// How many rows were resized to fit the block.
    pub resized: usize,
    /// BLAKE3 over all rows' ids and fingerprints, in hex; an unreadable row has no fingerprint.
    pub fingerprint: String,
    readable: Vec<usize>,
    pixels: Vec<u8>,
}

impl Dataset {
    /// A drop from pixels in memory: `pixels` is `[labels.len(), height, width, 3]`; ids are `{format}#{row}`.
    ///
    /// # Panics
    /// If the lengths do not fit each other or a label has no name: a defect in the caller.
    pub fn from_pixels(
        format: &str,
        rule: &str,
        class_names: Vec<String>,
        (height, width): (usize, usize),
        pixels: Vec<u8>,
        labels: &[u32],
    ) -> Self {
        let size = height * width * 3;
        assert_eq!(pixels.len(), labels.len() * size, "one picture a label");
        assert!(
            labels
                .iter()
                .all(|&label| (label as usize) < class_names.len()),
            "a name for each label"
        );
        let rows: Vec<Row> = labels
            .iter()
            .zip(pixels.chunks_exact(size.max(1)))
            .enumerate()
            .map(|(row, (&label, rgb))| Row {
                id: format!("{format}#{row:06}"),
                label,
                status: Status::Ok,
                fingerprint: row_fingerprint(height, width, label, rgb),
            })
            .collect();
        Self {
            format: format.into(),
            rule: rule.into(),
            class_names,
            fingerprint: dataset_fingerprint(&rows),
            readable: (0..rows.len()).collect(),
            rows,
            height,
            width,
            resized: 0,
            pixels,
        }
    }

    /// The readable rows with other `pixels`, `[readable, height, width, 3]`; ids and fingerprints are new.
    ///
    /// # Panics
    /// If `pixels` has another length: a defect in the caller.
    pub fn with_pixels(&self, pixels: Vec<u8>) -> Self {
        self.alike(pixels, &self.labels())
    }

    /// Some of the readable rows, by their places in the block; ids and fingerprints are new.
    ///
    /// # Panics
    /// If there is no such place: a defect in the caller.
    pub fn only(&self, places: &[usize]) -> Self {
        let labels = self.labels();
        let labels: Vec<u32> = places.iter().map(|&k| labels[k]).collect();
        let pixels = places
            .iter()
            .flat_map(|&k| self.image(k))
            .copied()
            .collect();
        self.alike(pixels, &labels)
    }

    /// Other rows with the classes and the size of these.
    fn alike(&self, pixels: Vec<u8>, labels: &[u32]) -> Self {
        let (classes, size) = (self.class_names.clone(), (self.height, self.width));
        Self::from_pixels(&self.format, &self.rule, classes, size, pixels, labels)
    }

    /// Row numbers (into [`Dataset::rows`]) of the readable rows, ascending: entry `k` owns block image `k`.
    pub fn readable(&self) -> &[usize] {
        &self.readable
    }

    /// The pixel block `[readable, height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Pixels of block image `k`.
    pub fn image(&self, k: usize) -> &[u8] {
        let size = self.height * self.width * 3;
        &self.pixels[k * size..(k + 1) * size]
    }

    /// Labels of the readable rows, in block order.
    pub fn labels(&self) -> Vec<u32> {
        self.readable
            .iter()
            .map(|&row| self.rows[row].label)
            .collect()
    }
}

/// Whether no pixel of these, RGB interleaved, has a colour.
pub(crate) fn is_grey(rgb: &[u8]) -> bool {
    let pixels = rgb.as_chunks::<3>().0;
    pixels.iter().all(|&[r, g, b]| r == g && g == b)
}

/// BLAKE3 of shape, label and decoded pixels, in hex.
fn row_fingerprint(height: usize, width: usize, label: u32, rgb: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    for number in [height as u64, width as u64, u64::from(label)] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(rgb).finalize().to_hex().to_string()
}

/// BLAKE3 over the rows' ids and fingerprints, in hex. A row without pixels counts by its id and its empty fingerprint.
fn dataset_fingerprint(rows: &[Row]) -> String {
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        for text in [&row.id, &row.fingerprint] {
            hasher
                .update(&(text.len() as u64).to_le_bytes())
                .update(text.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
