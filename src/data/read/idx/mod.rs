//! IDX files (LeCun, Cortes and Burges, 1998), the form of MNIST and of the sets made after it: pictures in one file, their labels in
//! another whose name says `labels` where the other says `images`. Either may be packed by gzip.
//!
//! Pictures are `[n, height, width]`, or with one or three channels last, of bytes. Class names are the lines of a
//! `classnames.txt` beside them, if there is one, and numbers otherwise. Where a file lies packed and unpacked side by side, as some
//! loaders leave them, the two must hold the same and are one.

mod array;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use array::{Array, Holds, hold_the_same, named};

pub(in crate::data) use array::{MAGIC, is_packed};

use super::class_list::class_list;
use super::{Format, Reader, Record, Source, numbered};
use crate::data::reason::Defect;
use crate::data::tree::{Aside, Entry, Tree};
use crate::data::write::Copier;
use crate::data::{Image, Limits};
use crate::file::parent_of;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "idx",
    rule: "IDX files of pictures beside files of labels, such as train-images-idx3-ubyte and train-labels-idx1-ubyte, or .gz",
    claims: |entry| named(entry.file_name()).is_some(),
    file_of: numbered,
    open: |tree, limits| Ok(Box::new(Idx::open(tree, limits)?)),
};

/// A file of pictures, and the labels of each.
pub(in crate::data) struct Pictures {
    pub(in crate::data) entry: Entry,
    /// Where the file of labels lies, and its id in a copy.
    pub(in crate::data) labels: (PathBuf, String),
    /// The label of each picture.
    pub(in crate::data) classes: Vec<u8>,
    /// The shape of one picture.
    pub(in crate::data) shape: Vec<usize>,
}

impl Pictures {
    fn open(tree: &Tree, entry: &Entry, limits: &Limits) -> Result<Self> {
        let path = tree.readable(entry)?;
        let broken = |problem: String| Error::broken(&path, problem);
        let pictures = Array::open(&path).map_err(|error| broken(error.to_string()))?;
        let (rows, shape) = match &pictures.shape[..] {
            [rows, shape @ ..] if matches!(shape, [_, _] | [_, _, 1 | 3]) => {
                (*rows, shape.to_vec())
            }
            shape => {
                return Err(broken(format!(
                    "holds numbers of shape {shape:?}; pictures are [n, height, width], or with one or three channels last"
                )));
            }
        };
        if let Some(problem) = limits.refuse(shape[0] as u64, shape[1] as u64) {
            return Err(broken(problem));
        }
        if shape.contains(&0) {
            return Err(broken(format!("pictures of shape {shape:?}")));
        }
        let labels =
            labels_of(tree, entry).ok_or_else(|| broken(missing(tree, entry, Holds::Labels)))?;
        let classes =
            classes(&labels.0, rows).map_err(|problem| Error::broken(&labels.0, problem))?;
        Ok(Self {
            entry: entry.clone(),
            labels,
            classes,
            shape,
        })
    }

    fn channels(&self) -> usize {
        self.shape.get(2).copied().unwrap_or(1)
    }

    /// Bytes of one picture.
    pub(in crate::data) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The stored pictures, one after the other.
    pub(in crate::data) fn bytes(&self, tree: &Tree) -> Result<impl Read + use<>> {
        let path = tree.path(&self.entry);
        Array::open(&path).map_err(Error::io(path))
    }

    fn image(&self, stored: &[u8]) -> Image {
        let rgb = match self.channels() {
            1 => stored.iter().flat_map(|&level| [level; 3]).collect(),
            _ => stored.to_vec(),
        };
        Image {
            height: self.shape[0],
            width: self.shape[1],
            rgb,
        }
    }

    /// The stored form of a picture; `None` if it does not fit the others.
    pub(in crate::data) fn store(&self, image: &Image) -> Option<Vec<u8>> {
        let fits = [image.height, image.width] == self.shape[..2];
        match self.channels() {
            _ if !fits => None,
            1 if !image.is_grey() => None,
            1 => Some(image.rgb.iter().step_by(3).copied().collect()),
            _ => Some(image.rgb.clone()),
        }
    }
}

/// The file of labels that belongs to one of pictures, and its id in a copy.
fn labels_of(tree: &Tree, pictures: &Entry) -> Option<(PathBuf, String)> {
    let (_, before) = named(pictures.file_name())?;
    let fits = |name: &str| named(name) == Some((Holds::Labels, before.clone()));
    if tree.is_single_file() {
        let mut beside: Vec<String> = fs::read_dir(parent_of(tree.root()))
            .ok()?
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| fits(name))
            .collect();
        beside.sort_unstable();
        let name = beside.into_iter().next()?;
        return Some((tree.root().with_file_name(&name), name));
    }
    let beside =
        |entry: &&Entry| folder_of(entry) == folder_of(pictures) && fits(entry.file_name());
    let entry = tree.entries().iter().find(beside)?;
    Some((tree.readable(entry).ok()?, entry.id.clone()))
}

/// Why the file that belongs to this one, and `holds` the rest, is not there.
fn missing(tree: &Tree, entry: &Entry, holds: Holds) -> String {
    let other = named(entry.file_name()).map(|(_, before)| (holds, before));
    let belongs = |aside: &&Aside| {
        folder_of(&aside.entry) == folder_of(entry) && named(aside.entry.file_name()) == other
    };
    let what = match holds {
        Holds::Pictures => "pictures, such as train-images-idx3-ubyte",
        Holds::Labels => "labels, such as train-labels-idx1-ubyte",
    };
    match tree.aside().iter().find(belongs) {
        Some(Aside { entry, reason }) => format!("of no use without {}: {reason}", entry.id),
        None => format!("there is no file beside it of its {what}"),
    }
}

fn folder_of(entry: &Entry) -> &str {
    entry.id.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The labels in the file at `path`, which must be those of so many `rows`.
fn classes(path: &Path, rows: usize) -> Result<Vec<u8>, String> {
    let mut labels = Array::open(path).map_err(|error| error.to_string())?;
    if labels.shape != [rows] {
        return Err(format!(
            "holds labels of shape {:?} for {rows} pictures",
            labels.shape
        ));
    }
    let mut classes = Vec::new();
    let read = labels.by_ref().take(rows as u64).read_to_end(&mut classes);
    match read {
        Ok(read) if read == rows => Ok(classes),
        Ok(read) => Err(format!("ends after {read} of {rows} labels")),
        Err(error) => Err(error.to_string()),
    }
}

/// The files of pictures, each once, where it is there both packed and unpacked.
///
/// # Errors
/// [`Error::Input`] if the two differ: a training might read the one that was not looked at. [`Error::Broken`] for labels without
/// pictures.
fn pictures(tree: &Tree) -> Result<Vec<&Entry>> {
    let mut files: BTreeMap<_, &Entry> = BTreeMap::new();
    let mut pictures = Vec::new();
    for entry in tree.entries() {
        let Some((holds, before)) = named(entry.file_name()) else {
            continue;
        };
        match files.entry((folder_of(entry), before, holds)) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
                if holds == Holds::Pictures {
                    pictures.push(entry);
                }
            }
            Slot::Occupied(other) => {
                let [one, two] = [tree.readable(other.get())?, tree.readable(entry)?];
                if !hold_the_same(&one, &two).map_err(Error::io(&two))? {
                    let name = other.get().file_name();
                    let problem = format!("differs from {name} beside it; remove one of them");
                    return Err(Error::input(two, problem));
                }
            }
        }
    }
    for ((folder, before, holds), entry) in &files {
        let pictures = (*folder, before.clone(), Holds::Pictures);
        if *holds == Holds::Labels && !files.contains_key(&pictures) && !tree.is_single_file() {
            let problem = missing(tree, entry, Holds::Pictures);
            return Err(Error::broken(tree.path(entry), problem));
        }
    }
    Ok(pictures)
}

/// One or more files of pictures.
pub(in crate::data) struct Idx {
    tree: Tree,
    names_path: Option<PathBuf>,
    class_names: Vec<String>,
    files: Vec<Pictures>,
}

impl Idx {
    fn open(tree: Tree, limits: &Limits) -> Result<Self> {
        let files = pictures(&tree)?
            .into_iter()
            .map(|entry| Pictures::open(&tree, entry, limits))
            .collect::<Result<Vec<_>>>()?;
        let (names_path, class_names) = match class_list(&tree)? {
            Some((path, names)) => (Some(path), names),
            None => {
                let most = files.iter().flat_map(|file| &file.classes).max();
                let classes = 0..=most.copied().unwrap_or(0);
                (None, classes.map(|class| class.to_string()).collect())
            }
        };
        Ok(Self {
            tree,
            names_path,
            class_names,
            files,
        })
    }

    pub(in crate::data) fn files(&self) -> &[Pictures] {
        &self.files
    }

    /// The file of class names, if there is one.
    pub(in crate::data) fn names_path(&self) -> Option<&Path> {
        self.names_path.as_deref()
    }

    fn file_records<'a>(&'a self, file: &'a Pictures) -> impl Iterator<Item = Result<Record>> + 'a {
        let mut bytes = file.bytes(&self.tree);
        file.classes.iter().enumerate().map(move |(row, &class)| {
            let mut stored = vec![0; file.len()];
            let read = match &mut bytes {
                Ok(bytes) => bytes.read_exact(&mut stored).map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let known = usize::from(class) < self.class_names.len();
            let source = match read {
                Err(problem) => Source::Bad(Defect::Truncated.because(problem)),
                Ok(()) if !known => {
                    let problem = format!("{class} is not below {}", self.class_names.len());
                    Source::Bad(Defect::BadLabel.because(problem))
                }
                Ok(()) => Source::Pixels(file.image(&stored)),
            };
            Ok(Record {
                id: format!("{}#{row}", file.entry.id),
                label: known.then_some(u32::from(class)),
                source,
            })
        })
    }
}

impl Reader for Idx {
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
        self.files.iter().map(|file| file.classes.len()).sum()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        Box::new(self.files.iter().flat_map(|file| self.file_records(file)))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::idx(self, copy)
    }
}
