//! Copies of IDX files: a file without a change byte for byte, another with its labels in the same form, packed where they were.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Copier, Edit};
use crate::data::read::{Idx, MAGIC, Pictures, Reader, is_packed};
use crate::data::tree::Tree;
use crate::{Error, Result};

pub(in crate::data) fn idx(source: &Idx, copy: &mut Copier<'_>) -> Result<()> {
    for file in source.files() {
        write(source.tree(), file, copy)?;
    }
    copy.companion(source.tree(), source.names_path())
}

fn write(tree: &Tree, file: &Pictures, copy: &mut Copier<'_>) -> Result<()> {
    let id = &file.entry.id;
    let failed = || Error::io(tree.path(&file.entry));
    let mut bytes = file.bytes(tree)?;
    let mut pictures = BufWriter::new(tempfile::tempfile().map_err(failed())?);
    let (mut classes, mut stored) = (Vec::new(), vec![0; file.len()]);
    let (mut ended, mut changed) = (false, false);
    for &class in &file.classes {
        ended = ended || bytes.read_exact(&mut stored).is_err();
        let stays = match copy.next_edit()? {
            // What the file ends before can only be left out.
            Edit::Keep => !ended,
            Edit::Drop => false,
            Edit::Replace(image) => {
                stored = file.store(image).ok_or_else(|| Error::Settings {
                    name: "image",
                    problem: format!(
                        "{id} takes pictures of its own size, and grey ones where it is grey"
                    ),
                })?;
                changed = true;
                true
            }
        };
        copy.placed(stays.then(|| format!("{id}#{}", classes.len())));
        if stays {
            pictures.write_all(&stored).map_err(failed())?;
            classes.push(class);
        }
    }
    let (labels_path, labels_id) = &file.labels;
    if !changed && classes.len() == file.classes.len() {
        copy.file(tree, &file.entry)?;
        let path = copy.path(labels_id)?;
        fs::copy(labels_path, &path).map_err(Error::io(path))?;
        return Ok(());
    }
    let mut pictures = pictures
        .into_inner()
        .map_err(|error| failed()(error.into_error()))?;
    pictures.rewind().map_err(failed())?;
    let shape = [&[classes.len()], &file.shape[..]].concat();
    array(copy, id, &shape, &mut pictures)?;
    array(copy, labels_id, &[classes.len()], &mut &classes[..])
}

/// Writes a file of numbers of this shape.
fn array(copy: &Copier<'_>, id: &str, shape: &[usize], numbers: &mut dyn Read) -> Result<()> {
    let mut write = |file: File| match is_packed(id) {
        true => {
            let mut file = GzEncoder::new(BufWriter::new(file), Compression::default());
            put(shape, numbers, &mut file)?;
            file.finish()?.flush()
        }
        false => {
            let mut file = BufWriter::new(file);
            put(shape, numbers, &mut file)?;
            file.flush()
        }
    };
    write(copy.create(id)?).map_err(Error::io(id))
}

fn put(shape: &[usize], numbers: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&[shape.len() as u8])?;
    for &side in shape {
        out.write_all(&(side as u32).to_be_bytes())?;
    }
    io::copy(numbers, out).map(|_| ())
}
