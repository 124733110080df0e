//! Whole blocks of tiles transformed: images to points and back.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::GAP;
use super::grid::{Block, Grid};
use super::transform::{Output, SIDE, STEP, Transform, both, load, store};
use crate::kernel::WIDTH;

/// Transforms all tiles of `N` x `N` pixels of a block to points, `[36, tiles, width]` with a gap between matrices.
pub(super) struct Spread<'a, T, const N: usize> {
    pub(super) transform: T,
    pub(super) images: &'a [f32],
    pub(super) grid: &'a Grid,
    pub(super) block: &'a Block,
    /// Which numbers of each pixel.
    pub(super) channels: Range<usize>,
    /// Numbers from one tile to the next, at least as many.
    pub(super) width: usize,
    /// Pixels that a tile begins above and left of its outputs; beyond the border is zero.
    pub(super) before: usize,
    pub(super) out: &'a mut [f32],
}

impl<T: Transform<N, SIDE>, const N: usize> WithSimd for Spread<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, channels, .. } = self;
        let zeros = vec![0.0; grid.run()];
        let size = self.block.tiles() * self.width + GAP;
        for (number, (image, row, column)) in self.block.iter().enumerate() {
            let image = &self.images[image * grid.len()..][..grid.len()];
            let mut first = channels.start;
            while first < channels.end {
                // The rest of a run: what follows lies elsewhere in the image.
                let run = (grid.run() - first % grid.run()).min(channels.end - first);
                let mut pixels = [[&zeros[..run]; N]; N];
                for (k, pixel) in pixels.as_flattened_mut().iter_mut().enumerate() {
                    let y = (STEP * row + k / N).wrapping_sub(self.before);
                    let x = (STEP * column + k % N).wrapping_sub(self.before);
                    if y < grid.height && x < grid.width {
                        *pixel = &image[grid.place(y, x, first)..][..run];
                    }
                }
                let start = number * self.width + first - channels.start;
                for lane in (0..run).step_by(S::F32_LANES) {
                    let end = (lane + S::F32_LANES).min(run);
                    let mut tile = [[simd.splat_f32s(0.0); N]; N];
                    for (value, pixel) in
                        (tile.as_flattened_mut().iter_mut()).zip(pixels.as_flattened())
                    {
                        *value = load(simd, &pixel[lane..end]);
                    }
                    let tile = both(simd, tile, self.transform);
                    for (point, value) in tile.as_flattened().iter().enumerate() {
                        let at = point * size + start;
                        store(simd, &mut self.out[at + lane..at + end], *value);
                    }
                }
                first += run;
            }
        }
    }
}

/// Transforms a panel of products of a block, `[36, tiles, 32]`, to outputs, adds the bias and puts them in their place.
pub(super) struct Gather<'a> {
    pub(super) products: &'a [f32],
    pub(super) grid: &'a Grid,
    pub(super) block: &'a Block,
    /// The panel's first channel.
    pub(super) first: usize,
    pub(super) bias: Option<&'a [f32]>,
    /// The block's images.
    pub(super) images: &'a mut [f32],
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, first, .. } = self;
        let zeros = vec![0.0; grid.channels];
        let bias = self.bias.unwrap_or(&zeros);
        let size = self.block.tiles() * WIDTH + GAP;
        let last = (first + WIDTH).min(grid.depth());
        for (number, (image, row, column)) in self.block.iter().enumerate() {
            let image = (image - self.block.images.start) * grid.len();
            let image = &mut self.images[image..][..grid.len()];
            let mut channel = first;
            while channel < last {
                // The pixels of a block have a bias each of the same channels, so that a vector ends where they do.
                let inner = channel % grid.channels;
                let end = (channel + S::F32_LANES.min(grid.channels - inner)).min(last);
                let mut tile = [[simd.splat_f32s(0.0); SIDE]; SIDE];
                for (point, value) in tile.as_flattened_mut().iter_mut().enumerate() {
                    let at = point * size + number * WIDTH + channel - first;
                    *value = load(simd, &self.products[at..at + end - channel]);
                }
                let tile = both(simd, tile, Output);
                let bias = load(simd, &bias[inner..inner + end - channel]);
                for (k, value) in tile.as_flattened().iter().enumerate() {
                    let (y, x) = (STEP * row + k / STEP, STEP * column + k % STEP);
                    if y < grid.height && x < grid.width {
                        let at = grid.place(y, x, channel);
                        let value = simd.add_f32s(*value, bias);
                        store(simd, &mut image[at..at + end - channel], value);
                    }
                }
                channel = end;
            }
        }
    }
}
