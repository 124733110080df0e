//! The records of CIFAR binary files: label bytes, then 32 x 32 pixels as a red, a green and a blue plane.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::data::Image;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// How the records of one of the two data sets look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Layout {
    label_bytes: usize,
    /// Number of classes as published.
    pub(super) classes: usize,
    /// Name of the file that lists the class names.
    pub(in crate::data) names_file: &'static str,
}

pub(super) const CIFAR_10: Layout = Layout {
    label_bytes: 1,
    classes: 10,
    names_file: "batches.meta.txt",
};
pub(super) const CIFAR_100: Layout = Layout {
    label_bytes: 2,
    classes: 100,
    names_file: "fine_label_names.txt",
};

/// The records carry no magic number: the names under which the data sets are published are all there is to go by.
pub(super) fn layout(file_name: &str) -> Option<Layout> {
    let name = file_name.to_ascii_lowercase();
    match name.as_str() {
        "train.bin" | "test.bin" => Some(CIFAR_100),
        _ if name.ends_with(".bin") && name.contains("_batch") => Some(CIFAR_10),
        _ => None,
    }
}

impl Layout {
    /// Bytes of a record.
    pub(in crate::data) fn record(self) -> usize {
        self.label_bytes + 3 * PLANE
    }

    /// The class of a whole record.
    pub(super) fn label(self, record: &[u8]) -> usize {
        usize::from(record[self.label_bytes - 1])
    }

    /// The pixels of a whole record.
    pub(super) fn image(self, record: &[u8]) -> Image {
        let planes = &record[self.label_bytes..];
        let rgb = (0..PLANE)
            .flat_map(|pixel| [0, 1, 2].map(|channel| planes[channel * PLANE + pixel]))
            .collect();
        Image {
            height: SIDE,
            width: SIDE,
            rgb,
        }
    }

    /// Puts the picture into the record and leaves its labels; `false` if either has another size.
    pub(in crate::data) fn set_image(self, record: &mut [u8], image: &Image) -> bool {
        let whole = record.len() == self.record() && image.rgb.len() == 3 * PLANE;
        if !whole || (image.height, image.width) != (SIDE, SIDE) {
            return false;
        }
        let planes = &mut record[self.label_bytes..];
        for (pixel, rgb) in image.rgb.chunks_exact(3).enumerate() {
            for (channel, &value) in rgb.iter().enumerate() {
                planes[channel * PLANE + pixel] = value;
            }
        }
        true
    }
}

/// The records of one file, the last of which may be too short.
pub(in crate::data) struct Records {
    file: BufReader<File>,
    size: usize,
}

impl Records {
    pub(in crate::data) fn of(path: &Path, layout: Layout) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        Ok(Self {
            file,
            size: layout.record(),
        })
    }
}

impl Iterator for Records {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = Vec::with_capacity(self.size);
        let read = self
            .file
            .by_ref()
            .take(self.size as u64)
            .read_to_end(&mut record);
        match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(record)),
            Err(error) => Some(Err(error)),
        }
    }
}
