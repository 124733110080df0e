//! The arrays inside of NumPy archives: where they lie in the file, and what they hold.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::DeflateDecoder;
use npyz::{DType, Endianness, NpyFile, Order, TypeChar};
use zip::{CompressionMethod, ZipArchive};

use crate::data::guard::catch_panic;

/// Most arrays that are looked at in one archive.
const MEMBERS: usize = 4096;
/// Most bytes of a header: its shape and the type of its numbers.
const HEADER: u64 = 1 << 16;

/// What the numbers of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Uint,
    Float,
    Bool,
    Text,
}

/// One array.
#[derive(Clone, Debug)]
pub(in crate::data) struct Member {
    /// The name that NumPy gives it: that of the file without `.npy`.
    pub(in crate::data) name: String,
    /// Where its bytes start in the archive, and how many they are there.
    start: u64,
    packed: u64,
    /// Whether they are packed.
    pub(in crate::data) deflated: bool,
    pub(super) kind: Kind,
    /// Bytes of a number.
    pub(super) width: usize,
    pub(super) big_endian: bool,
    /// How NumPy writes the type of its numbers.
    pub(in crate::data) descr: String,
    pub(in crate::data) shape: Vec<usize>,
}

impl Member {
    /// Numbers for each index of the first axis.
    pub(super) fn numbers(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Bytes for each index of the first axis.
    pub(in crate::data) fn row(&self) -> usize {
        self.numbers() * self.width
    }

    /// Visits as many rows of an array as there are bytes for; there is never room for more than one at a time.
    pub(super) fn for_each_row(
        &self,
        path: &Path,
        rows: usize,
        mut visit: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        let mut bytes = self.bytes(path).map_err(|error| error.to_string())?;
        let mut row = vec![0; self.row()];
        for _ in 0..rows {
            if bytes.read_exact(&mut row).is_err() {
                break;
            }
            visit(&row);
        }
        Ok(())
    }

    /// Its bytes behind the header, of which there may be fewer than its shape asks for.
    pub(in crate::data) fn bytes(&self, archive: &Path) -> io::Result<Box<dyn Read + Send>> {
        let mut bytes = unpacked(archive, self.start, self.packed, self.deflated)?;
        NpyFile::new((&mut bytes).take(HEADER))?;
        Ok(bytes)
    }
}

/// The bytes of a member, unpacked as they are read: an archive cannot make them all be held.
fn unpacked(
    archive: &Path,
    start: u64,
    packed: u64,
    deflated: bool,
) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(archive)?;
    file.seek(SeekFrom::Start(start))?;
    let bytes = BufReader::new(file.take(packed));
    Ok(match deflated {
        true => Box::new(BufReader::new(DeflateDecoder::new(bytes))),
        false => Box::new(bytes),
    })
}

/// All arrays of an archive, in its order.
///
/// # Errors
/// In words, if the archive is broken or holds what is not read: pickled objects, Fortran order, structures, encryption.
pub(super) fn members(archive: &Path) -> Result<Vec<Member>, String> {
    let words = |error: zip::result::ZipError| error.to_string();
    let file = File::open(archive).map_err(|error| error.to_string())?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(words)?;
    if zip.len() > MEMBERS {
        return Err(format!("{} arrays; at most {MEMBERS} are read", zip.len()));
    }
    let mut members = Vec::new();
    for number in 0..zip.len() {
        let entry = zip.by_index_raw(number).map_err(words)?;
        let file_name = entry.name().map_err(words)?.into_owned();
        let Some(name) = file_name.strip_suffix(".npy") else {
            continue;
        };
        let deflated = match entry.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => return Err(format!("{name} is packed by {other:?}")),
        };
        if entry.encrypted() {
            return Err(format!("{name} is encrypted"));
        }
        let (packed, start) = (entry.compressed_size(), entry.data_start());
        let start = start.ok_or_else(|| format!("{name} has no place in the archive"))?;
        let mut bytes = unpacked(archive, start, packed, deflated).map_err(|e| e.to_string())?;
        // Written by strangers, and read by a parser of others.
        let header = catch_panic(|| NpyFile::new((&mut bytes).take(HEADER)));
        let header = header
            .map_err(|problem| format!("{name}: {problem}"))?
            .map_err(|error| format!("{name}: {error}"))?;
        members.push(member(name, (start, packed, deflated), &header)?);
    }
    Ok(members)
}

fn member(
    name: &str,
    (start, packed, deflated): (u64, u64, bool),
    header: &NpyFile<impl Read>,
) -> Result<Member, String> {
    let dtype = header.dtype();
    if dtype.uses_pickled_array() {
        return Err(format!(
            "{name} holds pickled objects, which are never executed; save it as numbers"
        ));
    }
    let DType::Plain(plain) = &dtype else {
        return Err(format!("{name} is an array of structures"));
    };
    let kind = match plain.type_char() {
        TypeChar::Int => Kind::Int,
        TypeChar::Uint => Kind::Uint,
        TypeChar::Float => Kind::Float,
        TypeChar::Bool => Kind::Bool,
        TypeChar::UnicodeStr => Kind::Text,
        _ => return Err(format!("{name} is of type {}", dtype.descr())),
    };
    let shape: Vec<usize> = header.shape().iter().map(|&side| side as usize).collect();
    if shape.len() > 1 && header.order() != Order::C {
        return Err(format!(
            "{name} is in Fortran order; save it as np.ascontiguousarray(a)"
        ));
    }
    let sizes = dtype.num_bytes().and_then(|width| {
        let row = (shape.iter().skip(1)).try_fold(width, |row, &side| row.checked_mul(side))?;
        Some((width, row))
    });
    let Some((width, _)) = sizes else {
        return Err(format!("{name} has a shape beyond all memory: {shape:?}"));
    };
    Ok(Member {
        name: name.into(),
        start,
        packed,
        deflated,
        kind,
        width,
        big_endian: plain.endianness() == Endianness::Big,
        descr: dtype.descr(),
        shape,
    })
}

/// An array of such numbers, for tests.
#[cfg(test)]
pub(super) fn of_type(kind: Kind, width: usize, big_endian: bool) -> Member {
    Member {
        name: String::new(),
        start: 0,
        packed: 0,
        deflated: false,
        kind,
        width,
        big_endian,
        descr: String::new(),
        shape: Vec::new(),
    }
}
