//! CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky 2009): files of records without a header, each one label
//! byte (CIFAR-10) or a coarse and a fine label byte (CIFAR-100), then 32 x 32 pixels as a red, a green and a blue
//! plane. The class of a CIFAR-100 record is its fine label. Training and test files are both read if both are there.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::cifar_record::{CIFAR_10, Layout, Records, layout};
use super::{Format, Reader, Record, Source, numbered};
use crate::data::reason::Defect;
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "cifar",
    rule: "CIFAR binary files, data_batch_*.bin and test_batch.bin, or train.bin and test.bin of CIFAR-100",
    claims: |entry| layout(entry.file_name()).is_some(),
    file_of: numbered,
    open: |tree, _| Ok(Box::new(Cifar::open(tree)?)),
};

/// One or more files of records of one layout.
pub(in crate::data) struct Cifar {
    tree: Tree,
    layout: Layout,
    names_path: Option<PathBuf>,
    class_names: Vec<String>,
    rows: usize,
}

impl Cifar {
    fn open(tree: Tree) -> Result<Self> {
        let mut found: Option<Layout> = None;
        let mut rows = 0;
        for entry in tree.entries() {
            let Some(layout) = layout(entry.file_name()) else {
                continue;
            };
            let path = tree.readable(entry)?;
            if found.is_some_and(|other| other != layout) {
                let problem = "CIFAR-10 and CIFAR-100 files lie side by side; scan one of them";
                return Err(Error::input(path, problem));
            }
            found = Some(layout);
            let bytes = fs::metadata(&path).map_err(Error::io(&path))?.len() as usize;
            rows += bytes.div_ceil(layout.record());
        }
        let layout = found.unwrap_or(CIFAR_10);
        let names_path = tree.companion(layout.names_file);
        let class_names = match &names_path {
            Some(path) => read_names(path)?,
            None => (0..layout.classes).map(|label| label.to_string()).collect(),
        };
        Ok(Self {
            tree,
            names_path,
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

    /// The file of class names, if there is one.
    pub(in crate::data) fn names_path(&self) -> Option<&Path> {
        self.names_path.as_deref()
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

fn read_names(path: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    // Far above 256 names, far below what would hurt.
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(1 << 16)
        .read_to_string(&mut text)
        .map_err(Error::io(path))?;
    let lines = text.lines().map(str::trim);
    let names: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect();
    if names.is_empty() || names.len() > usize::from(u8::MAX) + 1 {
        let problem = format!(
            "{} class names; a label byte tells 1 to 256 apart",
            names.len()
        );
        return Err(Error::input(path, problem));
    }
    Ok(names)
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
