//! Reductions in fixed parts: each part is summed by one thread, and parts are added in their order.

use rayon::prelude::*;

use super::PART;
use crate::kernel::vectorised;

/// Element-wise sum of `parts`, first to last; each holds `len` numbers.
pub(super) fn add_in_order(parts: Vec<Vec<f32>>, len: usize) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap_or_else(|| vec![0.0; len]);
    parts.fold(first, |mut sum, part| {
        for (sum, value) in sum.iter_mut().zip(part) {
            *sum += value;
        }
        sum
    })
}

/// Images whose weight gradients are summed by one thread, at least; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 8;

/// `size` sums over images, which have such `lens` of numbers on the fine and on the coarse side. `add` adds those of some images, a
/// multiple of `together` of them or the last ones.
pub(super) fn sum_over_images(
    [fine, coarse]: [&[f32]; 2],
    lens: [usize; 2],
    together: usize,
    size: usize,
    add: impl Fn(&[f32], &[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let [fine_len, coarse_len] = lens.map(|len| IMAGES.max(together) * len.max(1));
    let parts = fine
        .par_chunks(fine_len)
        .zip(coarse.par_chunks(coarse_len))
        .map(|(fine, coarse)| {
            let mut sums = vec![0.0; size];
            add(fine, coarse, &mut sums);
            sums
        })
        .collect();
    add_in_order(parts, size)
}

/// The first `len` numbers of a buffer that grows as needed, as they are.
pub(super) fn room_for<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

/// Sum of each column of a `[rows, columns]` matrix.
pub(super) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = (PART / columns.max(1)).max(1);
    let parts = values
        .par_chunks(rows * columns.max(1))
        .map(|part| {
            let mut sums = vec![0.0; columns];
            let total = &mut sums[..];
            vectorised(
                #[inline(always)]
                move || {
                    for row in part.chunks_exact(columns) {
                        for (sum, value) in total.iter_mut().zip(row) {
                            *sum += value;
                        }
                    }
                },
            );
            sums
        })
        .collect();
    add_in_order(parts, columns)
}

/// Sum of `term` over the pairs of two equally long slices, in double precision.
pub(super) fn sum_over(left: &[f32], right: &[f32], term: impl Fn(f32, f32) -> f64 + Sync) -> f64 {
    /// Sums that run side by side: a single one would wait for each addition.
    const LANES: usize = 16;
    let parts: Vec<f64> = left
        .par_chunks(PART)
        .zip(right.par_chunks(PART))
        .map(|(left, right)| {
            vectorised(
                #[inline(always)]
                || {
                    let mut sums = [0.0; LANES];
                    for (left, right) in left.chunks(LANES).zip(right.chunks(LANES)) {
                        for (sum, (&left, &right)) in sums.iter_mut().zip(left.iter().zip(right)) {
                            *sum += term(left, right);
                        }
                    }
                    sums.iter().sum::<f64>()
                },
            )
        })
        .collect();
    parts.iter().sum()
}
