//! Images cut into tiles.

use std::ops::Range;

use super::transform::STEP;

/// An image as the algorithm sees it: squares of `block` x `block` pixels are one pixel with the channels of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) block: usize,
    /// Channels of a pixel of the image itself.
    pub(super) channels: usize,
}

impl Grid {
    /// An image of height, width and channels; both sides are multiples of `block`.
    pub(super) fn new([height, width, channels]: [usize; 3], block: usize) -> Self {
        Self {
            height: height / block,
            width: width / block,
            block,
            channels,
        }
    }

    /// Numbers in an image.
    pub(super) fn len(&self) -> usize {
        self.height * self.width * self.depth()
    }

    /// Numbers in a pixel.
    pub(super) fn depth(&self) -> usize {
        self.block * self.block * self.channels
    }

    /// Tiles of outputs: down and across.
    pub(super) fn tiles(&self) -> [usize; 2] {
        [self.height.div_ceil(STEP), self.width.div_ceil(STEP)]
    }

    /// Consecutive numbers of a pixel: those of one row of the image.
    pub(super) fn run(&self) -> usize {
        self.block * self.channels
    }

    /// Where in the image number `at` of a pixel is; the rest of its run follows.
    pub(super) fn place(&self, y: usize, x: usize, at: usize) -> usize {
        let row = y * self.block + at / self.run();
        (row * self.width + x) * self.run() + at % self.run()
    }
}

/// Rows of tiles of some whole images, worked on at once.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) images: Range<usize>,
    /// Rows of tiles of each image.
    pub(super) rows: Range<usize>,
    /// Tiles of one row.
    pub(super) across: usize,
}

impl Block {
    /// All tiles of some outputs, about `size` in a block: small images are taken together, large ones cut.
    pub(super) fn all(output: &Grid, images: Range<usize>, size: usize) -> Vec<Self> {
        let [down, across] = output.tiles();
        let together = (size / (down * across).max(1)).max(1);
        let step = (size / across.max(1)).max(1);
        let end = images.end;
        images
            .step_by(together)
            .map(|first| first..(first + together).min(end))
            .flat_map(|images| {
                (0..down).step_by(step).map(move |row| Self {
                    images: images.clone(),
                    rows: row..(row + step).min(down),
                    across,
                })
            })
            .collect()
    }

    pub(super) fn tiles(&self) -> usize {
        self.images.len() * self.rows.len() * self.across
    }

    /// Each tile: its image, its row and its column.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.images.clone().flat_map(move |image| {
            self.rows
                .clone()
                .flat_map(move |row| (0..self.across).map(move |column| (image, row, column)))
        })
    }
}
