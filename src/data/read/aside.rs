//! Files of rows that cannot be read are set aside: bad rows, one for each file, after all others.

use super::{Format, Reader, Record, Source};
use crate::data::Limits;
use crate::data::tree::{Aside, Tree};
use crate::data::write::{Copier, Edit};
use crate::{Error, Result};

/// More broken files than this are no accident of one; each costs another look at the others.
const MOST: usize = 16;

/// Opens what lies in `tree`, without the files that are broken.
pub(super) fn open(
    format: &'static Format,
    mut tree: Tree,
    limits: &Limits,
) -> Result<Box<dyn Reader>> {
    loop {
        let (path, problem) = match (format.open)(tree.clone(), limits) {
            Err(Error::Broken { path, problem }) => (path, problem),
            Ok(reader) if !tree.aside().is_empty() => return Ok(Box::new(WithBroken(reader))),
            opened => return opened,
        };
        let files = tree
            .entries()
            .iter()
            .filter(|&entry| (format.claims)(entry));
        let can_spare = files.count() > 1 && tree.aside().len() < MOST;
        if !can_spare || !tree.set_aside(&path, &problem) {
            return Err(Error::Broken { path, problem });
        }
    }
}

/// The rows of a reader, and after them the files that were set aside.
struct WithBroken(Box<dyn Reader>);

impl Reader for WithBroken {
    fn format(&self) -> &'static Format {
        self.0.format()
    }

    fn tree(&self) -> &Tree {
        self.0.tree()
    }

    fn class_names(&self) -> &[String] {
        self.0.class_names()
    }

    fn rows(&self) -> usize {
        self.0.rows() + self.tree().aside().len()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        let broken = self.tree().aside().iter().map(|aside| {
            Ok(Record {
                id: aside.entry.id.clone(),
                label: None,
                source: Source::Bad(aside.reason.clone()),
            })
        });
        Box::new(self.0.records().chain(broken))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        self.0.rewrite(copy)?;
        let tree = self.tree();
        for Aside { entry, .. } in tree.aside() {
            // What cannot be read has no pixels to replace, and what must not be opened is not copied either.
            let stays = copy.next_edit()? != Edit::Drop && entry.trouble.is_none();
            if stays {
                copy.file(tree, entry)?;
            }
            copy.placed(stays.then(|| entry.id.clone()));
        }
        Ok(())
    }
}
