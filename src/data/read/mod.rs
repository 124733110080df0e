//! The formats that can be read. A new one is a file here (and one in `write`) and a line in [`FORMATS`].

mod aside;
mod cifar;
mod cifar_record;
mod class_list;
mod idx;
mod image_folder;
mod label_column;
mod npz;
mod parquet;
mod picture_column;
mod relative;
mod tar_sample;
mod webdataset;

use std::path::{Path, PathBuf};

pub(super) use self::cifar::Cifar;
pub(super) use self::cifar_record::Records;
pub(super) use self::idx::{Idx, MAGIC, Pictures, is_packed};
pub(super) use self::image_folder::ImageFolder;
pub(super) use self::npz::{Member, Npz, Pair, names_classes};
pub(super) use self::parquet::{Parquet, Shard};
pub(super) use self::picture_column::{BYTES, bytes_of, encoded};
pub(super) use self::tar_sample::{Member as TarMember, Sample};
pub(super) use self::webdataset::WebDataset;

use super::reason::{Defect, Reason};
use super::tree::{Entry, Tree};
use super::write::Copier;
use super::{Image, Limits};
use crate::{Error, Result};

/// One way in which data sets are stored.
pub struct Format {
    /// Name, as in `--format`.
    pub name: &'static str,
    /// What is recognised and how it is read, in words for a person.
    pub rule: &'static str,
    /// Whether a file belongs to the format; a path is recognised by one file that does. All others are side files.
    pub claims: fn(&Entry) -> bool,
    /// The file that the id of a row begins with; `None` where each row is a file of its own.
    file_of: fn(&str) -> Option<&str>,
    open: fn(Tree, &Limits) -> Result<Box<dyn Reader>>,
}

/// Every format, in the order in which they are listed to the user.
pub static FORMATS: &[Format] = &[
    image_folder::FORMAT,
    parquet::FORMAT,
    cifar::FORMAT,
    npz::FORMAT,
    idx::FORMAT,
    webdataset::FORMAT,
];

/// The file that the row with this `id` lies in, of data in the format of that name; `None` where the row is a file of its own, and for an
/// unknown format.
pub fn file_of<'a>(format: &str, id: &'a str) -> Option<&'a str> {
    (known(format)?.file_of)(id)
}

fn known(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The file of a row that is named `file#row`.
fn numbered(id: &str) -> Option<&str> {
    let (file, row) = id.rsplit_once('#')?;
    row.bytes().all(|b| b.is_ascii_digit()).then_some(file)
}

/// Where the pixels of a row are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In a file of their own, encoded.
    File(PathBuf),
    /// At hand, encoded.
    Encoded(Vec<u8>),
    /// At hand, decoded.
    Pixels(Image),
    /// Nowhere.
    Bad(Reason),
}

/// One row as stored, before its pixels are decoded.
#[derive(Clone, Debug)]
pub struct Record {
    /// Stable name of the row; see [`Row::id`](super::Row::id).
    pub id: String,
    /// Index into [`Reader::class_names`]; `None` if the row names no class, and then the source is [`Source::Bad`].
    pub label: Option<u32>,
    /// Where the pixels are.
    pub source: Source,
}

impl Record {
    /// Whether it stands for all rows of a file that cannot be read.
    pub(super) fn is_broken_file(&self) -> bool {
        matches!(&self.source, Source::Bad(reason) if reason.defect == Defect::BrokenFile)
    }
}

/// A data set on disk whose container was understood; its pictures are not decoded yet.
pub trait Reader: Sync {
    /// The format that recognised it.
    fn format(&self) -> &'static Format;
    /// The files at the scanned path.
    fn tree(&self) -> &Tree;
    /// Name of each class.
    fn class_names(&self) -> &[String];
    /// How many rows there are, bad ones included.
    fn rows(&self) -> usize;
    /// The rows, in sample order; exactly [`Reader::rows`] of them unless there is an error.
    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_>;
    /// Writes the rows into `copy`, asking it for the edit of each, in sample order. Side files are not its business.
    ///
    /// # Errors
    /// Those of reading, of writing, and of the edit.
    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()>;
}

/// Opens a folder or one file, as the format called `format` or, with `"auto"`, as the only one that recognises it.
/// Everything under the path is one drop: to scan one split, pass its folder or file. Of several files of rows, those that are
/// broken become a bad row each, the last ones of the drop.
///
/// # Errors
/// [`Error::Empty`] if there is no file or no row, or none of the files in a folder is of a known format, [`Error::Input`] if
/// no format recognises a file or more than one recognises the path, [`Error::Broken`] if no container can be read, or too many
/// cannot, [`Error::Settings`] for an unknown format, [`Error::Io`].
pub fn open(path: &Path, format: &str, limits: &Limits) -> Result<Box<dyn Reader>> {
    let tree = Tree::list(path)?;
    let empty = |problem: String| Error::Empty {
        path: path.into(),
        problem,
    };
    if tree.entries().is_empty() {
        return Err(empty("the folder holds no file".into()));
    }
    let format = match format {
        "auto" => recognise(&tree)?,
        name => named(name)?,
    };
    if !tree.entries().iter().any(format.claims) {
        return Err(empty(format!(
            "no file fits {}: {}",
            format.name, format.rule
        )));
    }
    let reader = aside::open(format, tree, limits)?;
    if reader.rows() == 0 {
        return Err(empty(format!("{} without a row", format.name)));
    }
    Ok(reader)
}

fn named(name: &str) -> Result<&'static Format> {
    known(name).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        Error::Settings {
            name: "--format",
            problem: format!("{name} is not known; use auto, {}", names.join(", ")),
        }
    })
}

fn recognise(tree: &Tree) -> Result<&'static Format> {
    let fitting: Vec<&Format> = FORMATS
        .iter()
        .filter(|format| tree.entries().iter().any(format.claims))
        .collect();
    match fitting[..] {
        [format] => Ok(format),
        [] => {
            let rule = |format: &Format| format!("{} ({})", format.name, format.rule);
            let tried = || FORMATS.iter().map(rule).collect::<Vec<_>>().join("; ");
            let problem = match relative::advice(tree) {
                Some(advice) => format!("not a recognised data set. {advice}"),
                None => format!("not a recognised data set; tried {}", tried()),
            };
            match tree.is_single_file() {
                true => Err(Error::input(tree.root(), problem)),
                false => Err(Error::Empty {
                    path: tree.root().into(),
                    problem,
                }),
            }
        }
        _ => {
            let names: Vec<_> = fitting.iter().map(|format| format.name).collect();
            let problem = format!(
                "holds files of several formats; choose with --format {}",
                names.join(" or ")
            );
            Err(Error::input(tree.root(), problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_row_begins_with_its_file() {
        for (format, id, file) in [
            ("imagefolder", "cat/a#1.png", None),
            ("parquet", "a/b#c.parquet#12", Some("a/b#c.parquet")),
            ("cifar", "data_batch_1.bin#0", Some("data_batch_1.bin")),
            ("npz", "b[1].npz[0]", Some("b[1].npz")),
            ("webdataset", "x!.tar!key!1", Some("x!.tar")),
            (
                "idx",
                "a/images-idx3-ubyte.gz#7",
                Some("a/images-idx3-ubyte.gz"),
            ),
            // A broken file is a row itself.
            ("parquet", "b#c.parquet", None),
            ("cifar", "a#data_batch_1.bin", None),
            ("npz", "b[1].npz", None),
            ("webdataset", "x!.tar", None),
            ("unknown", "a#1", None),
        ] {
            assert_eq!(file_of(format, id), file, "{format}");
        }
    }
}
