//! A copy of a drop in the source's own format, with rows dropped or replaced. What is kept is kept byte for byte;
//! what is replaced is written without loss.

mod cifar;
mod idx;
mod image_folder;
mod npz;
mod parquet;
mod spool;
mod webdataset;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub(super) use self::cifar::cifar;
pub(super) use self::idx::idx;
pub(super) use self::image_folder::image_folder;
pub(super) use self::npz::npz;
pub(super) use self::parquet::parquet;
pub(super) use self::webdataset::webdataset;

use super::Image;
use super::read::Reader;
use super::staging::{Staging, refuse_occupied};
use super::tree::{Entry, Tree};
use crate::observe::Observer;
use crate::{Error, Result};

/// What becomes of a row in the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It stays as it is.
    Keep,
    /// It is left out.
    Drop,
    /// It keeps its label and gets these pixels.
    Replace(Image),
}

/// New id of each old row; `None` for a row that is not in the copy.
pub type RowMap = Vec<Option<String>>;

/// A finished copy that waits for its place; it vanishes unless it is published.
pub struct Staged {
    staging: Staging,
    /// Where each row went.
    pub ids: RowMap,
}

impl Staged {
    /// The folder as it will be, to add files of one's own to; a file of the source with the same name is replaced.
    pub fn path(&self) -> PathBuf {
        self.staging.path()
    }

    /// Puts the copy in its place.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn publish(self) -> Result<RowMap> {
        self.staging.publish()?;
        Ok(self.ids)
    }
}

/// Writes a copy of the drop into the folder `out`, which appears only once it is complete: [`stage`], then
/// [`Staged::publish`].
///
/// # Errors
/// As [`stage`].
pub fn rewrite(
    reader: &dyn Reader,
    out: &Path,
    force: bool,
    edit: &mut dyn FnMut(usize) -> Result<Edit>,
    observer: &dyn Observer,
) -> Result<RowMap> {
    stage(reader, out, force, edit, observer)?.publish()
}

/// Writes a copy of the drop to a place from which it can be put into the folder `out` at once.
///
/// `edit` is called once for each row, bad ones included, in sample order. Replaced pictures become PNG (numbers in CIFAR,
/// NumPy and IDX files); in an image folder the name then ends in `.png`. Files that hold no rows are copied. A bad row without
/// a file of its own, such as a dangling link, can only be left out.
///
/// # Errors
/// Those of [`check_target`], [`Error::Settings`] if a replacement does not fit the format, and those of reading, of
/// writing and of `edit`. Nothing is left behind then.
pub fn stage(
    reader: &dyn Reader,
    out: &Path,
    force: bool,
    edit: &mut dyn FnMut(usize) -> Result<Edit>,
    observer: &dyn Observer,
) -> Result<Staged> {
    check_target(reader, out, force)?;
    let staging = Staging::for_folder(out, force)?;
    observer.stage("write", reader.rows() as u64);
    let mut copy = Copier {
        root: staging.path(),
        edit,
        observer,
        ids: Vec::new(),
    };
    reader.rewrite(&mut copy)?;
    let claims = reader.format().claims;
    for entry in reader
        .tree()
        .entries()
        .iter()
        .filter(|&entry| !claims(entry))
    {
        if entry.trouble.is_none() {
            copy.file(reader.tree(), entry)?;
        }
    }
    let ids = copy.ids;
    Ok(Staged { staging, ids })
}

/// Refuses a folder that no copy may be written to. Call it before long work, not after.
///
/// # Errors
/// [`Error::Exists`] if `out` is not empty and `force` is not set, [`Error::Settings`] if it overlaps the source.
pub fn check_target(reader: &dyn Reader, out: &Path, force: bool) -> Result<()> {
    refuse_overlap(reader.tree(), out)?;
    refuse_occupied(out, force)
}

/// The copy in the making, as the formats see it: asks for the edits and keeps the account of the rows.
pub struct Copier<'a> {
    root: PathBuf,
    edit: &'a mut dyn FnMut(usize) -> Result<Edit>,
    observer: &'a dyn Observer,
    ids: RowMap,
}

impl Copier<'_> {
    /// What to do with the next row, which must then be accounted for by [`Copier::placed`].
    pub(super) fn next_edit(&mut self) -> Result<Edit> {
        self.observer.check()?;
        (self.edit)(self.ids.len())
    }

    /// Says where the row went: its new id, or `None` if nowhere.
    pub(super) fn placed(&mut self, id: Option<String>) {
        self.ids.push(id);
        self.observer.progress(self.ids.len() as u64);
    }

    /// Where the file with this id belongs in the copy, its folder made.
    pub(super) fn path(&self, id: &str) -> Result<PathBuf> {
        let path = self.root.join(id);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        Ok(path)
    }

    /// A new file with this id.
    pub(super) fn create(&self, id: &str) -> Result<File> {
        let path = self.path(id)?;
        File::create(&path).map_err(Error::io(path))
    }

    /// Copies a file of the source to the same place.
    pub(super) fn file(&self, tree: &Tree, entry: &Entry) -> Result<()> {
        let path = self.path(&entry.id)?;
        fs::copy(tree.path(entry), &path).map_err(Error::io(path))?;
        Ok(())
    }

    /// Copies a file that goes with a single one: beside it, and so not among the side files.
    pub(super) fn companion(&mut self, tree: &Tree, file: Option<&Path>) -> Result<()> {
        let Some((file, name)) = file.and_then(|file| Some((file, file.file_name()?.to_str()?)))
        else {
            return Ok(());
        };
        if tree.is_single_file() {
            let path = self.path(name)?;
            fs::copy(file, &path).map_err(Error::io(path))?;
        }
        Ok(())
    }
}

/// With the one inside the other, the copy would hold itself or `force` would delete the source.
fn refuse_overlap(tree: &Tree, out: &Path) -> Result<()> {
    let source = fs::canonicalize(tree.root()).map_err(Error::io(tree.root()))?;
    let target = real_path(out)?;
    if target.starts_with(&source) || source.starts_with(&target) {
        return Err(Error::Settings {
            name: "--out",
            problem: "the copy and the source must not lie within each other".into(),
        });
    }
    Ok(())
}

/// The real path of something that need not exist yet.
///
/// # Errors
/// [`Error::Io`].
pub fn real_path(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(Error::io(path))?;
    let existing = path.ancestors().find_map(|ancestor| {
        let real = fs::canonicalize(ancestor).ok()?;
        Some(real.join(path.strip_prefix(ancestor).ok()?))
    });
    Ok(existing.unwrap_or(path))
}
