//! Images as long rows of pixels, in which a tap of a kernel is the same step from every pixel.

use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::super::lower::Geometry;
use super::super::parts::vectorised;
use crate::kernel::{BLOCK, Pair, padded};

/// One tap of a kernel: which pixel of which block of the fine grid a coarse pixel meets there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// Its number in the kernel, row after row.
    pub(super) number: usize,
    /// The pixel's number in its block of `stride` x `stride`, row after row.
    pub(super) phase: usize,
    /// Blocks below, and to the right of, the coarse pixel's own.
    down: isize,
    right: isize,
}

/// The taps of a convolution, row after row.
pub(super) fn taps(geometry: &Geometry) -> Vec<Tap> {
    let Geometry {
        kernel,
        stride,
        padding,
        ..
    } = *geometry;
    let (side, step) = (kernel as isize, stride as isize);
    let place = |tap: isize| {
        let at = tap - padding as isize;
        (at.div_euclid(step), at.rem_euclid(step) as usize)
    };
    let tap = |number: isize| {
        let ((down, y), (right, x)) = (place(number / side), place(number % side));
        Tap {
            number: number as usize,
            phase: y * stride + x,
            down,
            right,
        }
    };
    (0..side * side).map(tap).collect()
}

/// Where pixels lie: images one below the other, all rows one after the other, with room for a step of any tap between them. It is
/// the same for both grids of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Pixels from one row to the next.
    pitch: usize,
    /// Rows from one image to the next.
    rows: usize,
    /// Pixels before the first one.
    lead: usize,
}

impl Layout {
    /// For both grids of a convolution, of which the fine one is cut into blocks.
    pub(super) fn new(geometry: &Geometry, taps: &[Tap]) -> Self {
        let reach = taps.iter().map(|tap| tap.down.abs().max(tap.right.abs()));
        let border = reach.max().unwrap_or(0) as usize;
        let side = |axis: usize| {
            let blocks = geometry.fine[axis].div_ceil(geometry.stride);
            blocks.max(geometry.coarse[axis]) + border
        };
        let pitch = side(1);
        Self {
            pitch,
            rows: side(0),
            lead: border * (pitch + 1),
        }
    }

    /// Pixels of so many images, in whole blocks, those in between among them.
    pub(super) fn pixels(&self, images: usize) -> usize {
        padded(images * self.rows * self.pitch)
    }

    /// Pixels that there must be room for, so that every tap of all of them is inside.
    pub(super) fn room(&self, images: usize) -> usize {
        self.pixels(images) + 2 * self.lead
    }

    /// Pixels from the start of the room to what `tap` links the first pixel to: forwards from coarse to fine, or backwards.
    pub(super) fn start(&self, tap: Tap, forwards: bool) -> usize {
        let step = tap.down * self.pitch as isize + tap.right;
        let step = if forwards { step } else { -step };
        self.lead.saturating_add_signed(step)
    }

    /// Where in the room the first pixel is.
    pub(super) fn start_of_pixels(&self) -> usize {
        self.lead
    }

    /// The number of an image's pixel, counted from the first one of all.
    fn pixel(&self, image: usize, y: usize, x: usize) -> usize {
        (image * self.rows + y) * self.pitch + x
    }
}

/// Images of one grid, cut into blocks of `block` x `block` pixels that lie in a [`Layout`] as one each.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) block: usize,
}

impl Grid {
    pub(super) fn new([height, width, channels]: [usize; 3], block: usize) -> Self {
        Self {
            height,
            width,
            channels,
            block,
        }
    }

    /// Numbers of an image.
    pub(super) fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Numbers of a block: each of its pixels has its channels, up to whole [`BLOCK`]s.
    pub(super) fn depth(&self) -> usize {
        self.block * self.block * padded(self.channels)
    }

    /// Visits the pixels that have a place in their block: where in the images their channels are, and which pixel of the layout
    /// the block is, counted from the first.
    #[inline(always)]
    fn visit(
        &self,
        layout: Layout,
        images: usize,
        phase: usize,
        mut pixel: impl FnMut(usize, usize),
    ) {
        let (down, right) = (phase / self.block, phase % self.block);
        for image in 0..images {
            for (row, y) in (down..self.height).step_by(self.block).enumerate() {
                let start = (image * self.height + y) * self.width;
                let line = layout.pixel(image, row, 0);
                for (column, x) in (right..self.width).step_by(self.block).enumerate() {
                    pixel((start + x) * self.channels, line + column);
                }
            }
        }
    }

    /// Rounds images into a layout's room, `[room, depth]`; what lies between them is left as it is.
    pub(super) fn lay(&self, layout: Layout, images: &[f32], room: &mut [bf16]) {
        let (count, depth) = (images.len() / self.len(), self.depth());
        let room = room[layout.lead * depth..].reinterpret_cast_mut();
        for phase in 0..self.block * self.block {
            let first = phase * padded(self.channels);
            vectorised(
                #[inline(always)]
                || {
                    self.visit(layout, count, phase, |from, to| {
                        let pixel = &images[from..][..self.channels];
                        let out = &mut room[to * depth + first..][..self.channels];
                        for (out, value) in out.iter_mut().zip(pixel) {
                            *out = rounded(*value);
                        }
                    });
                },
            );
        }
    }

    /// Puts a panel of sums, `[pixels, 32]`, to the channels from `first` on of the pixels of `phase`, with their bias.
    pub(super) fn gather(
        &self,
        layout: Layout,
        panel: &[f32],
        (phase, first): (usize, usize),
        bias: Option<&[f32]>,
        images: &mut [f32],
    ) {
        let width = BLOCK.min(self.channels - first);
        let mut added = [0.0; BLOCK];
        if let Some(bias) = bias {
            added[..width].copy_from_slice(&bias[first..][..width]);
        }
        let count = images.len() / self.len();
        vectorised(
            #[inline(always)]
            || {
                self.visit(layout, count, phase, |to, from| {
                    let sums = panel[from * BLOCK..][..BLOCK].iter().zip(&added);
                    let out = &mut images[to + first..][..width];
                    for (out, (sum, bias)) in out.iter_mut().zip(sums) {
                        *out = sum + bias;
                    }
                });
            },
        );
    }
}

/// To the nearest, halves to even, as [`bf16::from_f32`], in a form that compilers vectorise.
#[inline(always)]
fn rounded(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    // What is not a number stays so, whichever bits say it.
    if value.is_nan() { 0x7fc0 } else { rounded as u16 }
}

/// `[pixels, depth]` to `[depth, stride]`, each line one number of all pixels.
pub(super) fn turn(pixels: &[bf16], depth: usize, lines: &mut [bf16], stride: usize) {
    /// Squares of so many pixels and numbers, whose both sides stay in the first-level cache.
    const SIDE: usize = 32;
    for (number, pixels) in pixels.chunks(SIDE * depth).enumerate() {
        for first in (0..depth).step_by(SIDE) {
            for (column, pixel) in pixels.chunks_exact(depth).enumerate() {
                let lines = lines[first * stride + number * SIDE + column..].iter_mut();
                for (out, value) in lines.step_by(stride).zip(&pixel[first..][..SIDE]) {
                    *out = *value;
                }
            }
        }
    }
}

/// Each two of `[pixels, depth]` side by side, in panels of [`BLOCK`] columns: `[panels, pixels / 2, 32]`.
pub(super) fn pair(pixels: &[bf16], depth: usize, panels: &mut [Pair]) {
    let pixels = pixels.reinterpret_cast();
    let size = pixels.len() / depth / 2 * BLOCK;
    vectorised(
        #[inline(always)]
        || {
            for (number, panel) in panels.chunks_exact_mut(size).enumerate() {
                let twos = pixels.chunks_exact(2 * depth);
                for (two, out) in twos.zip(panel.chunks_exact_mut(BLOCK)) {
                    let (upper, lower) = two.split_at(depth);
                    let first = number * BLOCK;
                    let halves = upper[first..].iter().zip(&lower[first..]);
                    for (out, (upper, lower)) in out.iter_mut().zip(halves) {
                        *out = Pair::from(*upper) | Pair::from(*lower) << 16;
                    }
                }
            }
        },
    );
}
