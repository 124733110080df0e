//! Convolutions whose step moves whole blocks of pixels by minimal filtering, F(4 x 4, 3 x 3) of Lavin and Gray, "Fast
//! Algorithms for Convolutional Neural Networks", CVPR 2016: 36 products give 16 outputs that would take 144.
//!
//! An output tile is `A' [(G g G') . (B' d B)] A` for a 3 x 3 filter `g` and a 6 x 6 input tile `d`. Summed over channels,
//! the product in the middle is a matrix product at each of the 36 points. The weight gradient is the adjoint in `g`:
//! `G' [(A y A') . (B' d B)] G` summed over tiles, for the 4 x 4 tile `y` of the output's gradient.
//!
//! A 4 x 4 kernel with stride 2 is one of 3 x 3 taps too, seen from the coarse grid: each of its pixels meets blocks of
//! 2 x 2 fine pixels, which are taken for one pixel with four times the channels ([`grid::Grid`], [`filters::Taps`]).

mod filters;
mod grid;
mod tiles;
mod transform;

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::lower::Geometry;
use super::parts::room_for;
use crate::kernel::{Matrix, WIDTH, filled, multiply_panel};
use filters::Taps;
use grid::{Block, Grid};
use tiles::{Gather, Spread};
use transform::{Input, OutputAdjoint, SIDE};

/// Points at which a tile is evaluated.
const POINTS: usize = SIDE * SIDE;
/// Least channels on either side: below, transforming costs more than the products it saves.
const CHANNELS: usize = 24;
/// Tiles that are transformed before they are multiplied: they stay in the second-level cache in between.
const TILES: usize = 32;
/// As [`TILES`], where there are more channels than these, in and out multiplied: the filters themselves weigh more then, and
/// each block reads them all.
const MANY_TILES: usize = 64;
const MANY_CHANNELS: usize = 128 * 256;
/// Numbers between the matrices of two points, lest all of them fall on the same lines of a cache.
const GAP: usize = 16;
/// Input channels of one sum of the weight gradient. With a panel of outputs it fills a third of a megabyte: together with
/// the tiles it stays in a second-level cache, which is worth transforming tiles once for each sum.
const GROUP: usize = 64;
/// As [`TILES`], for the weight gradient.
const GRADIENT_TILES: usize = 16;
/// Least sums that the weight gradient is spread over; fixed, so that it never depends on the number of threads.
const SUMS: usize = 8;

thread_local! {
    static SCRATCH: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Lends this thread two buffers of such sizes with arbitrary contents.
fn with_scratch(sizes: [usize; 2], run: impl FnOnce(&mut [f32], &mut [f32])) {
    SCRATCH.with_borrow_mut(|[a, b]| run(room_for(a, sizes[0]), room_for(b, sizes[1])));
}

/// Whether a convolution is of this kind, and large enough to gain.
pub(super) fn applies(geometry: &Geometry) -> bool {
    let suits = |channels: usize| channels >= CHANNELS;
    let Geometry { fine, coarse, .. } = geometry;
    let kind = match (geometry.kernel, geometry.stride) {
        (3, 1) => geometry.padding <= 2,
        (4, 2) => geometry.padding == 1 && fine[..2] == [2 * coarse[0], 2 * coarse[1]],
        _ => false,
    };
    kind && geometry.fine_len() > 0 && suits(fine[2]) && suits(coarse[2])
}

/// A convolution in the direction in which it is run.
pub(super) struct Winograd {
    input: Grid,
    output: Grid,
    padding: usize,
    taps: Taps,
}

impl Winograd {
    /// From fine images to coarse ones.
    pub(super) fn coarsening(geometry: &Geometry) -> Self {
        Self {
            input: Grid::new(geometry.fine, geometry.stride),
            output: Grid::new(geometry.coarse, 1),
            padding: geometry.padding,
            taps: Taps::of(geometry),
        }
    }

    /// From coarse images to fine ones: a convolution by the filters turned half around.
    pub(super) fn refining(geometry: &Geometry) -> Self {
        Self {
            input: Grid::new(geometry.coarse, 1),
            output: Grid::new(geometry.fine, geometry.stride),
            padding: 2 - geometry.padding,
            taps: Taps::of(geometry),
        }
    }

    /// The result of [`Winograd::coarsening`], `weight` in PyTorch's layout.
    pub(super) fn coarsen(&self, images: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        self.run(images, &self.taps.coarsening(weight), bias)
    }

    /// The result of [`Winograd::refining`].
    pub(super) fn refine(&self, images: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        self.run(images, &self.taps.refining(weight), bias)
    }

    fn run(&self, images: &[f32], filters: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let depth = self.input.depth();
        let panel = POINTS * depth * WIDTH;
        let count = images.len() / self.input.len();
        // Blocks of the same images, which one thread writes.
        let blocks = Block::all(&self.output, 0..count, self.block());
        let together = blocks.first().map_or(1, |block| block.images.len());
        let groups: Vec<&[Block]> = blocks.chunk_by(|a, b| a.images == b.images).collect();
        let size = self.output.len();
        filled(count * size, together * size, |group, out| {
            for block in groups[group] {
                let tiles = block.tiles();
                let (rows, columns) = (tiles * depth + GAP, tiles * WIDTH + GAP);
                with_scratch([POINTS * rows, POINTS * columns], |inputs, products| {
                    self.transform_input(images, block, 0..depth, inputs);
                    for (number, filters) in filters.chunks_exact(panel).enumerate() {
                        let points = products
                            .chunks_exact_mut(columns)
                            .zip(inputs.chunks_exact(rows))
                            .zip(filters.chunks_exact(depth * WIDTH));
                        for ((product, input), filter) in points {
                            let input = Matrix::new(&input[..tiles * depth], tiles, depth);
                            multiply_panel(product, WIDTH, input, filter, false);
                        }
                        pulp::Arch::new().dispatch(Gather {
                            products,
                            grid: &self.output,
                            block,
                            first: number * WIDTH,
                            bias,
                            images: out,
                        });
                    }
                });
            }
        })
    }

    /// Gradient of the weight, in its own layout.
    pub(super) fn weight_gradient(&self, inputs: &[f32], gradients: &[f32]) -> Vec<f32> {
        let images = inputs.len() / self.input.len();
        let (groups, panels) = (
            self.input.depth().div_ceil(GROUP),
            self.output.depth().div_ceil(WIDTH),
        );
        // Few channels are few sums: several of each then, over some of the images.
        let parts = (SUMS / (groups * panels)).clamp(1, images.max(1));
        let size = POINTS * GROUP * WIDTH;
        let mut sums = vec![0.0; parts * groups * panels * size];
        sums.par_chunks_exact_mut(size)
            .enumerate()
            .for_each(|(index, sum)| {
                let (part, group, panel) = (
                    index / panels / groups,
                    index / panels % groups,
                    index % panels,
                );
                let images = part * images / parts..(part + 1) * images / parts;
                self.add_products(inputs, gradients, images, [group, panel], sum);
            });
        let (total, rest) = sums.split_at_mut(groups * panels * size);
        for part in rest.chunks_exact(total.len()) {
            total
                .iter_mut()
                .zip(part)
                .for_each(|(total, part)| *total += part);
        }
        self.taps.gradient(total)
    }

    /// Adds the products of a group of input channels and a panel of output channels over some images to `sum`, `[36, group,
    /// 32]`.
    fn add_products(
        &self,
        inputs: &[f32],
        gradients: &[f32],
        images: Range<usize>,
        [group, panel]: [usize; 2],
        sum: &mut [f32],
    ) {
        let rows = group * GROUP..self.input.depth().min((group + 1) * GROUP);
        let columns = panel * WIDTH..self.output.depth().min((panel + 1) * WIDTH);
        for block in Block::all(&self.output, images, GRADIENT_TILES) {
            let tiles = block.tiles();
            let sizes = [rows.len(), WIDTH].map(|width| tiles * width + GAP);
            with_scratch(sizes.map(|size| POINTS * size), |left, right| {
                self.transform_input(inputs, &block, rows.clone(), left);
                pulp::Arch::new().dispatch(Spread {
                    transform: OutputAdjoint,
                    images: gradients,
                    grid: &self.output,
                    block: &block,
                    channels: columns.clone(),
                    width: WIDTH,
                    before: 0,
                    out: right,
                });
                let points = (left.chunks_exact(sizes[0])).zip(right.chunks_exact(sizes[1]));
                for (sum, (left, right)) in sum.chunks_exact_mut(GROUP * WIDTH).zip(points) {
                    let left = Matrix::new(&left[..tiles * rows.len()], tiles, rows.len());
                    let right = &right[..tiles * WIDTH];
                    multiply_panel(sum, WIDTH, left.transposed(), right, true);
                }
            });
        }
    }

    /// Tiles that are worked on at once.
    fn block(&self) -> usize {
        match self.input.depth() * self.output.depth() > MANY_CHANNELS {
            true => MANY_TILES,
            false => TILES,
        }
    }

    /// `B' d B` of a block's input tiles, `[36, tiles, channels]`.
    fn transform_input(
        &self,
        images: &[f32],
        block: &Block,
        channels: Range<usize>,
        out: &mut [f32],
    ) {
        pulp::Arch::new().dispatch(Spread {
            transform: Input,
            images,
            grid: &self.input,
            block,
            width: channels.len(),
            channels,
            before: self.padding,
            out,
        });
    }
}
