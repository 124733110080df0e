//! Caps on what a hostile file may make the program read or allocate.

use serde::{Deserialize, Serialize};

/// Upper bounds on what one row, or the class list, may cost. Above a bound the row is unreadable with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one encoded picture.
    pub max_encoded_bytes: u64,
    /// Columns of pixels.
    pub max_width: u32,
    /// Rows of pixels.
    pub max_height: u32,
    /// Pixels of one picture: bounds the memory of a decoder where width and height alone would not.
    pub max_pixels: u64,
    /// Classes of a data set: a label column with more is taken for something else.
    pub max_classes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_encoded_bytes: 64 << 20,
            max_width: 32_768,
            max_height: 32_768,
            max_pixels: 64 << 20,
            max_classes: 100_000,
        }
    }
}

impl Limits {
    /// Why a picture of this size must not be decoded, if it must not.
    pub(super) fn refuse(&self, height: u64, width: u64) -> Option<String> {
        let fits = width <= u64::from(self.max_width)
            && height <= u64::from(self.max_height)
            && height * width <= self.max_pixels;
        (!fits).then(|| {
            format!(
                "{width} x {height} pixels; at most {} x {} and {} in all are decoded",
                self.max_width, self.max_height, self.max_pixels
            )
        })
    }
}
