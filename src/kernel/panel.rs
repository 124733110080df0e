//! Small matrix products whose right side was packed beforehand, for callers that multiply many by the same: one register
//! tile (Goto and van de Geijn, 2008) over a panel of [`WIDTH`] columns, compiled for each vector width.

use pulp::{Simd, WithSimd};

use super::Matrix;

/// Columns of a panel.
pub(crate) const WIDTH: usize = 32;

/// `destination = left * panel`, or `destination += left * panel` when accumulating. `panel` is `left`'s columns x
/// [`WIDTH`], row after row; row `r` of the destination is the first [`WIDTH`] numbers behind `r * stride`. Runs on the
/// calling thread.
///
/// # Panics
/// If the shapes do not fit: a defect in the caller.
pub(crate) fn multiply_panel(
    destination: &mut [f32],
    stride: usize,
    left: Matrix<'_>,
    panel: &[f32],
    accumulate: bool,
) {
    pulp::Arch::new().dispatch(Product::new(destination, stride, left, panel, accumulate));
}

struct Product<'a> {
    destination: &'a mut [f32],
    stride: usize,
    left: Matrix<'a>,
    panel: &'a [f32],
    accumulate: bool,
}

impl<'a> Product<'a> {
    fn new(
        destination: &'a mut [f32],
        stride: usize,
        left: Matrix<'a>,
        panel: &'a [f32],
        accumulate: bool,
    ) -> Self {
        assert_eq!(panel.len(), left.columns * WIDTH, "inner sizes agree");
        assert!(stride >= WIDTH, "rows of the destination do not overlap");
        let reach = left.rows.checked_sub(1).map_or(0, |r| r * stride + WIDTH);
        assert!(reach <= destination.len(), "the destination holds all rows");
        Self {
            destination,
            stride,
            left,
            panel,
            accumulate,
        }
    }

    /// Rows `row..row + M`.
    ///
    /// # Safety
    /// The left matrix must have these rows, and a panel must be a multiple of two vectors wide.
    #[inline(always)]
    unsafe fn rows<S: Simd, const M: usize>(&mut self, simd: S, row: usize) {
        let (down, along) = (self.left.row_stride, self.left.column_stride);
        for first in (0..WIDTH).step_by(2 * S::F32_LANES) {
            let mut sums = [[simd.splat_f32s(0.0); 2]; M];
            // SAFETY: `Matrix` spans its slice, so that rows below `rows` and columns below `columns` are inside; the panel
            // has `columns` rows of WIDTH numbers, and the destination its rows (both checked in `new`).
            unsafe {
                let left = self.left.data.as_ptr().add(row * down);
                let panel = self.panel.as_ptr().add(first);
                for k in 0..self.left.columns {
                    let right = panel.add(k * WIDTH).cast::<S::f32s>();
                    let right = [right.read_unaligned(), right.add(1).read_unaligned()];
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let value = simd.splat_f32s(*left.add(m * down + k * along));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = simd.mul_add_e_f32s(value, right, *sum);
                        }
                    }
                }
                let out = self.destination.as_mut_ptr().add(row * self.stride + first);
                for (m, sums) in sums.iter().enumerate() {
                    let out = out.add(m * self.stride).cast::<S::f32s>();
                    for (n, &sum) in sums.iter().enumerate() {
                        let out = out.add(n);
                        out.write_unaligned(if self.accumulate {
                            simd.add_f32s(out.read_unaligned(), sum)
                        } else {
                            sum
                        });
                    }
                }
            }
        }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        const { assert!(WIDTH.is_multiple_of(2 * S::F32_LANES)) }
        let rows = self.left.rows;
        let mut row = 0;
        while row < rows {
            // As many rows as the registers hold the sums of, beside two vectors of the panel and one number.
            // SAFETY: each branch takes no more rows than are left; the width was checked above.
            row += unsafe {
                match rows - row {
                    8.. if S::REGISTER_COUNT >= 32 => {
                        self.rows::<S, 8>(simd, row);
                        8
                    }
                    6.. => {
                        self.rows::<S, 6>(simd, row);
                        6
                    }
                    4.. => {
                        self.rows::<S, 4>(simd, row);
                        4
                    }
                    2.. => {
                        self.rows::<S, 2>(simd, row);
                        2
                    }
                    _ => {
                        self.rows::<S, 1>(simd, row);
                        1
                    }
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every vector width that this processor has, and code without vectors, on shapes with every rest of rows.
    #[test]
    fn agrees_with_the_definition_at_all_widths() {
        for (rows, depth, stride) in [
            (1, 1, 32),
            (8, 3, 32),
            (15, 64, 40),
            (23, 7, 96),
            (0, 4, 32),
        ] {
            let left: Vec<f32> = (0..rows * depth).map(|i| (i as f32 * 0.37).sin()).collect();
            let panel: Vec<f32> = (0..depth * WIDTH).map(|i| (i as f32).cos()).collect();
            let sides = [
                Matrix::new(&left, rows, depth),
                Matrix::new(&left, depth, rows).transposed(),
            ];
            for left in sides {
                let expected = |r: usize, c: usize| -> f64 {
                    let at = |k| left.data[r * left.row_stride + k * left.column_stride];
                    let term = |k| f64::from(at(k)) * f64::from(panel[k * WIDTH + c]);
                    (0..depth).map(term).sum()
                };
                let check = |name: &str, run: &dyn Fn(Product<'_>)| {
                    let mut actual = vec![7.0; rows * stride];
                    run(Product::new(&mut actual, stride, left, &panel, false));
                    run(Product::new(&mut actual, stride, left, &panel, true));
                    for (at, actual) in actual.iter().enumerate() {
                        let (r, c) = (at / stride, at % stride);
                        let expected = if c < WIDTH { 2.0 * expected(r, c) } else { 7.0 };
                        let error = (f64::from(*actual) - expected).abs();
                        assert!(error < 1e-4, "{name} {rows}x{depth}: {actual} {expected}");
                    }
                };
                check("portable", &|product| {
                    product.with_simd(pulp::Scalar::new());
                });
                check("this processor", &|product| {
                    pulp::Arch::new().dispatch(product);
                });
                #[cfg(target_arch = "x86_64")]
                if let Some(simd) = pulp::x86::V3::try_new() {
                    check("AVX2", &|product| pulp::Simd::vectorize(simd, product));
                }
            }
        }
    }
}
