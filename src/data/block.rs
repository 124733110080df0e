//! The pixel block: pictures of any sizes brought to one.

use super::Image;
use super::reason::Reason;
use super::resize::{SIDE, resize};
use crate::{Error, Result};

/// A decoded picture, already shrunk if it could not stay as it is in any block.
pub(super) struct Picture {
    /// Height and width as stored.
    pub(super) size: (usize, usize),
    pub(super) fitted: Image,
}

impl Picture {
    /// The picture as it waits for the size of the block: one that no block could hold is resized at once.
    pub(super) fn fit(image: Image) -> Result<Self, Reason> {
        let size = (image.height, image.width);
        let large = size.0.max(size.1) > SIDE;
        let fitted = if large {
            resize(&image, SIDE, SIDE)?
        } else {
            image
        };
        Ok(Self { size, fitted })
    }
}

/// The pictures so far, one after the other, each in its fitted size.
#[derive(Default)]
pub(super) struct Block {
    stored: Vec<(usize, usize)>,
    fitted: Vec<(usize, usize)>,
    pixels: Vec<u8>,
}

impl Block {
    /// Adds a picture.
    pub(super) fn push(&mut self, picture: Picture) {
        self.stored.push(picture.size);
        self.fitted
            .push((picture.fitted.height, picture.fitted.width));
        self.pixels.extend_from_slice(&picture.fitted.rgb);
    }

    /// Height and width of the block.
    pub(super) fn size(&self) -> (usize, usize) {
        match self.stored.first() {
            Some(&size)
                if size.0.max(size.1) <= SIDE && self.stored.iter().all(|&other| other == size) =>
            {
                size
            }
            _ => (SIDE, SIDE),
        }
    }

    /// How many pictures have another size as stored.
    pub(super) fn resized(&self) -> usize {
        let size = self.size();
        self.stored.iter().filter(|&&stored| stored != size).count()
    }

    /// The block `[pictures, height, width, 3]`.
    pub(super) fn into_pixels(self) -> Result<Vec<u8>> {
        let (height, width) = self.size();
        if self.fitted.iter().all(|&size| size == (height, width)) {
            return Ok(self.pixels);
        }
        let mut pixels = Vec::with_capacity(self.fitted.len() * height * width * 3);
        let mut rest = &self.pixels[..];
        for (rows, columns) in self.fitted {
            let (rgb, after) = rest.split_at(rows * columns * 3);
            rest = after;
            let image = Image {
                height: rows,
                width: columns,
                rgb: rgb.to_vec(),
            };
            let resized = resize(&image, height, width).map_err(|reason| Error::Numeric {
                stage: "resize",
                problem: reason.to_string(),
            })?;
            pixels.extend(resized.rgb);
        }
        Ok(pixels)
    }
}
