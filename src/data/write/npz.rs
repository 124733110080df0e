//! Copies of NumPy archives: the same arrays under the same names, of the same types, in the same order.
//!
//! Every array with a row for each picture loses the rows that are dropped, whatever it holds.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Copier;
use super::spool::{Array, Spool};
use crate::data::read::{Member, Npz, Pair, Reader, names_classes};
use crate::{Error, Result};

/// Archives of more than this need the larger form of the format.
const LARGE: u64 = u32::MAX as u64;

pub(in crate::data) fn npz(source: &Npz, copy: &mut Copier<'_>) -> Result<()> {
    for archive in source.archives() {
        let entry = &source.tree().entries()[archive.entry];
        let path = source.tree().path(entry);
        let mut spools: Vec<Spool> = Vec::new();
        let mut first = 0;
        for pair in &archive.pairs {
            let array = Array {
                path: &path,
                id: &entry.id,
                bytes: pair.images.bytes(&path).map_err(Error::io(&path))?,
                len: pair.images.row(),
                rows: pair.rows(),
            };
            let name = |place| format!("{}[{}]", entry.id, first + place);
            let spool = array.spool(copy, |image| pair.store(image), name)?;
            first += spool.rows();
            spools.push(spool);
        }
        if !spools.iter().any(|spool| spool.changed) {
            copy.file(source.tree(), entry)?;
            continue;
        }
        let mut zip = ZipWriter::new(BufWriter::new(copy.create(&entry.id)?));
        for member in &archive.members {
            let pictures = (archive.pairs.iter().zip(&mut spools))
                .find(|(pair, _)| pair.images.name == member.name);
            if let Some((_, spool)) = pictures {
                let rows = spool.rows();
                write(&mut zip, member, Some(rows), &mut spool.pictures)
                    .map_err(Error::io(&path))?;
                continue;
            }
            let mut bytes = member.bytes(&path).map_err(Error::io(&path))?;
            // The labels of a pair, and what else has a row for each of its pictures.
            let beside = archive
                .pairs
                .iter()
                .position(|pair| pair.labels.name == member.name);
            let beside = beside.or_else(|| {
                let alike = |pair: &Pair| member.shape.first() == Some(&pair.rows());
                archive.pairs.iter().position(alike)
            });
            let beside = beside.filter(|_| !names_classes(member));
            match beside {
                None => write(&mut zip, member, None, &mut bytes),
                Some(number) => {
                    let spool = &spools[number];
                    let rows = spool.rows();
                    let mut rest = Kept {
                        bytes,
                        kept: spool.kept.iter(),
                        row: member.row(),
                        line: io::Cursor::new(Vec::new()),
                    };
                    write(&mut zip, member, Some(rows), &mut rest)
                }
            }
            .map_err(Error::io(&path))?;
        }
        let done = zip
            .finish()
            .map_err(io::Error::from)
            .and_then(|mut file| file.flush());
        done.map_err(Error::io(&path))?;
    }
    Ok(())
}

/// The rows of an array that stay.
struct Kept<'a, R> {
    bytes: R,
    kept: std::slice::Iter<'a, bool>,
    row: usize,
    line: io::Cursor<Vec<u8>>,
}

impl<R: Read> Read for Kept<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.line.read(out)?;
            if read > 0 || out.is_empty() || self.row == 0 {
                return Ok(read);
            }
            let Some(kept) = self.kept.next() else {
                return Ok(0);
            };
            let mut line = vec![0; self.row];
            self.bytes.read_exact(&mut line)?;
            if *kept {
                self.line = io::Cursor::new(line);
            }
        }
    }
}

/// An array with so many rows in place of its own.
fn write(
    zip: &mut ZipWriter<BufWriter<File>>,
    member: &Member,
    rows: Option<usize>,
    bytes: &mut dyn Read,
) -> io::Result<()> {
    let mut shape = member.shape.clone();
    if let (Some(rows), Some(first)) = (rows, shape.first_mut()) {
        *first = rows;
    }
    let header = header(&member.descr, &shape);
    let count = shape.first().copied().unwrap_or(1) as u64;
    let options = SimpleFileOptions::default()
        .compression_method(match member.deflated {
            true => CompressionMethod::Deflated,
            false => CompressionMethod::Stored,
        })
        // No clock in a copy.
        .last_modified_time(zip::DateTime::default())
        .large_file(count * member.row() as u64 + header.len() as u64 > LARGE);
    zip.start_file(format!("{}.npy", member.name), options)?;
    zip.write_all(&header)?;
    io::copy(bytes, zip)?;
    Ok(())
}

/// The head of an array in version 1.0 of NumPy's format.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let sides = if shape.len() == 1 {
        sides.trim_end()
    } else {
        sides.trim_end_matches(", ")
    };
    let mut text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({sides}), }}");
    // Magic, version and length take ten bytes, a line feed one; the numbers begin at a multiple of 64.
    let len = (text.len() + 11).next_multiple_of(64) - 10;
    text.push_str(&" ".repeat(len - 1 - text.len()));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((len as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}
