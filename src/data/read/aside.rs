//! Files of rows that cannot be read are set aside: bad rows, one for each file, after all others.

use super::{Format, Reader, Record, Source};
use crate::data::write::{Copier, Edit};
use crate::data::{Limits, Tree};
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
        let others = tree
            .entries()
            .iter()
            .filter(|&entry| (format.claims)(entry));
        let spare = others.count() > 1 && tree.aside().len() < MOST;
        match (format.open)(tree.clone(), limits) {
            Err(Error::Broken { path, problem }) if spare && tree.set_aside(&path, &problem) => {}
            Ok(reader) if !tree.aside().is_empty() => return Ok(Box::new(WithBroken(reader))),
            opened => return opened,
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
        let broken = self.tree().aside().iter().filter_map(|entry| {
            Some(Ok(Record {
                id: entry.id.clone(),
                label: None,
                source: Source::Bad(entry.trouble.clone()?),
            }))
        });
        Box::new(self.0.records().chain(broken))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        self.0.rewrite(copy)?;
        let tree = self.tree();
        for entry in tree.aside() {
            // What cannot be read has no pixels to replace.
            let stays = copy.next_edit()? != Edit::Drop;
            if stays {
                copy.file(tree, entry)?;
            }
            copy.placed(stays.then(|| entry.id.clone()));
        }
        Ok(())
    }
}
