//! The rows of an array of pictures that stay, aside until it is known how many they are: their number stands before them.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::Path;

use super::{Copier, Edit};
use crate::data::Image;
use crate::{Error, Result};

/// Pictures as they are stored, one after the other, from the first one on.
pub(super) struct Spool {
    pub(super) pictures: File,
    /// Which rows of the source they are.
    pub(super) kept: Vec<bool>,
    /// Whether anything is not as it was.
    pub(super) changed: bool,
}

impl Spool {
    /// How many rows stay.
    pub(super) fn rows(&self) -> usize {
        self.kept.iter().filter(|kept| **kept).count()
    }
}

/// An array of pictures to be copied.
pub(super) struct Array<'a, R> {
    /// The file, for errors.
    pub(super) path: &'a Path,
    /// Its id.
    pub(super) id: &'a str,
    /// The stored pictures, one after the other.
    pub(super) bytes: R,
    /// Bytes of one.
    pub(super) len: usize,
    /// How many there are.
    pub(super) rows: usize,
}

impl<R: Read> Array<'_, R> {
    /// Asks `copy` for the edit of each. New pictures are stored as `store` does it, unless they do not fit; `name` gives
    /// the ids of those that stay, by their places.
    pub(super) fn spool(
        mut self,
        copy: &mut Copier<'_>,
        store: impl Fn(&Image) -> Option<Vec<u8>>,
        name: impl Fn(usize) -> String,
    ) -> Result<Spool> {
        let failed = || Error::io(self.path);
        let mut pictures = BufWriter::new(tempfile::tempfile().map_err(failed())?);
        let mut kept = Vec::with_capacity(self.rows);
        let (mut ended, mut changed, mut place) = (false, false, 0);
        for _ in 0..self.rows {
            let mut row = vec![0; self.len];
            ended = ended || self.bytes.read_exact(&mut row).is_err();
            let stays = match copy.next_edit()? {
                // What the array ends before can only be left out.
                Edit::Keep => !ended,
                Edit::Drop => false,
                Edit::Replace(image) => {
                    row = store(&image).ok_or_else(|| Error::Settings {
                        name: "image",
                        problem: format!(
                            "{} takes pictures of its own size, and grey ones where it is grey",
                            self.id
                        ),
                    })?;
                    changed = true;
                    true
                }
            };
            changed = changed || !stays;
            if stays {
                pictures.write_all(&row).map_err(failed())?;
            }
            copy.placed(stays.then(|| name(place)));
            place += usize::from(stays);
            kept.push(stays);
        }
        let pictures = pictures.into_inner();
        let mut pictures = pictures.map_err(|error| failed()(error.into_error()))?;
        pictures.rewind().map_err(failed())?;
        Ok(Spool {
            pictures,
            kept,
            changed,
        })
    }
}
