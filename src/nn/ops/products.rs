//! The three products behind every convolution: images spread over threads, windows over matrix products.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::lower::Geometry;
use super::parts::add_in_order;
use super::winograd::{self, Winograd};
use crate::kernel::{Matrix, matmul, zeros};

/// Images whose weight gradients are summed by one thread; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 8;

/// Geometry, input, weight in PyTorch's layout, bias, images.
pub(super) type Kernel = fn(&Geometry, &[f32], &[f32], Option<&[f32]>, usize) -> Vec<f32>;

thread_local! {
    static COLUMNS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's tile of windows, at least `len` numbers with arbitrary contents.
fn with_columns<R>(len: usize, run: impl FnOnce(&mut [f32]) -> R) -> R {
    COLUMNS.with_borrow_mut(|columns| {
        if columns.len() < len {
            columns.resize(len, 0.0);
        }
        run(&mut columns[..len])
    })
}

/// Fine images to coarse ones.
pub(super) fn coarsen(
    geometry: &Geometry,
    fine: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let channels = geometry.coarse[2];
    let mut out = zeros(batch * geometry.coarse_len());
    if out.is_empty() {
        return out;
    }
    if winograd::applies(geometry) {
        Winograd::coarsening(geometry).coarsen(fine, weight, bias, &mut out);
        return out;
    }
    // [coarse, window] -> [window, coarse]: the vectors of the product run along the output channels.
    let weight = swap_inner(&window_last(geometry, weight), channels, geometry.window());
    let weight = Matrix::new(&weight, geometry.window(), channels);
    out.par_chunks_exact_mut(geometry.coarse_len())
        .zip(fine.par_chunks_exact(geometry.fine_len()))
        .for_each(|(coarse, fine)| {
            if let Some(bias) = bias {
                coarse
                    .chunks_exact_mut(channels)
                    .for_each(|pixel| pixel.copy_from_slice(bias));
            }
            for_each_tile(geometry, fine, |rows, windows| {
                matmul(
                    &mut coarse[geometry.coarse_part(&rows)],
                    windows,
                    weight,
                    bias.is_some(),
                );
            });
        });
    out
}

/// Coarse images to fine ones.
pub(super) fn refine(
    geometry: &Geometry,
    coarse: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let channels = geometry.coarse[2];
    let mut out = zeros(batch * geometry.fine_len());
    if out.is_empty() {
        return out;
    }
    if winograd::applies(geometry) {
        Winograd::refining(geometry).refine(coarse, weight, bias, &mut out);
        return out;
    }
    let weight = window_last(geometry, weight);
    let weight = Matrix::new(&weight, channels, geometry.window());
    out.par_chunks_exact_mut(geometry.fine_len())
        .zip(coarse.par_chunks_exact(geometry.coarse_len()))
        .for_each(|(fine, coarse)| {
            if let Some(bias) = bias {
                fine.chunks_exact_mut(bias.len())
                    .for_each(|pixel| pixel.copy_from_slice(bias));
            }
            for rows in geometry.tiles() {
                let pixels = geometry.pixels(&rows);
                let coarse = Matrix::new(&coarse[geometry.coarse_part(&rows)], pixels, channels);
                if geometry.is_pointwise() {
                    let len = geometry.window();
                    let part =
                        rows.start * geometry.coarse[1] * len..rows.end * geometry.coarse[1] * len;
                    matmul(&mut fine[part], coarse, weight, bias.is_some());
                } else {
                    with_columns(pixels * geometry.window(), |columns| {
                        matmul(columns, coarse, weight, false);
                        geometry.col2im(columns, rows, fine);
                    });
                }
            }
        });
    out
}

/// Weight gradient in PyTorch's layout, from both sides of the convolution.
pub(super) fn correlate(geometry: &Geometry, fine: &[f32], coarse: &[f32]) -> Vec<f32> {
    if winograd::applies(geometry) {
        return Winograd::coarsening(geometry).weight_gradient(fine, coarse);
    }
    let channels = geometry.coarse[2];
    let size = channels * geometry.window();
    let parts: Vec<Vec<f32>> = fine
        .par_chunks(IMAGES * geometry.fine_len().max(1))
        .zip(coarse.par_chunks(IMAGES * geometry.coarse_len().max(1)))
        .map(|(fine, coarse)| {
            let mut sum = vec![0.0; size];
            let pairs = fine
                .chunks_exact(geometry.fine_len())
                .zip(coarse.chunks_exact(geometry.coarse_len()));
            for (fine, coarse) in pairs {
                for_each_tile(geometry, fine, |rows, windows| {
                    let pixels = geometry.pixels(&rows);
                    let coarse =
                        Matrix::new(&coarse[geometry.coarse_part(&rows)], pixels, channels);
                    matmul(&mut sum, windows.transposed(), coarse, true);
                });
            }
            sum
        })
        .collect();
    let sum = swap_inner(&add_in_order(parts, size), geometry.window(), channels);
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
                geometry.im2col(fine, rows.clone(), columns);
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
