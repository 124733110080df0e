//! The three products behind every convolution: images spread over threads, windows over matrix products.

use std::cell::RefCell;
use std::ops::Range;

use super::direct::{exact, tiled};
use super::lower::Geometry;
use super::parts::{room_for, sum_over_images};
use super::winograd::{self, Winograd};
use crate::kernel::{Matrix, WIDTH, filled, matmul, multiply_panel};
use crate::nn::Precision;

/// Geometry, input, weight in PyTorch's layout, bias, images.
pub(super) type Product = fn(&Geometry, &[f32], &[f32], Option<&[f32]>, usize) -> Vec<f32>;

/// The three products behind a convolution.
pub(super) struct Products {
    /// Fine images to coarse ones.
    pub(super) coarsen: Product,
    /// Coarse images to fine ones.
    pub(super) refine: Product,
    /// Weight gradient in PyTorch's layout, from fine and coarse images.
    pub(super) correlate: fn(&Geometry, &[f32], &[f32]) -> Vec<f32>,
}

impl Products {
    /// Of numbers of `precision`, where that gains.
    pub(super) fn of(geometry: &Geometry, precision: Precision) -> Self {
        match precision {
            Precision::Bf16 if tiled::applies(geometry) => Self {
                coarsen: tiled::coarsen,
                refine: tiled::refine,
                correlate: tiled::correlate,
            },
            _ if !winograd::applies(geometry) && exact::applies(geometry) => {
                exact::products(geometry)
            }
            _ => Self {
                coarsen,
                refine,
                correlate,
            },
        }
    }
}

thread_local! {
    static COLUMNS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's tile of windows, at least `len` numbers with arbitrary contents.
fn with_columns<R>(len: usize, run: impl FnOnce(&mut [f32]) -> R) -> R {
    COLUMNS.with_borrow_mut(|columns| run(room_for(columns, len)))
}

/// Fine images to coarse ones.
fn coarsen(
    geometry: &Geometry,
    fine: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let (channels, inputs) = (geometry.coarse[2], geometry.fine[2]);
    if winograd::applies(geometry) {
        return Winograd::coarsening(geometry).coarsen(fine, weight, bias);
    }
    let size = geometry.fine_len();
    if let Some(panels) = panels(geometry, channels, |i, o| weight[o * inputs + i]) {
        return filled(
            batch * geometry.coarse_len(),
            geometry.coarse_len(),
            |image, coarse| {
                multiply_panels(
                    &fine[image * size..][..size],
                    &panels,
                    bias,
                    coarse,
                    channels,
                );
            },
        );
    }
    // [coarse, window] -> [window, coarse]: the vectors of the product run along the output channels.
    let weight = swap_inner(&window_last(geometry, weight), channels, geometry.window());
    let weight = Matrix::new(&weight, geometry.window(), channels);
    filled(
        batch * geometry.coarse_len(),
        geometry.coarse_len(),
        |image, coarse| {
            spread_bias(bias, coarse);
            for_each_tile(geometry, &fine[image * size..][..size], |rows, windows| {
                matmul(
                    &mut coarse[geometry.coarse_part(&rows)],
                    windows,
                    weight,
                    bias.is_some(),
                );
            });
        },
    )
}

/// Coarse images to fine ones.
fn refine(
    geometry: &Geometry,
    coarse: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let (channels, outputs) = (geometry.coarse[2], geometry.fine[2]);
    if winograd::applies(geometry) {
        return Winograd::refining(geometry).refine(coarse, weight, bias);
    }
    let size = geometry.coarse_len();
    if let Some(panels) = panels(geometry, outputs, |i, o| weight[i * outputs + o]) {
        return filled(
            batch * geometry.fine_len(),
            geometry.fine_len(),
            |image, fine| {
                multiply_panels(
                    &coarse[image * size..][..size],
                    &panels,
                    bias,
                    fine,
                    outputs,
                );
            },
        );
    }
    let weight = window_last(geometry, weight);
    let weight = Matrix::new(&weight, channels, geometry.window());
    filled(
        batch * geometry.fine_len(),
        geometry.fine_len(),
        |image, fine| {
            let coarse = &coarse[image * size..][..size];
            fine.fill(0.0);
            spread_bias(bias, fine);
            for rows in geometry.tiles() {
                let pixels = geometry.pixels(&rows);
                let coarse = Matrix::new(&coarse[geometry.coarse_part(&rows)], pixels, channels);
                with_columns(pixels * geometry.window(), |columns| {
                    matmul(columns, coarse, weight, false);
                    geometry.col2im(columns, rows, fine);
                });
            }
        },
    )
}

/// The bias in each pixel, where there is one.
fn spread_bias(bias: Option<&[f32]>, image: &mut [f32]) {
    if let Some(bias) = bias {
        image
            .chunks_exact_mut(bias.len().max(1))
            .for_each(|pixel| pixel.copy_from_slice(bias));
    }
}

/// The weights of a 1 x 1 convolution in panels of [`WIDTH`] outputs, for [`multiply_panels`]; `weight` is that from an input
/// to an output. `None` for other kernels and for outputs that do not fill their panels.
fn panels(
    geometry: &Geometry,
    outputs: usize,
    weight: impl Fn(usize, usize) -> f32,
) -> Option<Vec<Vec<f32>>> {
    let inputs = geometry.fine[2] + geometry.coarse[2] - outputs;
    let panel = |first: usize| {
        let rows = (0..inputs).flat_map(|input| (first..first + WIDTH).map(move |o| (input, o)));
        rows.map(|(input, output)| weight(input, output)).collect()
    };
    let fits = geometry.is_pointwise() && outputs > 0 && outputs.is_multiple_of(WIDTH);
    fits.then(|| (0..outputs).step_by(WIDTH).map(panel).collect())
}

/// The pixels of an image times the weights in `panels`, plus the bias.
fn multiply_panels(
    image: &[f32],
    panels: &[Vec<f32>],
    bias: Option<&[f32]>,
    out: &mut [f32],
    outputs: usize,
) {
    spread_bias(bias, out);
    let pixels = out.len() / outputs;
    let image = Matrix::new(image, pixels, image.len() / pixels.max(1));
    for (panel, first) in panels.iter().zip((0..outputs).step_by(WIDTH)) {
        multiply_panel(&mut out[first..], outputs, image, panel, bias.is_some());
    }
}

/// Weight gradient in PyTorch's layout, from both sides of the convolution.
fn correlate(geometry: &Geometry, fine: &[f32], coarse: &[f32]) -> Vec<f32> {
    if winograd::applies(geometry) {
        return Winograd::coarsening(geometry).weight_gradient(fine, coarse);
    }
    let channels = geometry.coarse[2];
    let size = channels * geometry.window();
    let lens = [geometry.fine_len(), geometry.coarse_len()];
    let sum = sum_over_images([fine, coarse], lens, 1, size, |fine, coarse, sum| {
        let pairs = fine.chunks_exact(lens[0]).zip(coarse.chunks_exact(lens[1]));
        for (fine, coarse) in pairs {
            for_each_tile(geometry, fine, |rows, windows| {
                let pixels = geometry.pixels(&rows);
                let coarse = Matrix::new(&coarse[geometry.coarse_part(&rows)], pixels, channels);
                matmul(sum, windows.transposed(), coarse, true);
            });
        }
    });
    let sum = swap_inner(&sum, geometry.window(), channels);
    window_first(geometry, &sum)
}

/// Visits the windows of a fine image, a tile of coarse rows at a time.
fn for_each_tile(
    geometry: &Geometry,
    fine: &[f32],
    mut visit: impl FnMut(Range<usize>, Matrix<'_>),
) {
    let window = geometry.window();
    for rows in geometry.tiles() {
        let pixels = geometry.pixels(&rows);
        if geometry.is_pointwise() {
            let start = rows.start * geometry.coarse[1] * window;
            let part = &fine[start..start + pixels * window];
            visit(rows, Matrix::new(part, pixels, window));
        } else {
            with_columns(pixels * window, |columns| {
                geometry.im2col(fine, rows.clone(), columns, window);
                visit(rows, Matrix::new(columns, pixels, window));
            });
        }
    }
}

/// `[coarse, fine, k, k]` to `[coarse, k, k, fine]`: a row of weights in the order of a window.
fn window_last(geometry: &Geometry, weight: &[f32]) -> Vec<f32> {
    let taps = geometry.kernel * geometry.kernel;
    swap_inner(weight, geometry.fine[2], taps)
}

/// `[coarse, k, k, fine]` to `[coarse, fine, k, k]`.
fn window_first(geometry: &Geometry, weight: &[f32]) -> Vec<f32> {
    let taps = geometry.kernel * geometry.kernel;
    swap_inner(weight, taps, geometry.fine[2])
}

/// `[.., rows, columns]` to `[.., columns, rows]`.
fn swap_inner(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut swapped = Vec::with_capacity(values.len());
    for matrix in values.chunks_exact((rows * columns).max(1)) {
        for column in 0..columns {
            swapped.extend(matrix.iter().skip(column).step_by(columns));
        }
    }
    swapped
}
