//! The three products behind a convolution, of numbers rounded to bf16, with sums in f32. They follow the definition: tile registers
//! multiply so fast that minimal filtering, for whose transforms bf16 is too coarse, has nothing to save.
//!
//! Images lie in long rows of pixels ([`layout`]), in which every tap of a kernel is a fixed step, so that windows need not be copied
//! out: tiles are loaded from the images themselves.

mod layout;

use std::cell::RefCell;

use half::bf16;
use rayon::prelude::*;

use super::lower::Geometry;
use super::parts::add_in_order;
use crate::kernel::{BLOCK, Gathered, Pair, filled, multiply_tiles, padded};
use layout::{Grid, Layout, Tap, pair, taps, turn};

/// Pixels that are worked on at once, at least: small images are taken together.
const PIXELS: usize = 1 << 10;
/// Least channels on either side: below, rounding and padding cost more than the products they save.
const CHANNELS: usize = 16;
/// Images whose weight gradients are summed by one thread; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What one thread works in.
#[derive(Default)]
struct Scratch {
    /// Images in their layout.
    images: Vec<bf16>,
    /// The gradients of others.
    gradients: Vec<bf16>,
    lines: Vec<bf16>,
    pairs: Vec<Pair>,
    sums: Vec<f32>,
}

/// Whether a convolution is of a kind that is handled here, and large enough to gain.
pub(super) fn applies(geometry: &Geometry) -> bool {
    let Geometry {
        stride,
        fine,
        coarse,
        ..
    } = geometry;
    let blocks = *stride == 1 || (0..2).all(|axis| fine[axis] == stride * coarse[axis]);
    blocks
        && geometry.padding < geometry.kernel
        && fine[2].min(coarse[2]) >= CHANNELS
        && geometry.fine_len() > 0
        && geometry.coarse_len() > 0
}

/// Fine images to coarse ones; `weight` in PyTorch's layout.
pub(super) fn coarsen(
    geometry: &Geometry,
    fine: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry);
    let (inputs, number) = (geometry.fine[2], geometry.kernel * geometry.kernel);
    let filters = Filters::new(&link.taps, [inputs, geometry.coarse[2]], |tap, i, o| {
        weight[(o * inputs + i) * number + tap]
    });
    let starts = link.starts(&link.taps, link.fine, true);
    link.run(
        [link.fine, link.coarse],
        fine,
        &[(0, starts, filters)],
        bias,
        batch,
    )
}

/// Coarse images to fine ones.
pub(super) fn refine(
    geometry: &Geometry,
    coarse: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry);
    let (inputs, outputs) = (geometry.coarse[2], geometry.fine[2]);
    let number = geometry.kernel * geometry.kernel;
    // Each pixel of a block has taps of its own.
    let phases = (0..geometry.stride * geometry.stride).map(|phase| {
        let taps = link.taps.iter().copied().filter(|tap| tap.phase == phase);
        let taps: Vec<Tap> = taps.collect();
        let filters = Filters::new(&taps, [inputs, outputs], |tap, i, o| {
            weight[(i * outputs + o) * number + tap]
        });
        (phase, link.starts(&taps, link.coarse, false), filters)
    });
    let phases: Vec<_> = phases.collect();
    link.run([link.coarse, link.fine], coarse, &phases, bias, batch)
}

/// Weight gradient in PyTorch's layout, from both sides of the convolution.
pub(super) fn correlate(geometry: &Geometry, fine: &[f32], coarse: &[f32]) -> Vec<f32> {
    let link = Link::new(geometry);
    let [inputs, outputs] = [geometry.fine[2], geometry.coarse[2]];
    let (down, across) = (padded(inputs), padded(outputs));
    let size = link.taps.len() * down * across;
    let images = IMAGES.max(link.together());
    let parts: Vec<Vec<f32>> = fine
        .par_chunks(images * link.fine.len())
        .zip(coarse.par_chunks(images * link.coarse.len()))
        .map(|(fine, coarse)| {
            let mut sums = vec![0.0; size];
            SCRATCH.with_borrow_mut(|scratch| link.correlate(fine, coarse, scratch, &mut sums));
            sums
        })
        .collect();
    let sums = add_in_order(parts, size);
    let taps = link.taps.len();
    let place = |at: usize| {
        let (output, input, tap) = (at / taps / inputs, at / taps % inputs, at % taps);
        (tap * down + input) * across + output
    };
    (0..outputs * inputs * taps).map(|at| sums[place(at)]).collect()
}

/// What links the two grids of a convolution.
struct Link {
    taps: Vec<Tap>,
    layout: Layout,
    fine: Grid,
    coarse: Grid,
}

impl Link {
    fn new(geometry: &Geometry) -> Self {
        let taps = taps(geometry);
        Self {
            layout: Layout::new(geometry, &taps),
            fine: Grid::new(geometry.fine, geometry.stride),
            coarse: Grid::new(geometry.coarse, 1),
            taps,
        }
    }

    /// Images that are worked on at once.
    fn together(&self) -> usize {
        (PIXELS / self.layout.pixels(1)).max(1)
    }

    /// Where the blocks of a product's depth start in the images `from`: all channels of each of `taps`.
    fn starts(&self, taps: &[Tap], from: Grid, forwards: bool) -> Vec<usize> {
        let channels = padded(from.channels);
        let start = |tap: &Tap| {
            let pixel = self.layout.start(*tap, forwards) * from.depth();
            // Only the fine grid has blocks of more than one pixel.
            let phase = if forwards { tap.phase * channels } else { 0 };
            (0..channels).step_by(BLOCK).map(move |channel| pixel + phase + channel)
        };
        taps.iter().flat_map(start).collect()
    }

    /// Images of one grid to those of the other: the filters of each phase, and where their depth starts.
    fn run(
        &self,
        [from, to]: [Grid; 2],
        images: &[f32],
        phases: &[(usize, Vec<usize>, Filters)],
        bias: Option<&[f32]>,
        batch: usize,
    ) -> Vec<f32> {
        let together = self.together();
        filled(batch * to.len(), together * to.len(), |group, out| {
            let count = out.len() / to.len();
            let images = &images[group * together * from.len()..][..count * from.len()];
            let rows = self.layout.pixels(count);
            SCRATCH.with_borrow_mut(|scratch| {
                let room = self.layout.room(count) * from.depth();
                let laid = cleared(&mut scratch.images, room);
                from.lay(self.layout, images, laid);
                let sums = room_for(&mut scratch.sums, rows * BLOCK);
                for (phase, starts, filters) in phases {
                    let left = Gathered {
                        data: laid,
                        stride: from.depth(),
                        starts,
                    };
                    for (number, panel) in filters.panels().enumerate() {
                        multiply_tiles(sums, BLOCK, rows, left, panel, false);
                        to.gather(self.layout, sums, (*phase, number * BLOCK), bias, out);
                    }
                }
            });
        })
    }

    /// Adds the products of each tap to `sums`, `[taps, fine channels, coarse channels]`, both padded.
    fn correlate(&self, fine: &[f32], coarse: &[f32], scratch: &mut Scratch, sums: &mut [f32]) {
        let (down, across) = (padded(self.fine.channels), padded(self.coarse.channels));
        let together = self.together();
        let (deep, layout) = (self.fine.depth(), self.layout);
        let images = fine
            .chunks(together * self.fine.len())
            .zip(coarse.chunks(together * self.coarse.len()));
        for (fine, coarse) in images {
            let count = fine.len() / self.fine.len();
            let pixels = layout.pixels(count);
            let laid = cleared(&mut scratch.images, layout.room(count) * deep);
            self.fine.lay(layout, fine, laid);
            // Lines that do not fall on few sets of a cache.
            let line = padded(layout.room(count)) + BLOCK;
            let lines = room_for(&mut scratch.lines, deep * line);
            turn(laid, deep, lines, line);
            let laid = cleared(&mut scratch.gradients, layout.room(count) * across);
            self.coarse.lay(layout, coarse, laid);
            let pairs = room_for(&mut scratch.pairs, pixels / 2 * across);
            let laid = &laid[layout.start_of_pixels() * across..][..pixels * across];
            pair(laid, across, pairs);
            for (number, panel) in pairs.chunks_exact(pixels / 2 * BLOCK).enumerate() {
                for (tap, sums) in self.taps.iter().zip(sums.chunks_exact_mut(down * across)) {
                    let first = tap.phase * down * line + layout.start(*tap, true);
                    let starts: Vec<usize> =
                        (0..pixels).step_by(BLOCK).map(|at| first + at).collect();
                    let left = Gathered {
                        data: lines,
                        stride: line,
                        starts: &starts,
                    };
                    let sums = &mut sums[number * BLOCK..];
                    multiply_tiles(sums, across, down, left, panel, true);
                }
            }
        }
    }
}

/// The right sides of products, in panels of [`BLOCK`] outputs, each `[taps * padded inputs / 2, 32]` pairs.
struct Filters {
    pairs: Vec<Pair>,
    panels: usize,
}

impl Filters {
    /// From the weight of a tap between an input and an output.
    fn new(
        taps: &[Tap],
        [inputs, outputs]: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let depth = padded(inputs);
        let (size, panels) = (taps.len() * depth / 2 * BLOCK, padded(outputs) / BLOCK);
        let mut pairs = vec![0; panels * size];
        let bits = |tap: &Tap, input: usize, output: usize| match input < inputs {
            true => Pair::from(bf16::from_f32(weight(tap.number, input, output)).to_bits()),
            false => 0,
        };
        pairs
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(number, panel)| {
                for (tap, panel) in taps.iter().zip(panel.chunks_exact_mut(depth / 2 * BLOCK)) {
                    for (two, line) in panel.chunks_exact_mut(BLOCK).enumerate() {
                        for (output, pair) in (number * BLOCK..outputs).zip(line) {
                            *pair = bits(tap, 2 * two, output) | bits(tap, 2 * two + 1, output) << 16;
                        }
                    }
                }
            });
        Self { pairs, panels }
    }

    fn panels(&self) -> impl Iterator<Item = &[Pair]> {
        let size = self.pairs.len() / self.panels;
        (0..self.panels).map(move |number| &self.pairs[number * size..][..size])
    }
}

/// The first `len` numbers of a buffer that grows as needed, as they are.
fn room_for<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

/// As [`room_for`], all zeros: what lies between images must not be anything else.
fn cleared(buffer: &mut Vec<bf16>, len: usize) -> &mut [bf16] {
    let room = room_for(buffer, len);
    room.fill(bf16::ZERO);
    room
}

#[cfg(test)]
mod tests {
    use super::super::products::Products;
    use super::*;
    use crate::nn::Precision;

    fn numbers(len: usize, pace: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * pace).sin()).collect()
    }

    /// Against the products in f32 of the same numbers rounded first: what is left is the order of the sums.
    #[test]
    fn agrees_with_the_products_in_f32_of_rounded_numbers() {
        for (kernel, stride, padding, [height, width], [fine, coarse]) in [
            (3, 1, 1, [32, 32], [16, 40]),
            (3, 1, 0, [7, 9], [33, 17]),
            (5, 1, 2, [6, 5], [20, 64]),
            (2, 1, 1, [4, 4], [16, 16]),
            (1, 1, 0, [8, 8], [64, 70]),
            (4, 2, 1, [16, 12], [24, 32]),
            (3, 2, 1, [8, 6], [32, 24]),
            (1, 2, 0, [8, 8], [16, 24]),
            (7, 3, 3, [9, 12], [16, 16]),
        ] {
            let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
            let geometry = Geometry {
                kernel,
                stride,
                padding,
                fine: [height, width, fine],
                coarse: [side(height), side(width), coarse],
            };
            assert!(applies(&geometry), "{geometry:?}");
            let batch = 11;
            let exact = Products::of(&geometry, Precision::F32);
            let tiled = Products::of(&geometry, Precision::Bf16);
            let round = |values: Vec<f32>| -> Vec<f32> {
                values.iter().map(|v| bf16::from_f32(*v).to_f32()).collect()
            };
            let x = round(numbers(batch * geometry.fine_len(), 0.37));
            let y = round(numbers(batch * geometry.coarse_len(), 0.61));
            let weight = round(numbers(coarse * geometry.window(), 0.23));
            let bias = numbers(fine.max(coarse), 1.3);
            let agree = |what: &str, exact: Vec<f32>, tiled: Vec<f32>| {
                let largest = exact.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                assert_eq!(exact.len(), tiled.len());
                for (at, (exact, tiled)) in exact.iter().zip(&tiled).enumerate() {
                    let error = (exact - tiled).abs() / largest;
                    assert!(error < 1e-4, "{what} {geometry:?} at {at}: {exact} {tiled}");
                }
            };
            for bias in [None, Some(&bias)] {
                let far = bias.map(|bias| &bias[..coarse]);
                let near = bias.map(|bias| &bias[..fine]);
                agree(
                    "coarsen",
                    (exact.coarsen)(&geometry, &x, &weight, far, batch),
                    (tiled.coarsen)(&geometry, &x, &weight, far, batch),
                );
                agree(
                    "refine",
                    (exact.refine)(&geometry, &y, &weight, near, batch),
                    (tiled.refine)(&geometry, &y, &weight, near, batch),
                );
            }
            agree(
                "correlate",
                (exact.correlate)(&geometry, &x, &y),
                (tiled.correlate)(&geometry, &x, &y),
            );
        }
    }
}
