//! 3 x 3 convolution with stride 1 by minimal filtering, F(2 x 2, 3 x 3) of Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks", CVPR 2016: 16 products give four outputs that would take 36.
//!
//! An output tile is `A' [(G g G') . (B' d B)] A` for a 3 x 3 filter `g` and a 4 x 4 input tile `d`. Summed over channels,
//! the product in the middle is a matrix product at each of the 16 points. The weight gradient is the adjoint in `g`:
//! `G' [(A y A') . (B' d B)] G` summed over tiles, for the 2 x 2 tile `y` of the output's gradient. The constants are 0, 1
//! and 1/2, so that next to no digits are lost.

mod transform;

use std::array::from_fn;
use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::lower::Geometry;
use super::parts::{add_in_order, vectorised};
use crate::kernel::{Matrix, matmul};
use transform::{
    LANES, Lanes, both, filter, filter_adjoint, input, output, output_adjoint, read, sum,
};

/// Points at which a tile is evaluated.
const POINTS: usize = 16;
/// Least channels on either side: below, transforming costs more than the products it saves.
const CHANNELS: usize = 32;
/// Tiles that are transformed before they are multiplied: they stay in the second-level cache in between. Small images are
/// taken together up to this, or each would read all filters for a handful of tiles.
const BLOCK: usize = 64;
/// Numbers between the matrices of two points, lest all of them fall on the same lines of a cache.
const GAP: usize = 16;
/// Images whose weight gradients are summed by one thread; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 8;
/// As [`IMAGES`], where there are more channels than these, in and out multiplied: the sums themselves weigh more then.
const MANY_IMAGES: usize = 32;
const MANY_CHANNELS: usize = 128 * 128;

thread_local! {
    static SCRATCH: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Lends this thread two blocks of tiles, of so many numbers at each point, with arbitrary contents.
fn with_scratch(sizes: [usize; 2], run: impl FnOnce(&mut [f32], &mut [f32])) {
    SCRATCH.with_borrow_mut(|blocks| {
        let [a, b] = blocks;
        let sizes = sizes.map(|size| POINTS * (size + GAP));
        for (block, size) in [(&mut *a, sizes[0]), (&mut *b, sizes[1])] {
            if block.len() < size {
                block.resize(size, 0.0);
            }
        }
        run(&mut a[..sizes[0]], &mut b[..sizes[1]]);
    });
}

/// Whether a convolution is of this kind, and large enough to gain.
pub(super) fn applies(geometry: &Geometry) -> bool {
    let suits = |channels: usize| channels >= CHANNELS && channels.is_multiple_of(LANES);
    geometry.kernel == 3
        && geometry.stride == 1
        && geometry.padding <= 2
        && geometry.fine_len() > 0
        && suits(geometry.fine[2])
        && suits(geometry.coarse[2])
}

/// A convolution in the direction in which it is run.
pub(super) struct Winograd {
    /// Height, width, channels.
    input: [usize; 3],
    output: [usize; 3],
    padding: usize,
}

impl Winograd {
    /// From fine images to coarse ones.
    pub(super) fn coarsening(geometry: &Geometry) -> Self {
        Self {
            input: geometry.fine,
            output: geometry.coarse,
            padding: geometry.padding,
        }
    }

    /// From coarse images to fine ones: with stride 1 that is a convolution too.
    pub(super) fn refining(geometry: &Geometry) -> Self {
        Self {
            input: geometry.coarse,
            output: geometry.fine,
            padding: 2 - geometry.padding,
        }
    }

    /// Filters at each point, `[16, input channels, output channels]`; `tap(i, o, k)` is tap `k` of 9 from input channel
    /// `i` to output channel `o`.
    pub(super) fn filters(&self, tap: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
        let (ci, co) = (self.input[2], self.output[2]);
        let mut filters = vec![0.0; POINTS * ci * co];
        let mut points = Points::of(&mut filters);
        for i in 0..ci {
            for o in 0..co {
                let taps = from_fn(|row| from_fn(|column| tap(i, o, row * 3 + column)));
                let tile = both(taps, filter);
                for (matrix, value) in points.0.iter_mut().zip(tile.as_flattened()) {
                    matrix[i * co + o] = *value;
                }
            }
        }
        filters
    }

    /// Convolves each of `images` with `filters`.
    pub(super) fn run(
        &self,
        images: &[f32],
        filters: &[f32],
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let (ci, co) = (self.input[2], self.output[2]);
        let [input_len, output_len] = self.image_lens();
        let together = self.images_within(BLOCK);
        out.par_chunks_mut(together * output_len)
            .zip(images.par_chunks(together * input_len))
            .for_each(|(out, images)| {
                let count = images.len() / input_len;
                for rows in self.blocks() {
                    let tiles = count * rows.len() * self.tiles()[1];
                    with_scratch([tiles * ci, tiles * co], |inputs, products| {
                        vectorised(
                            #[inline(always)]
                            || self.transform_input(images, rows.clone(), inputs),
                        );
                        let points = products
                            .chunks_exact_mut(tiles * co + GAP)
                            .zip(inputs.chunks_exact(tiles * ci + GAP))
                            .zip(filters.chunks_exact(ci * co));
                        for ((product, input), filter) in points {
                            let input = Matrix::new(&input[..tiles * ci], tiles, ci);
                            let filter = Matrix::new(filter, ci, co);
                            matmul(&mut product[..tiles * co], input, filter, false);
                        }
                        vectorised(
                            #[inline(always)]
                            || self.transform_output(products, rows, bias, out),
                        );
                    });
                }
            });
    }

    /// Gradient of the weight, `[output channels, input channels, 3, 3]`.
    pub(super) fn weight_gradient(&self, inputs: &[f32], gradients: &[f32]) -> Vec<f32> {
        let (ci, co) = (self.input[2], self.output[2]);
        let [input_len, output_len] = self.image_lens();
        let images = match ci * co > MANY_CHANNELS {
            true => MANY_IMAGES,
            false => IMAGES,
        };
        let together = self.images_within(2 * BLOCK).min(images);
        let parts = inputs
            .par_chunks(images * input_len)
            .zip(gradients.par_chunks(images * output_len))
            .map(|(inputs, gradients)| {
                let mut sum = vec![0.0; POINTS * ci * co];
                let images = inputs
                    .chunks(together * input_len)
                    .zip(gradients.chunks(together * output_len));
                for (inputs, gradients) in images {
                    self.add_products(inputs, gradients, &mut sum);
                }
                sum
            })
            .collect();
        let mut sums = add_in_order(parts, POINTS * ci * co);
        let points = Points::of(&mut sums);
        let mut weight = Vec::with_capacity(co * ci * 9);
        for o in 0..co {
            for i in 0..ci {
                let tile = from_fn(|row| from_fn(|column| points.0[row * 4 + column][i * co + o]));
                weight.extend_from_slice(both(tile, filter_adjoint).as_flattened());
            }
        }
        weight
    }

    /// Adds the products behind the weight gradient of some images to `sum`, `[16, input channels, output channels]`.
    fn add_products(&self, images: &[f32], gradients: &[f32], sum: &mut [f32]) {
        let (ci, co) = (self.input[2], self.output[2]);
        let count = images.len() / self.image_lens()[0];
        for rows in self.blocks() {
            let tiles = count * rows.len() * self.tiles()[1];
            with_scratch([tiles * ci, tiles * co], |inputs, outputs| {
                vectorised(
                    #[inline(always)]
                    || self.transform_input(images, rows.clone(), inputs),
                );
                vectorised(
                    #[inline(always)]
                    || self.transform_gradient(gradients, rows, outputs),
                );
                let points = inputs
                    .chunks_exact(tiles * ci + GAP)
                    .zip(outputs.chunks_exact(tiles * co + GAP));
                for (sum, (input, output)) in sum.chunks_exact_mut(ci * co).zip(points) {
                    let input = Matrix::new(&input[..tiles * ci], tiles, ci).transposed();
                    matmul(
                        sum,
                        input,
                        Matrix::new(&output[..tiles * co], tiles, co),
                        true,
                    );
                }
            });
        }
    }

    /// Tiles of an image: down and across.
    fn tiles(&self) -> [usize; 2] {
        [self.output[0].div_ceil(2), self.output[1].div_ceil(2)]
    }

    /// Numbers in an image of the input and of the output.
    fn image_lens(&self) -> [usize; 2] {
        [self.input, self.output].map(|grid| grid.iter().product())
    }

    /// How many images have about so many `tiles` together, at least one.
    fn images_within(&self, tiles: usize) -> usize {
        (tiles / self.tiles().iter().product::<usize>().max(1)).max(1)
    }

    /// Runs of rows of tiles that are worked on at once.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let [down, across] = self.tiles();
        let step = (BLOCK / across.max(1)).max(1);
        (0..down)
            .step_by(step)
            .map(move |row| row..(row + step).min(down))
    }

    /// `B' d B` of the input tiles of some rows of tiles of each image, `[16, tiles, channels]`.
    #[inline(always)]
    fn transform_input(&self, images: &[f32], rows: Range<usize>, out: &mut [f32]) {
        let channels = self.input[2];
        let zeros = vec![0.0; channels];
        let mut points = Points::of(out);
        for image in images.chunks_exact(self.image_lens()[0]) {
            for y in rows.clone() {
                for x in 0..self.tiles()[1] {
                    let mut tile = [[&zeros[..]; 4]; 4];
                    for (k, pixel) in tile.as_flattened_mut().iter_mut().enumerate() {
                        let y = (2 * y + k / 4).wrapping_sub(self.padding);
                        let x = (2 * x + k % 4).wrapping_sub(self.padding);
                        if let Some(inside) = pixel_at(image, self.input, y, x) {
                            *pixel = inside;
                        }
                    }
                    points.put(
                        channels,
                        #[inline(always)]
                        |lanes| both(read_tile(&tile, lanes), input),
                    );
                }
            }
        }
    }

    /// `A y A'` of the output tiles of some rows of tiles of each image, `[16, tiles, channels]`.
    #[inline(always)]
    fn transform_gradient(&self, images: &[f32], rows: Range<usize>, out: &mut [f32]) {
        let channels = self.output[2];
        let zeros = vec![0.0; channels];
        let mut points = Points::of(out);
        for image in images.chunks_exact(self.image_lens()[1]) {
            for y in rows.clone() {
                for x in 0..self.tiles()[1] {
                    let mut tile = [[&zeros[..]; 2]; 2];
                    for (k, pixel) in tile.as_flattened_mut().iter_mut().enumerate() {
                        let (y, x) = (2 * y + k / 2, 2 * x + k % 2);
                        if let Some(inside) = pixel_at(image, self.output, y, x) {
                            *pixel = inside;
                        }
                    }
                    points.put(
                        channels,
                        #[inline(always)]
                        |lanes| both(read_tile(&tile, lanes), output_adjoint),
                    );
                }
            }
        }
    }

    /// `A' m A` of the products of some rows of tiles of each image, plus the bias, to their place.
    #[inline(always)]
    fn transform_output(
        &self,
        products: &[f32],
        rows: Range<usize>,
        bias: Option<&[f32]>,
        images: &mut [f32],
    ) {
        let [height, width, channels] = self.output;
        let zeros = vec![0.0; channels];
        let bias = bias.unwrap_or(&zeros);
        let across = self.tiles()[1];
        let size = products.len() / POINTS;
        for (number, image) in images
            .chunks_exact_mut(height * width * channels)
            .enumerate()
        {
            for (index, y) in rows.clone().enumerate() {
                for x in 0..across {
                    let start = ((number * rows.len() + index) * across + x) * channels;
                    let mut tile = [[&zeros[..]; 4]; 4];
                    for (k, pixel) in tile.as_flattened_mut().iter_mut().enumerate() {
                        *pixel = &products[k * size + start..][..channels];
                    }
                    for lanes in 0..channels / LANES {
                        let tile = both(read_tile(&tile, lanes), output);
                        let bias = read(bias, lanes);
                        for (k, value) in tile.as_flattened().iter().enumerate() {
                            let (y, x) = (2 * y + k / 2, 2 * x + k % 2);
                            if y < height && x < width {
                                let at = (y * width + x) * channels + lanes * LANES;
                                image[at..at + LANES].copy_from_slice(&sum(*value, bias));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Some channels of the pixels of a tile.
#[inline(always)]
fn read_tile<const N: usize>(tile: &[[&[f32]; N]; N], lanes: usize) -> [[Lanes; N]; N] {
    let mut values = [[[0.0; LANES]; N]; N];
    for (values, pixels) in values.iter_mut().zip(tile) {
        for (value, pixel) in values.iter_mut().zip(pixels) {
            *value = read(pixel, lanes);
        }
    }
    values
}

/// A pixel inside an image.
#[inline(always)]
fn pixel_at(
    image: &[f32],
    [height, width, channels]: [usize; 3],
    y: usize,
    x: usize,
) -> Option<&[f32]> {
    (y < height && x < width).then(|| &image[(y * width + x) * channels..][..channels])
}

/// The matrices of the 16 points, one after the other in memory.
struct Points<'a>([&'a mut [f32]; POINTS]);

impl<'a> Points<'a> {
    fn of(all: &'a mut [f32]) -> Self {
        let mut matrices = all.chunks_exact_mut((all.len() / POINTS).max(1));
        Self(from_fn(|_| matrices.next().unwrap_or_default()))
    }

    /// Fills the next row of each matrix, some channels at a time.
    #[inline(always)]
    fn put(&mut self, channels: usize, values: impl Fn(usize) -> [[Lanes; 4]; 4]) {
        for lanes in 0..channels / LANES {
            let values = values(lanes);
            for (matrix, value) in self.0.iter_mut().zip(values.as_flattened()) {
                matrix[lanes * LANES..][..LANES].copy_from_slice(value);
            }
        }
        for matrix in &mut self.0 {
            *matrix = &mut std::mem::take(matrix)[channels..];
        }
    }
}
