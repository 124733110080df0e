//! Copies of IDX files: a file without a change byte for byte, another with its labels in the same form, packed where they were.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Copier;
use super::spool::Array;
use crate::data::Image;
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
    let array = Array {
        path: &tree.path(&file.entry),
        id,
        bytes: file.bytes(tree)?,
        len: file.len(),
        rows: file.classes.len(),
    };
    let store = |image: &Image| file.store(image);
    let mut spool = array.spool(copy, store, |place| format!("{id}#{place}"))?;
    let (labels_path, labels_id) = &file.labels;
    if !spool.changed {
        copy.file(tree, &file.entry)?;
        let path = copy.path(labels_id)?;
        fs::copy(labels_path, &path).map_err(Error::io(path))?;
        return Ok(());
    }
    let classes = file.classes.iter().zip(&spool.kept);
    let classes = classes.filter_map(|(class, kept)| kept.then_some(*class));
    let classes: Vec<u8> = classes.collect();
    let shape = [&[classes.len()], &file.shape[..]].concat();
    put(copy, id, &shape, &mut spool.pictures)?;
    put(copy, labels_id, &[classes.len()], &mut &classes[..])
}

/// Writes a file of numbers of this shape.
fn put(copy: &Copier<'_>, id: &str, shape: &[usize], numbers: &mut dyn Read) -> Result<()> {
    let mut write = |file: File| match is_packed(id) {
        true => {
            let mut file = GzEncoder::new(BufWriter::new(file), Compression::default());
            numbers_of(shape, numbers, &mut file)?;
            file.finish()?.flush()
        }
        false => {
            let mut file = BufWriter::new(file);
            numbers_of(shape, numbers, &mut file)?;
            file.flush()
        }
    };
    write(copy.create(id)?).map_err(Error::io(id))
}

fn numbers_of(shape: &[usize], numbers: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&[shape.len() as u8])?;
    for &side in shape {
        out.write_all(&(side as u32).to_be_bytes())?;
    }
    io::copy(numbers, out).map(|_| ())
}
