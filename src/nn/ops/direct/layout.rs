//! Images as long rows of pixels, in which a tap of a kernel is the same step from every pixel.

use std::ops::Range;

use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::super::lower::Geometry;
use crate::kernel::{BLOCK, Pair, vectorised};

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
    pub(super) pitch: usize,
    /// Rows from one image to the next.
    rows: usize,
    /// Pixels of the room before the first one.
    pub(super) lead: usize,
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

    /// Pixels of so many images, those in between among them, up to whole `blocks`.
    pub(super) fn pixels(&self, images: usize, blocks: usize) -> usize {
        (images * self.rows * self.pitch).next_multiple_of(blocks)
    }

    /// Pixels that there must be room for, so that every tap of all of them is inside.
    pub(super) fn room(&self, images: usize, blocks: usize) -> usize {
        self.pixels(images, blocks) + 2 * self.lead
    }

    /// Pixels from the start of the room to what `tap` links the first pixel to: forwards from coarse to fine, or backwards.
    pub(super) fn start(&self, tap: Tap, forwards: bool) -> usize {
        let step = tap.down * self.pitch as isize + tap.right;
        let step = if forwards { step } else { -step };
        self.lead.saturating_add_signed(step)
    }

    /// The number of an image's pixel, counted from the first one of all.
    pub(super) fn pixel(&self, image: usize, y: usize, x: usize) -> usize {
        (image * self.rows + y) * self.pitch + x
    }
}

/// A number as a room holds it.
pub(super) trait Held: Copy + Default + Send + Sync {
    /// Of an image's number.
    fn of(value: f32) -> Self;
}

impl Held for f32 {
    #[inline(always)]
    fn of(value: f32) -> Self {
        value
    }
}

impl Held for bf16 {
    /// To the nearest, halves to even, as [`bf16::from_f32`], in a form that compilers vectorise.
    #[inline(always)]
    fn of(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        // What is not a number stays so, whichever bits say it.
        Self::from_bits(if value.is_nan() {
            0x7fc0
        } else {
            rounded as u16
        })
    }
}

/// Images of one grid, cut into blocks of `block` x `block` pixels that lie in a [`Layout`] as one each.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) block: usize,
    /// Numbers of each pixel in the layout: its channels, and zeros.
    pub(super) padded: usize,
}

impl Grid {
    pub(super) fn new([height, width, channels]: [usize; 3], block: usize, unit: usize) -> Self {
        Self {
            height,
            width,
            channels,
            block,
            padded: channels.next_multiple_of(unit),
        }
    }

    /// Numbers of an image.
    pub(super) fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Rows of blocks.
    pub(super) fn rows(&self) -> usize {
        self.height.div_ceil(self.block)
    }

    /// Blocks of a row.
    pub(super) fn columns(&self) -> usize {
        self.width.div_ceil(self.block)
    }

    /// Numbers of a block.
    pub(super) fn depth(&self) -> usize {
        self.block * self.block * self.padded
    }

    /// Writes images into a layout's room, `[room, depth]`; what lies between them is left as it is.
    pub(super) fn lay<T: Held>(self, layout: Layout, images: &[f32], room: &mut [T]) {
        let room = &mut room[layout.lead * self.depth()..];
        // What follows each other in both: the pixels of a row, those of a block's row, or the channels of a pixel.
        let pixels = match (self.padded == self.channels, self.block) {
            (true, 1) => self.width,
            (true, block) => block,
            (false, _) => 1,
        };
        let rows = images.chunks_exact(self.width * self.channels).enumerate();
        vectorised(
            #[inline(always)]
            move || {
                for (number, row) in rows {
                    let (image, y) = (number / self.height, number % self.height);
                    let line = layout.pixel(image, y / self.block, 0) * self.depth();
                    let line = line + y % self.block * self.block * self.padded;
                    for (number, run) in row.chunks(pixels * self.channels).enumerate() {
                        let x = number * pixels;
                        let block = x / self.block * self.depth();
                        let start = line + block + x % self.block * self.padded;
                        for (out, value) in room[start..][..run.len()].iter_mut().zip(run) {
                            *out = T::of(*value);
                        }
                    }
                }
            },
        );
    }

    /// Puts a panel of sums, `[pixels, W]` of the pixels of a layout from `start` on, to the channels from `first` on of the
    /// pixels of `phase`, with their bias: those of the rows `rows` of blocks, of image after image.
    pub(super) fn gather<const W: usize>(
        self,
        layout: Layout,
        (panel, start): (&[f32], usize),
        (phase, first): (usize, usize),
        rows: Range<usize>,
        bias: Option<&[f32]>,
        images: &mut [f32],
    ) {
        let width = W.min(self.channels - first);
        let mut added = [0.0; W];
        if let Some(bias) = bias {
            added[..width].copy_from_slice(&bias[first..][..width]);
        }
        let (down, right) = (phase / self.block, phase % self.block);
        vectorised(
            #[inline(always)]
            move || {
                for (image, out) in images.chunks_exact_mut(self.len()).enumerate() {
                    for row in rows.clone() {
                        let y = row * self.block + down;
                        if y >= self.height {
                            break;
                        }
                        let line = layout.pixel(image, row, 0) - start;
                        let out = &mut out[y * self.width * self.channels..];
                        let out = &mut out[..self.width * self.channels];
                        let places = out.chunks_exact_mut(self.channels).skip(right);
                        let sums = panel[line * W..].chunks_exact(W);
                        for (out, sums) in places.step_by(self.block).zip(sums) {
                            let out = &mut out[first..][..width];
                            for (out, (sum, bias)) in out.iter_mut().zip(sums.iter().zip(&added)) {
                                *out = sum + bias;
                            }
                        }
                    }
                }
            },
        );
    }
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
