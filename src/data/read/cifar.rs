//! CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky 2009): files of records without a header, each one label
//! byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100), then 32 x 32 pixels as a red, a green and a blue
//! plane. The class of a CIFAR-100 record is its fine label. Training and test files are both read if both are there.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{Format, Reader, Record, Source};
use crate::data::Image;
use crate::data::reason::Defect;
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "cifar",
    rule: "CIFAR binary files, data_batch_*.bin and test_batch.bin, or train.bin and test.bin of CIFAR-100",
    claims: |entry| layout(entry).is_some(),
    open: |tree, _| Ok(Box::new(Cifar::open(tree)?)),
};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// How the records of one of the two data sets look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Layout {
    label_bytes: usize,
    classes: usize,
    names_file: &'static str,
}

const CIFAR_10: Layout = Layout {
    label_bytes: 1,
    classes: 10,
    names_file: "batches.meta.txt",
};
const CIFAR_100: Layout = Layout {
    label_bytes: 2,
    classes: 100,
    names_file: "fine_label_names.txt",
};

/// The records carry no magic number: the names under which the data sets are published are all there is to go by.
fn layout(entry: &Entry) -> Option<Layout> {
    let name = entry.file_name().to_ascii_lowercase();
    match name.as_str() {
        "train.bin" | "test.bin" => Some(CIFAR_100),
        _ if name.ends_with(".bin") && name.contains("_batch") => Some(CIFAR_10),
        _ => None,
    }
}

impl Layout {
    /// Bytes of a record.
    pub(in crate::data) fn record(self) -> usize {
        self.label_bytes + 3 * PLANE
    }

    fn label(self, record: &[u8]) -> usize {
        usize::from(record[self.label_bytes - 1])
    }

    fn image(self, record: &[u8]) -> Image {
        let planes = &record[self.label_bytes..];
        let rgb = (0..PLANE)
            .flat_map(|pixel| [0, 1, 2].map(|channel| planes[channel * PLANE + pixel]))
            .collect();
        Image {
            height: SIDE,
            width: SIDE,
            rgb,
        }
    }

    /// Puts the picture into the record and leaves its labels; `false` if either has another size.
    pub(in crate::data) fn set_image(self, record: &mut [u8], image: &Image) -> bool {
        let whole = record.len() == self.record() && image.rgb.len() == 3 * PLANE;
        if !whole || (image.height, image.width) != (SIDE, SIDE) {
            return false;
        }
        let planes = &mut record[self.label_bytes..];
        for (pixel, rgb) in image.rgb.chunks_exact(3).enumerate() {
            for (channel, &value) in rgb.iter().enumerate() {
                planes[channel * PLANE + pixel] = value;
            }
        }
        true
    }
}

/// One or more files of records of one layout.
pub(in crate::data) struct Cifar {
    tree: Tree,
    layout: Layout,
    class_names: Vec<String>,
    rows: usize,
}

impl Cifar {
    fn open(tree: Tree) -> Result<Self> {
        let mut found: Option<Layout> = None;
        let mut rows = 0;
        for entry in tree.entries() {
            let Some(layout) = layout(entry) else {
                continue;
            };
            let path = tree.path(entry);
            if let Some(reason) = &entry.trouble {
                return Err(Error::input(path, reason.to_string()));
            }
            if found.is_some_and(|other| other != layout) {
                let problem = "CIFAR-10 and CIFAR-100 files lie side by side; scan one of them";
                return Err(Error::input(path, problem));
            }
            found = Some(layout);
            let bytes = fs::metadata(&path).map_err(Error::io(&path))?.len() as usize;
            rows += bytes.div_ceil(layout.record());
        }
        let layout = found.unwrap_or(CIFAR_10);
        let class_names = class_names(&tree, layout)?;
        Ok(Self {
            tree,
            layout,
            class_names,
            rows,
        })
    }

    /// The files of records, in sample order.
    pub(in crate::data) fn files(&self) -> impl Iterator<Item = &Entry> {
        self.tree
            .entries()
            .iter()
            .filter(|&entry| (FORMAT.claims)(entry))
    }

    /// The layout of all records.
    pub(in crate::data) fn layout(&self) -> Layout {
        self.layout
    }

    fn record(&self, id: String, bytes: &[u8]) -> Record {
        let bad = |label, defect: Defect, detail: String| Record {
            id: id.clone(),
            label,
            source: Source::Bad(defect.because(detail)),
        };
        if bytes.len() < self.layout.record() {
            let problem = format!("{} bytes of {}", bytes.len(), self.layout.record());
            return bad(None, Defect::Truncated, problem);
        }
        let label = self.layout.label(bytes);
        if label >= self.class_names.len() {
            let problem = format!("{label} is not below {}", self.class_names.len());
            return bad(None, Defect::BadLabel, problem);
        }
        let source = Source::Pixels(self.layout.image(bytes));
        Record {
            id,
            label: Some(label as u32),
            source,
        }
    }
}

/// The names in the file beside the records, or the label numbers where there is none.
fn class_names(tree: &Tree, layout: Layout) -> Result<Vec<String>> {
    let numbers = || (0..layout.classes).map(|label| label.to_string()).collect();
    let folder = if tree.is_single_file() {
        tree.root().parent()
    } else {
        None
    };
    let listed = tree
        .entries()
        .iter()
        .find(|entry| entry.file_name() == layout.names_file);
    let path = match (folder, listed) {
        (Some(folder), _) => folder.join(layout.names_file),
        (None, Some(entry)) if entry.trouble.is_none() => tree.path(entry),
        (None, _) => return Ok(numbers()),
    };
    if !path.is_file() {
        return Ok(numbers());
    }
    let names = read_names(&path)?;
    if names.is_empty() || names.len() > usize::from(u8::MAX) + 1 {
        let problem = format!(
            "{} class names; a label byte tells 1 to 256 apart",
            names.len()
        );
        return Err(Error::input(path, problem));
    }
    Ok(names)
}

fn read_names(path: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    // Far above 256 names, far below what would hurt.
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(1 << 16)
        .read_to_string(&mut text)
        .map_err(Error::io(path))?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect())
}

/// The records of one file, the last of which may be too short.
pub(in crate::data) struct Records {
    file: BufReader<File>,
    size: usize,
}

impl Records {
    pub(in crate::data) fn of(path: &Path, layout: Layout) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        Ok(Self {
            file,
            size: layout.record(),
        })
    }
}

impl Iterator for Records {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = Vec::with_capacity(self.size);
        let read = self
            .file
            .by_ref()
            .take(self.size as u64)
            .read_to_end(&mut record);
        match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(record)),
            Err(error) => Some(Err(error)),
        }
    }
}

impl Reader for Cifar {
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
        self.rows
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        Box::new(self.files().flat_map(move |entry| {
            let path = self.tree.path(entry);
            let (records, failed) = match Records::of(&path, self.layout) {
                Ok(records) => (Some(records), None),
                Err(error) => (None, Some(Err(error))),
            };
            let records = records.into_iter().flatten().chain(failed);
            records.enumerate().map(move |(row, bytes)| {
                let bytes = bytes.map_err(Error::io(&path))?;
                Ok(self.record(format!("{}#{row}", entry.id), &bytes))
            })
        }))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::cifar(self, copy)
    }
}
