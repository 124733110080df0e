//! Small matrix products whose right side was packed beforehand, for callers that multiply many by the same: one register
//! tile (Goto and van de Geijn, 2008) over a panel of [`WIDTH`] columns, compiled for each vector width.

use pulp::{Simd, WithSimd};

use super::Matrix;

/// Columns of a panel.
pub(crate) const WIDTH: usize = 32;
/// Columns of a panel for narrow products.
pub(crate) const NARROW: usize = 16;

/// Numbers of a row on the left of a product that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where it starts, counted from the row's first number.
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// The left side of a product: number `k` of a run of row `r` is `data[start + r * down + k * along]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) down: usize,
    pub(crate) along: usize,
    pub(crate) runs: &'a [Run],
}

/// The right side of a product: as many rows of `W` numbers, one every `stride`, as all runs of the left side have together.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a, const W: usize> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// `destination = left * panel`, or `destination += left * panel` when accumulating. Row `r` of the destination is the first `W`
/// numbers behind `r * stride`. Runs on the calling thread.
///
/// # Panics
/// If the shapes do not fit: a defect in the caller.
pub(crate) fn multiply_runs<const W: usize>(
    destination: &mut [f32],
    stride: usize,
    left: Left<'_>,
    panel: Panel<'_, W>,
    accumulate: bool,
) {
    pulp::Arch::new().dispatch(Product::new(destination, stride, left, panel, accumulate));
}

/// As [`multiply_runs`], for a matrix and a panel of [`WIDTH`] columns, row after row.
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
    assert_eq!(panel.len(), left.columns * WIDTH, "inner sizes agree");
    let run = Run {
        start: 0,
        len: left.columns,
    };
    let left = Left {
        data: left.data,
        rows: left.rows,
        down: left.row_stride,
        along: left.column_stride,
        runs: &[run],
    };
    let panel: Panel<'_, WIDTH> = Panel {
        data: panel,
        stride: WIDTH,
    };
    multiply_runs(destination, stride, left, panel, accumulate);
}

struct Product<'a, const W: usize> {
    destination: &'a mut [f32],
    stride: usize,
    left: Left<'a>,
    panel: Panel<'a, W>,
    accumulate: bool,
}

/// Numbers from the first to the last of `count` rows of `len`, one every `stride`.
fn reach(count: usize, stride: usize, len: usize) -> usize {
    count.checked_sub(1).map_or(0, |last| last * stride + len)
}

impl<'a, const W: usize> Product<'a, W> {
    fn new(
        destination: &'a mut [f32],
        stride: usize,
        left: Left<'a>,
        panel: Panel<'a, W>,
        accumulate: bool,
    ) -> Self {
        let depth = left.runs.iter().map(|run| run.len).sum();
        assert!(panel.stride >= W, "rows of the panel do not overlap");
        assert!(
            reach(depth, panel.stride, W) <= panel.data.len(),
            "the panel is there"
        );
        for run in left.runs.iter().filter(|run| run.len > 0) {
            let last = run.start + reach(run.len, left.along, 1);
            let reach = reach(left.rows, left.down, last);
            assert!(reach <= left.data.len(), "the left side is there");
        }
        assert!(stride >= W, "rows of the destination do not overlap");
        assert!(
            reach(left.rows, stride, W) <= destination.len(),
            "the destination holds all rows"
        );
        Self {
            destination,
            stride,
            left,
            panel,
            accumulate,
        }
    }

    /// Rows `row..row + M`, `V` vectors of each at a time. `DOWN` is the step between rows on the left, or 0 to look it up: numbers
    /// that the compiler knows become part of the addresses, where others cost an addition for each product.
    ///
    /// # Safety
    /// The left side must have these rows, and a panel must be a multiple of `V` vectors wide.
    #[inline(always)]
    unsafe fn rows<S: Simd, const M: usize, const V: usize, const DOWN: usize>(
        &mut self,
        simd: S,
        row: usize,
    ) {
        let along = self.left.along;
        let down = if DOWN == 0 { self.left.down } else { DOWN };
        for first in (0..W).step_by(V * S::F32_LANES) {
            let mut sums = [[simd.splat_f32s(0.0); V]; M];
            // SAFETY: all rows of all runs, of the panel and of the destination are inside their slices (checked in `new`).
            unsafe {
                let mut panel = self.panel.data.as_ptr().add(first);
                for run in self.left.runs {
                    let left = self.left.data.as_ptr().add(row * down + run.start);
                    for k in 0..run.len {
                        let right = panel.cast::<S::f32s>();
                        let right: [_; V] = std::array::from_fn(|n| right.add(n).read_unaligned());
                        for (m, sums) in sums.iter_mut().enumerate() {
                            let value = simd.splat_f32s(*left.add(m * down + k * along));
                            for (sum, right) in sums.iter_mut().zip(right) {
                                *sum = simd.mul_add_e_f32s(value, right, *sum);
                            }
                        }
                        panel = panel.wrapping_add(self.panel.stride);
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

    /// All rows, as many at once as the registers hold the sums of, beside the vectors of the panel and one number.
    #[inline(always)]
    fn all_rows<S: Simd, const V: usize, const DOWN: usize>(&mut self, simd: S) {
        assert!(W.is_multiple_of(V * S::F32_LANES), "whole vectors");
        assert!(DOWN == 0 || DOWN == self.left.down, "the step is known");
        let rows = self.left.rows;
        let mut row = 0;
        while row < rows {
            // SAFETY: each branch takes no more rows than are left; the width was checked above.
            row += unsafe {
                match rows - row {
                    16.. if const { S::REGISTER_COUNT >= 32 && V == 1 } => {
                        self.rows::<S, 16, V, DOWN>(simd, row);
                        16
                    }
                    8.. if const { S::REGISTER_COUNT >= 32 || V == 1 } => {
                        self.rows::<S, 8, V, DOWN>(simd, row);
                        8
                    }
                    6.. => {
                        self.rows::<S, 6, V, DOWN>(simd, row);
                        6
                    }
                    4.. => {
                        self.rows::<S, 4, V, DOWN>(simd, row);
                        4
                    }
                    2.. => {
                        self.rows::<S, 2, V, DOWN>(simd, row);
                        2
                    }
                    _ => {
                        self.rows::<S, 1, V, DOWN>(simd, row);
                        1
                    }
                }
            };
        }
    }
}

impl<const W: usize> WithSimd for Product<'_, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Constants, so that what cannot be reached is not compiled: there are many of these.
        if const { W == S::F32_LANES } {
            match self.left.down {
                1 => self.all_rows::<S, 1, 1>(simd),
                3 => self.all_rows::<S, 1, 3>(simd),
                4 => self.all_rows::<S, 1, 4>(simd),
                8 => self.all_rows::<S, 1, 8>(simd),
                16 => self.all_rows::<S, 1, 16>(simd),
                32 => self.all_rows::<S, 1, 32>(simd),
                64 => self.all_rows::<S, 1, 64>(simd),
                _ => self.all_rows::<S, 1, 0>(simd),
            }
        } else {
            match self.left.down {
                1 => self.all_rows::<S, 2, 1>(simd),
                _ => self.all_rows::<S, 2, 0>(simd),
            }
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
                let runs = [Run {
                    start: 0,
                    len: depth,
                }];
                let whole = Left {
                    data: left.data,
                    rows,
                    down: left.row_stride,
                    along: left.column_stride,
                    runs: &runs,
                };
                let side: Panel<'_, WIDTH> = Panel {
                    data: &panel,
                    stride: WIDTH,
                };
                let check = |name: &str, run: &dyn Fn(Product<'_, WIDTH>)| {
                    let mut actual = vec![7.0; rows * stride];
                    run(Product::new(&mut actual, stride, whole, side, false));
                    run(Product::new(&mut actual, stride, whole, side, true));
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

    /// Several runs, out of order and overlapping, and a panel of 16 columns inside a wider matrix.
    #[test]
    fn gathers_its_left_side() {
        let (rows, down, wide) = (37, 3, 21);
        let runs = [(40, 5), (2, 7), (4, 1)].map(|(start, len)| Run { start, len });
        let depth = 13;
        let data: Vec<f32> = (0..400).map(|i| (i as f32 * 0.37).sin()).collect();
        let right: Vec<f32> = (0..depth * wide).map(|i| (i as f32).cos()).collect();
        let left = Left {
            data: &data,
            rows,
            down,
            along: 2,
            runs: &runs,
        };
        let panel: Panel<'_, NARROW> = Panel {
            data: &right,
            stride: wide,
        };
        let expected = |r: usize, c: usize| -> f64 {
            let places = runs
                .iter()
                .flat_map(|run| (0..run.len).map(|k| run.start + 2 * k));
            let terms = places
                .enumerate()
                .map(|(k, at)| f64::from(data[at + r * down]) * f64::from(right[k * wide + c]));
            terms.sum()
        };
        let check = |name: &str, run: &dyn Fn(Product<'_, NARROW>)| {
            let mut actual = vec![7.0; rows * wide];
            run(Product::new(&mut actual, wide, left, panel, false));
            for (at, actual) in actual.iter().enumerate() {
                let (r, c) = (at / wide, at % wide);
                let expected = if c < NARROW { expected(r, c) } else { 7.0 };
                let error = (f64::from(*actual) - expected).abs();
                assert!(error < 1e-4, "{name} at {r}, {c}: {actual} {expected}");
            }
        };
        check("portable", &|product| {
            product.with_simd(pulp::Scalar::new())
        });
        check("this processor", &|product| {
            pulp::Arch::new().dispatch(product)
        });
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            check("AVX2", &|product| pulp::Simd::vectorize(simd, product));
        }
    }
}
