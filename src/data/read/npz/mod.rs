//! NumPy archives: an array of pictures beside one of labels, as Keras, MedMNIST and many papers store them.
//!
//! Which arrays belong together is told by their names ([`pair::PAIRS`]); a file may hold several pairs, for its splits. Pictures are
//! `[n, height, width]` or with one or three channels, last or first, of bytes, or of reals in [0, 1] or [0, 255], whichever all of
//! an array fit. Class names are those of an array of texts, if there is one, and numbers otherwise.

mod member;
mod numbers;
mod pair;

use std::io::Read;
use std::path::Path;

use member::{Kind, members};
use numbers::texts;
use pair::pairs;

pub(in crate::data) use member::Member;
pub(in crate::data) use pair::Pair;

use super::{Format, Reader, Record, Source};
use crate::data::Limits;
use crate::data::reason::Defect;
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npz",
    rule: "NumPy archives (.npz) with pictures and labels under names that belong together, such as x_train and y_train",
    claims: |entry| entry.extension() == "npz",
    file_of: |id| Some(id.strip_suffix(']')?.rsplit_once('[')?.0),
    open: |tree, limits| Ok(Box::new(Npz::open(tree, limits)?)),
};

/// Names of an array of class names.
const NAMES: [&str; 4] = ["class_names", "label_names", "classes", "names"];

/// One archive.
pub(in crate::data) struct Archive {
    pub(in crate::data) entry: usize,
    pub(in crate::data) pairs: Vec<Pair>,
    pub(in crate::data) members: Vec<Member>,
}

/// One or more archives.
pub(in crate::data) struct Npz {
    tree: Tree,
    class_names: Vec<String>,
    archives: Vec<Archive>,
}

impl Npz {
    fn open(tree: Tree, limits: &Limits) -> Result<Self> {
        let (mut archives, mut names, mut classes) = (Vec::new(), None, 0);
        for (number, entry) in tree.entries().iter().enumerate() {
            if !(FORMAT.claims)(entry) {
                continue;
            }
            let path = tree.readable(entry)?;
            let wrong = |problem: String| Error::input(&path, problem);
            let members = members(&path).map_err(|problem| Error::broken(&path, problem))?;
            let pairs = pairs(&path, &members, limits).map_err(wrong)?;
            if let Some(member) = members.iter().find(|member| names_classes(member)) {
                let read = class_names(&path, member, limits).map_err(wrong)?;
                if names.get_or_insert_with(|| read.clone()) != &read {
                    return Err(wrong("its class names are not those of the others".into()));
                }
            }
            let most = pairs.iter().flat_map(|pair| &pair.classes).flatten().max();
            classes = classes.max(most.map_or(0, |&most| most as usize + 1));
            archives.push(Archive {
                entry: number,
                pairs,
                members,
            });
        }
        let class_names =
            names.unwrap_or_else(|| (0..classes.max(1)).map(|class| class.to_string()).collect());
        Ok(Self {
            tree,
            class_names,
            archives,
        })
    }

    pub(in crate::data) fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// The rows of one pair, whose first has this number in its archive.
    fn pair_records<'a>(
        &'a self,
        entry: &'a Entry,
        pair: &'a Pair,
        first: usize,
    ) -> impl Iterator<Item = Result<Record>> + 'a {
        let path = self.tree.path(entry);
        let mut bytes = pair.images.bytes(&path);
        let size = pair.images.row();
        pair.classes.iter().enumerate().map(move |(row, class)| {
            let mut stored = vec![0; size];
            let read = match &mut bytes {
                Ok(bytes) => bytes.read_exact(&mut stored).map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let label = class.filter(|&class| (class as usize) < self.class_names.len());
            let source = match (read, label) {
                (Err(problem), _) => Source::Bad(Defect::Truncated.because(problem)),
                (_, None) => Source::Bad(Defect::BadLabel.because("names no class")),
                (Ok(()), Some(_)) => match pair.image(&stored) {
                    Some(image) => Source::Pixels(image),
                    None => Source::Bad(Defect::Unsupported.because(&pair.images.descr)),
                },
            };
            Ok(Record {
                id: format!("{}[{}]", entry.id, first + row),
                label,
                source,
            })
        })
    }
}

/// Whether an array holds class names, of which there may be as many as pictures.
pub(in crate::data) fn names_classes(member: &Member) -> bool {
    member.kind == Kind::Text && NAMES.contains(&&*member.name)
}

fn class_names(path: &Path, member: &Member, limits: &Limits) -> Result<Vec<String>, String> {
    /// Bytes of one name: a thousand characters.
    const NAME: usize = 4000;
    if member.row() > NAME || member.numbers() != 1 {
        return Err(format!(
            "{} is {:?} of {}",
            member.name, member.shape, member.descr
        ));
    }
    let count = member
        .shape
        .first()
        .copied()
        .unwrap_or(0)
        .min(limits.max_classes);
    let mut names = Vec::new();
    member.for_each_row(path, count, |row| {
        names.extend(texts(member, row).into_iter().flatten());
    })?;
    Ok(names)
}

impl Reader for Npz {
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
        let pairs = self.archives.iter().flat_map(|archive| &archive.pairs);
        pairs.map(Pair::rows).sum()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        Box::new(self.archives.iter().flat_map(move |archive| {
            let entry = &self.tree.entries()[archive.entry];
            let first = archive.pairs.iter().scan(0, |before, pair| {
                let first = *before;
                *before += pair.rows();
                Some((pair, first))
            });
            first.flat_map(move |(pair, first)| self.pair_records(entry, pair, first))
        }))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::npz(self, copy)
    }
}
