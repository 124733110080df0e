//! The files under the scanned path, listed once and in one order for every format.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use super::reason::{Defect, Reason};
use crate::{Error, Result};

/// One file under the root. Hidden files and folders (leading dot) are not listed.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Path relative to the root, with `/` between the parts on every system.
    pub id: String,
    /// Why the file must not be opened: a dangling link, one out of the root, not a regular file, not a UTF-8 name.
    pub trouble: Option<Reason>,
}

impl Entry {
    /// The part after the last `/`.
    pub fn file_name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or_default()
    }

    /// The part of the file name after its last dot, in lower case; empty if there is none.
    pub fn extension(&self) -> String {
        match self.file_name().rsplit_once('.') {
            Some((_, extension)) => extension.to_ascii_lowercase(),
            None => String::new(),
        }
    }
}

/// A folder, or one file taken for a folder that holds nothing else.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    single: bool,
    /// Shared, since a reader has a copy of its own.
    entries: Arc<Vec<Entry>>,
    aside: Vec<Aside>,
}

/// A file of rows that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    pub(super) entry: Entry,
    /// Why it cannot be read, for the row that stands for it.
    pub(super) reason: Reason,
}

impl Tree {
    /// Lists what lies at `path`, sorted by name within each folder.
    ///
    /// # Errors
    /// [`Error::Io`] if the path or a folder in it cannot be read, [`Error::Input`] for a link to a folder: its rows
    /// would be missing from the audit, or there twice.
    pub fn list(path: &Path) -> Result<Self> {
        let root = path.to_path_buf();
        if fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            let entries = list_folder(path)?;
            return Ok(Self {
                root,
                single: false,
                entries: Arc::new(entries),
                aside: Vec::new(),
            });
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        let entries = vec![Entry {
            id: name.to_string_lossy().into_owned(),
            trouble: None,
        }];
        Ok(Self {
            root,
            single: true,
            entries: Arc::new(entries),
            aside: Vec::new(),
        })
    }

    /// The scanned path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the scanned path is one file.
    pub fn is_single_file(&self) -> bool {
        self.single
    }

    /// The files, in sample order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Files of rows that cannot be read.
    pub(super) fn aside(&self) -> &[Aside] {
        &self.aside
    }

    /// Takes the entry that lies at `path` out of the list, for a `problem` with it; `false` if there is none.
    pub(super) fn set_aside(&mut self, path: &Path, problem: &str) -> bool {
        let at = |entry: &Entry| self.path(entry) == path;
        let Some(place) = self.entries.iter().position(at) else {
            return false;
        };
        let entry = Arc::make_mut(&mut self.entries).remove(place);
        let reason = Defect::BrokenFile.because(problem);
        self.aside.push(Aside { entry, reason });
        true
    }

    /// Where the entry lies.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        if self.single {
            self.root.clone()
        } else {
            self.root.join(&entry.id)
        }
    }

    /// As [`Tree::path`], for a file that has to be opened.
    ///
    /// # Errors
    /// [`Error::Broken`] with the reason if it must not be.
    pub fn readable(&self, entry: &Entry) -> Result<PathBuf> {
        let path = self.path(entry);
        match &entry.trouble {
            Some(reason) => Err(Error::broken(path, reason.to_string())),
            None => Ok(path),
        }
    }

    /// A file of this name that goes with the rows: among the files of a folder, or beside a single one.
    pub fn companion(&self, name: &str) -> Option<PathBuf> {
        let path = if self.single {
            self.root.with_file_name(name)
        } else {
            let named = |entry: &&Entry| entry.file_name() == name;
            let entry = self.entries.iter().find(named)?;
            self.readable(entry).ok()?
        };
        path.is_file().then_some(path)
    }
}

fn list_folder(root: &Path) -> Result<Vec<Entry>> {
    let inside = fs::canonicalize(root).map_err(Error::io(root))?;
    let visible = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let mut entries = Vec::new();
    for found in WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(visible)
    {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(root).to_path_buf();
            Error::Io {
                path,
                source: error.into(),
            }
        })?;
        // The root may be a link itself: whoever names it means the folder.
        if found.depth() == 0 || found.file_type().is_dir() {
            continue;
        }
        let relative = found.path().strip_prefix(root).unwrap_or(found.path());
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let mut trouble = trouble_of(found.path(), &inside)?;
        if relative.to_str().is_none() {
            trouble = Some(Defect::Unsupported.because("the file name is not UTF-8"));
        }
        entries.push(Entry {
            id: parts.join("/"),
            trouble,
        });
    }
    Ok(entries)
}

/// What keeps the file at `path` from being opened safely, given the real path of the root.
fn trouble_of(path: &Path, inside: &Path) -> Result<Option<Reason>> {
    let (Ok(real), Ok(target)) = (fs::canonicalize(path), fs::metadata(path)) else {
        return Ok(Some(Defect::Missing.because("a link to nothing")));
    };
    if target.is_dir() {
        let problem = "a link to a folder is not followed; replace it by the folder";
        return Err(Error::input(path, problem));
    }
    Ok(if !real.starts_with(inside) {
        Some(
            Defect::Unsupported
                .because("the link leads out of the data set; replace it by the file"),
        )
    } else if !target.is_file() {
        Some(Defect::Unsupported.because("not a regular file"))
    } else {
        None
    })
}
