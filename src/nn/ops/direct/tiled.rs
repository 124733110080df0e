//! Products of numbers rounded to bf16, with sums in f32. Tile registers multiply so fast that minimal filtering, for whose
//! transforms bf16 is too coarse, has nothing to save.

use std::cell::RefCell;

use half::bf16;
use rayon::prelude::*;

use super::super::lower::Geometry;
use super::super::parts::{room_for, sum_over_images};
use super::layout::{Grid, Tap, pair, turn};
use super::{Link, cleared};
use crate::kernel::{BLOCK, Gathered, Pair, filled, multiply_tiles, padded};

/// Least channels on either side: below, rounding and padding cost more than the products they save.
const CHANNELS: usize = 16;

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

/// Whether a convolution is large enough to gain.
pub(in crate::nn::ops) fn applies(geometry: &Geometry) -> bool {
    super::applies(geometry) && geometry.fine[2].min(geometry.coarse[2]) >= CHANNELS
}

/// Fine images to coarse ones; `weight` in PyTorch's layout.
pub(in crate::nn::ops) fn coarsen(
    geometry: &Geometry,
    fine: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry, BLOCK);
    let sides = [geometry.fine[2], geometry.coarse[2]];
    let filters = Filters::new(&link.taps, sides, |tap, i, o| weight[link.place(tap, i, o)]);
    let starts = starts(&link, &link.taps, link.fine, true);
    let grids = [link.fine, link.coarse];
    convolve(&link, grids, fine, &[(0, starts, filters)], bias, batch)
}

/// Coarse images to fine ones.
pub(in crate::nn::ops) fn refine(
    geometry: &Geometry,
    coarse: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry, BLOCK);
    let sides = [geometry.coarse[2], geometry.fine[2]];
    // Each pixel of a block has taps of its own.
    let phases = (0..geometry.stride * geometry.stride).map(|phase| {
        let taps = link.taps_of(phase);
        let filters = Filters::new(&taps, sides, |tap, i, o| weight[link.place(tap, o, i)]);
        (phase, starts(&link, &taps, link.coarse, false), filters)
    });
    let phases: Vec<_> = phases.collect();
    let grids = [link.coarse, link.fine];
    convolve(&link, grids, coarse, &phases, bias, batch)
}

/// Weight gradient in PyTorch's layout, from both sides of the convolution.
pub(in crate::nn::ops) fn correlate(geometry: &Geometry, fine: &[f32], coarse: &[f32]) -> Vec<f32> {
    let link = Link::new(geometry, BLOCK);
    let sides = [link.fine.padded, link.coarse.padded];
    let size = link.taps.len() * sides[0] * sides[1];
    let lens = [link.fine.len(), link.coarse.len()];
    let images = [fine, coarse];
    let sums = sum_over_images(images, lens, link.together(), size, |fine, coarse, sums| {
        SCRATCH.with_borrow_mut(|scratch| add_products(&link, fine, coarse, scratch, sums));
    });
    link.gradient(&link.taps, &sums, sides)
}

/// Where the blocks of a product's depth start in the images `from`: all channels of each of `taps`.
fn starts(link: &Link, taps: &[Tap], from: Grid, forwards: bool) -> Vec<usize> {
    let start = |tap: &Tap| {
        let start = link.start(*tap, from, forwards);
        (0..from.padded)
            .step_by(BLOCK)
            .map(move |channel| start + channel)
    };
    taps.iter().flat_map(start).collect()
}

/// Images of one grid to those of the other: the filters of each phase, and where their depth starts.
fn convolve(
    link: &Link,
    [from, to]: [Grid; 2],
    images: &[f32],
    phases: &[(usize, Vec<usize>, Filters)],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let (together, layout) = (link.together(), link.layout);
    filled(batch * to.len(), together * to.len(), |group, out| {
        let count = out.len() / to.len();
        let images = &images[group * together * from.len()..][..count * from.len()];
        let rows = layout.pixels(count, BLOCK);
        SCRATCH.with_borrow_mut(|scratch| {
            let room = layout.room(count, BLOCK) * from.depth();
            let laid = cleared(&mut scratch.images, room);
            from.lay(layout, images, laid);
            let sums = room_for(&mut scratch.sums, rows * BLOCK);
            for (phase, starts, filters) in phases {
                let left = Gathered {
                    data: laid,
                    stride: from.depth(),
                    starts,
                };
                for (number, panel) in filters.panels().enumerate() {
                    multiply_tiles(sums, BLOCK, rows, left, panel, false);
                    let place = (*phase, number * BLOCK);
                    to.gather::<BLOCK>(layout, (sums, 0), place, 0..to.rows(), bias, out);
                }
            }
        });
    })
}

/// Adds the products of each tap to `sums`, `[taps, fine channels, coarse channels]`, both padded.
fn add_products(
    link: &Link,
    fine: &[f32],
    coarse: &[f32],
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    let (down, across) = (link.fine.padded, link.coarse.padded);
    let (together, layout, deep) = (link.together(), link.layout, link.fine.depth());
    let images = fine
        .chunks(together * link.fine.len())
        .zip(coarse.chunks(together * link.coarse.len()));
    for (fine, coarse) in images {
        let count = fine.len() / link.fine.len();
        let (pixels, room) = (layout.pixels(count, BLOCK), layout.room(count, BLOCK));
        let laid = cleared(&mut scratch.images, room * deep);
        link.fine.lay(layout, fine, laid);
        // Lines that do not fall on few sets of a cache.
        let line = padded(room) + BLOCK;
        let lines = room_for(&mut scratch.lines, deep * line);
        turn(laid, deep, lines, line);
        let laid = cleared(&mut scratch.gradients, room * across);
        link.coarse.lay(layout, coarse, laid);
        let pairs = room_for(&mut scratch.pairs, pixels / 2 * across);
        let laid = &laid[layout.lead * across..][..pixels * across];
        pair(laid, across, pairs);
        for (number, panel) in pairs.chunks_exact(pixels / 2 * BLOCK).enumerate() {
            for (tap, sums) in link.taps.iter().zip(sums.chunks_exact_mut(down * across)) {
                let first = tap.phase * down * line + layout.start(*tap, true);
                let starts: Vec<usize> = (0..pixels).step_by(BLOCK).map(|at| first + at).collect();
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
                            *pair =
                                bits(tap, 2 * two, output) | bits(tap, 2 * two + 1, output) << 16;
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

#[cfg(test)]
mod tests {
    use super::super::super::products::Products;
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
