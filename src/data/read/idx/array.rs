//! One IDX file: what its name says, its header, and its numbers, unpacked as they are read.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// What marks numbers of one byte: two zeros and the code of the type; the fourth byte counts the dimensions.
pub(in crate::data) const MAGIC: [u8; 3] = [0, 0, 8];

/// What an IDX file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    Pictures,
    Labels,
}

/// What the `name` of a file says that it holds, and what the name has in common with that of the other: the part before
/// `images` or `labels`, in lower case. `None` if it is no IDX file.
pub(super) fn named(name: &str) -> Option<(Holds, String)> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let (holds, word, name) = [
        (Holds::Pictures, "images", "idx3-ubyte"),
        (Holds::Pictures, "images", "idx4-ubyte"),
        (Holds::Labels, "labels", "idx1-ubyte"),
    ]
    .into_iter()
    .find_map(|(holds, word, ending)| Some((holds, word, name.strip_suffix(ending)?)))?;
    let (before, rest) = name.rsplit_once(word)?;
    matches!(rest, "-" | ".").then(|| (holds, before.to_owned()))
}

/// Whether the file of this name is packed.
pub(in crate::data) fn is_packed(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gz")
}

/// An IDX file of bytes behind its header.
pub(in crate::data) struct Array {
    /// How long it is in each dimension, the first one counting rows.
    pub(super) shape: Vec<usize>,
    numbers: Box<dyn Read>,
}

impl Array {
    /// Opens the file at `path` and reads its header.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut numbers = unpacked(path)?;
        let mut head = [0; 4];
        numbers.read_exact(&mut head)?;
        if head[..3] != MAGIC {
            return Err(io::Error::other("not an IDX file of bytes"));
        }
        let mut shape = Vec::new();
        for _ in 0..head[3] {
            let mut side = [0; 4];
            numbers.read_exact(&mut side)?;
            shape.push(u32::from_be_bytes(side) as usize);
        }
        Ok(Self { shape, numbers })
    }
}

impl Read for Array {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.numbers.read(out)
    }
}

/// The bytes of a file, unpacked if its name says that it is packed.
fn unpacked(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = BufReader::new(File::open(path)?);
    let packed = path.file_name().and_then(|name| name.to_str());
    Ok(match packed.is_some_and(is_packed) {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    })
}

/// Whether two files are the same once they are unpacked.
pub(super) fn hold_the_same(a: &Path, b: &Path) -> io::Result<bool> {
    let [mut a, mut b] = [unpacked(a)?, unpacked(b)?];
    let [mut left, mut right] = [[0; 1 << 16]; 2];
    loop {
        let (from_a, from_b) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
        if left[..from_a] != right[..from_b] {
            return Ok(false);
        }
        if from_a == 0 {
            return Ok(true);
        }
    }
}

/// Reads until `out` is full or there is no more.
fn fill(from: &mut dyn Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match from.read(&mut out[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_published_sets_are_known() {
        for (name, holds, before) in [
            ("train-images-idx3-ubyte", Holds::Pictures, "train-"),
            ("t10k-labels.idx1-ubyte", Holds::Labels, "t10k-"),
            (
                "emnist-letters-train-images-idx3-ubyte.gz",
                Holds::Pictures,
                "emnist-letters-train-",
            ),
            ("Images-IDX4-ubyte", Holds::Pictures, ""),
        ] {
            assert_eq!(named(name), Some((holds, before.to_owned())), "{name}");
        }
        for name in [
            "train-images-idx1-ubyte",
            "train-labels-idx3-ubyte",
            "imagesidx3-ubyte",
            "train-images.png",
            "labels.idx1-ubyte.txt",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
