//! WebDataset: tar archives whose neighbouring files are the parts of a sample, a picture and a label among them.
//!
//! Class names are the lines of a `classnames.txt` beside the archives, if there is one, and numbers otherwise. Compressed archives
//! are not read.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::class_list::class_list;
use super::tar_sample::{Member, Sample, samples};
use super::{Format, Reader, Record, Source};
use crate::data::Limits;
use crate::data::decode::too_many_bytes;
use crate::data::reason::{Defect, Reason};
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "webdataset",
    rule: "tar archives (.tar) of samples, a picture and a .cls or .json each",
    claims: |entry| entry.extension() == "tar",
    file_of: |id| Some(&id[..id.find(".tar!")? + ".tar".len()]),
    open: |tree, limits| Ok(Box::new(WebDataset::open(tree, limits)?)),
};

/// One archive.
pub(in crate::data) struct Shard {
    pub(in crate::data) entry: usize,
    pub(in crate::data) samples: Vec<Sample>,
    /// The class of each row, or why it has none.
    labels: Vec<Result<u32, String>>,
}

/// One or more archives.
pub(in crate::data) struct WebDataset {
    tree: Tree,
    names_path: Option<PathBuf>,
    class_names: Vec<String>,
    shards: Vec<Shard>,
    limits: Limits,
}

impl WebDataset {
    fn open(tree: Tree, limits: &Limits) -> Result<Self> {
        let mut shards = Vec::new();
        for (number, entry) in tree.entries().iter().enumerate() {
            if !(FORMAT.claims)(entry) {
                continue;
            }
            let path = tree.readable(entry)?;
            let samples = samples(&path).map_err(|problem| Error::broken(&path, problem))?;
            let mut archive = File::open(&path).map_err(Error::io(&path))?;
            let rows = samples.iter().filter(|sample| sample.is_row());
            let labels = rows.map(|row| row.label(&mut archive)).collect();
            shards.push(Shard {
                entry: number,
                samples,
                labels,
            });
        }
        let most = limits.max_classes as u32;
        let labels = shards.iter().flat_map(|shard| &shard.labels).flatten();
        let classes = labels
            .filter(|&&label| label < most)
            .max()
            .map_or(1, |most| most + 1);
        let (names_path, class_names) = match class_list(&tree)? {
            Some((path, names)) => (Some(path), names),
            None => (None, (0..classes).map(|class| class.to_string()).collect()),
        };
        Ok(Self {
            tree,
            names_path,
            class_names,
            shards,
            limits: *limits,
        })
    }

    pub(in crate::data) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The file of class names, if there is one.
    pub(in crate::data) fn names_path(&self) -> Option<&Path> {
        self.names_path.as_deref()
    }

    fn record(
        &self,
        entry: &Entry,
        sample: &Sample,
        label: &Result<u32, String>,
        archive: &mut File,
    ) -> Record {
        let known = |label: &u32| (*label as usize) < self.class_names.len();
        let named = match label {
            Ok(label) if known(label) => Ok(*label),
            Ok(label) => Err(format!("{label} is not below {}", self.class_names.len())),
            Err(problem) => Err(problem.clone()),
        };
        let picture = picture(sample, archive, &self.limits);
        let (label, source) = match (named, picture) {
            (Err(problem), _) => (None, Source::Bad(Defect::BadLabel.because(problem))),
            (Ok(label), Ok(bytes)) => (Some(label), Source::Encoded(bytes)),
            (Ok(label), Err(reason)) => (Some(label), Source::Bad(reason)),
        };
        Record {
            id: format!("{}!{}", entry.id, sample.key),
            label,
            source,
        }
    }
}

/// The bytes of a sample's picture.
fn picture(sample: &Sample, archive: &mut File, limits: &Limits) -> Result<Vec<u8>, Reason> {
    if sample.leads_out() {
        return Err(Defect::Unsupported.because("its name leads out of the archive"));
    }
    let pictures: Vec<&Member> = sample.members.iter().filter(|m| m.is_picture()).collect();
    if pictures.is_empty() {
        return Err(
            Defect::Missing.because("there is no picture beside its class; links are not followed")
        );
    }
    let [picture] = pictures[..] else {
        let suffixes: Vec<&str> = pictures.iter().map(|member| &*member.suffix).collect();
        let problem = format!("several pictures: {}", suffixes.join(", "));
        return Err(Defect::Unsupported.because(problem));
    };
    if picture.len() > limits.max_encoded_bytes {
        return Err(too_many_bytes(picture.len(), limits));
    }
    let bytes = picture.read(archive, limits.max_encoded_bytes);
    bytes.map_err(|error| Defect::Missing.because(error))
}

impl Reader for WebDataset {
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
        Box::new(self.shards.iter().flat_map(move |shard| {
            let entry = &self.tree.entries()[shard.entry];
            let path = self.tree.path(entry);
            let mut archive = File::open(&path);
            let rows = shard.samples.iter().filter(|sample| sample.is_row());
            rows.zip(&shard.labels)
                .map(move |(sample, label)| match &mut archive {
                    Ok(archive) => Ok(self.record(entry, sample, label, archive)),
                    Err(error) => Err(Error::io(&path)(std::io::Error::from(error.kind()))),
                })
        }))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::webdataset(self, copy)
    }
}
