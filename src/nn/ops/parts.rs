//! Reductions in fixed parts: each part is summed by one thread, and parts are added in their order.

use rayon::prelude::*;

use super::PART;

/// So many zeros, written by all threads: one alone would take a tenth of a step of training for it.
pub(super) fn zeros(len: usize) -> Vec<f32> {
    const BLOCK: usize = 1 << 10;
    let mut blocks = Vec::with_capacity(len.div_ceil(BLOCK));
    blocks.par_extend(rayon::iter::repeat_n([0.0; BLOCK], len / BLOCK));
    let mut zeros = blocks.into_flattened();
    zeros.resize(len, 0.0);
    zeros
}

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

/// Sum of each column of a `[rows, columns]` matrix.
pub(super) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = (PART / columns.max(1)).max(1);
    let parts = values
        .par_chunks(rows * columns.max(1))
        .map(|part| {
            let mut sums = vec![0.0; columns];
            vectorised(
                #[inline(always)]
                || {
                    for row in part.chunks_exact(columns) {
                        for (sum, value) in sums.iter_mut().zip(row) {
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

/// Sum of `term` over the parts of two equally long slices, in double precision.
pub(super) fn sum_over(
    left: &[f32],
    right: &[f32],
    term: impl Fn(&[f32], &[f32]) -> f64 + Sync,
) -> f64 {
    let parts: Vec<f64> = left
        .par_chunks(PART)
        .zip(right.par_chunks(PART))
        .map(|(left, right)| {
            vectorised(
                #[inline(always)]
                || term(left, right),
            )
        })
        .collect();
    parts.iter().sum()
}

/// A new vector from two equally long ones, element by element.
pub(super) fn map2(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = zeros(left.len());
    out.par_chunks_mut(PART)
        .zip(left.par_chunks(PART).zip(right.par_chunks(PART)))
        .for_each(|(out, (left, right))| {
            vectorised(
                #[inline(always)]
                || {
                    for ((out, &left), &right) in out.iter_mut().zip(left).zip(right) {
                        *out = f(left, right);
                    }
                },
            );
        });
    out
}

/// Runs `work` compiled for the vectors that this processor has. Only the width of the vectors differs: the operations on
/// each number stay the same, and so do the results.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
