//! Folders of picture files, a folder a class, as torchvision's `ImageFolder` and its relatives lay them out.
//!
//! The class of a file is its first folder below the class level, whatever is nested under that. The class level is
//! the scanned path itself, or deeper: while every file lies in sub-folders of one and the same folder, or of folders
//! that are all named as splits (`train`, `test`, ...), it moves one level down.

use std::collections::BTreeSet;

use super::{Format, Reader, Record, Source};
use crate::Result;
use crate::data::reason::Defect;
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;

pub(super) const FORMAT: Format = Format {
    name: "imagefolder",
    rule: "picture files (.png, .jpg, .bmp, .webp); a folder below the path, or below its split folders, is a class",
    claims,
    file_of: |_| None,
    open: |tree, _| Ok(Box::new(ImageFolder::open(tree))),
};

/// What training loaders take for a picture, decodable here or not: the rest must be seen as unreadable, not vanish.
const EXTENSIONS: [&str; 11] = [
    "png", "jpg", "jpeg", "jpe", "bmp", "webp", "gif", "tif", "tiff", "ppm", "pgm",
];

const SPLITS: [&str; 7] = [
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "test",
    "testing",
];

/// The class of files that lie in no folder at all.
const UNLABELLED: &str = "unlabelled";

fn claims(entry: &Entry) -> bool {
    EXTENSIONS.contains(&entry.extension().as_str())
}

/// A folder of class folders.
pub(in crate::data) struct ImageFolder {
    tree: Tree,
    class_names: Vec<String>,
    /// Index of the entry and label of each row.
    rows: Vec<(usize, Option<u32>)>,
}

impl ImageFolder {
    fn open(tree: Tree) -> Self {
        let pictures: Vec<(usize, Vec<&str>)> = tree
            .entries()
            .iter()
            .enumerate()
            .filter(|(_, entry)| claims(entry))
            .map(|(index, entry)| (index, folders(entry)))
            .collect();
        let level = class_level(&pictures);
        let class_of = |folders: &[&str]| folders.get(level).map(ToString::to_string);
        let mut names: BTreeSet<String> = pictures
            .iter()
            .filter_map(|(_, folders)| class_of(folders))
            .collect();
        let flat = names.is_empty();
        if flat {
            names.insert(UNLABELLED.into());
        }
        let class_names = Vec::from_iter(names);
        let label_of = |folders: &[&str]| {
            let name = if flat {
                UNLABELLED.into()
            } else {
                class_of(folders)?
            };
            class_names
                .binary_search(&name)
                .ok()
                .map(|label| label as u32)
        };
        let rows = pictures
            .iter()
            .map(|(index, folders)| (*index, label_of(folders)))
            .collect();
        Self {
            tree,
            class_names,
            rows,
        }
    }

    /// Entry of each row, in sample order.
    pub(in crate::data) fn pictures(&self) -> impl Iterator<Item = &Entry> {
        self.rows
            .iter()
            .map(|&(index, _)| &self.tree.entries()[index])
    }

    fn record(&self, entry: &Entry, label: Option<u32>) -> Record {
        let source = match (&entry.trouble, label) {
            (Some(reason), _) => Source::Bad(reason.clone()),
            (None, None) => {
                Source::Bad(Defect::BadLabel.because("lies outside every class folder"))
            }
            (None, Some(_)) => Source::File(self.tree.path(entry)),
        };
        Record {
            id: entry.id.clone(),
            label,
            source,
        }
    }
}

/// The folders that lead to the entry.
fn folders(entry: &Entry) -> Vec<&str> {
    let mut parts: Vec<&str> = entry.id.split('/').collect();
    parts.pop();
    parts
}

/// How many folders come before the class folder.
fn class_level(pictures: &[(usize, Vec<&str>)]) -> usize {
    let mut level = 0;
    loop {
        let nested = pictures
            .iter()
            .all(|(_, folders)| folders.len() > level + 1);
        let names: BTreeSet<&str> = pictures
            .iter()
            .filter_map(|(_, folders)| folders.get(level).copied())
            .collect();
        let splits = names
            .iter()
            .all(|name| SPLITS.contains(&name.to_ascii_lowercase().as_str()));
        if pictures.is_empty() || !nested || !(names.len() == 1 || splits) {
            return level;
        }
        level += 1;
    }
}

impl Reader for ImageFolder {
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
        self.rows.len()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        let labels = self.rows.iter().map(|&(_, label)| label);
        Box::new(
            self.pictures()
                .zip(labels)
                .map(|(entry, label)| Ok(self.record(entry, label))),
        )
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::image_folder(self, copy)
    }
}
