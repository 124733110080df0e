//! Filters at the points, and the way back of their gradients.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::lower::Geometry;
use super::transform::{Filter, FilterAdjoint, SIDE, TAPS, both, load, store};
use super::{GROUP, POINTS};
use crate::kernel::WIDTH;

/// One tap of 3 x 3 between an input and the outputs of a panel.
type Row = [f32; WIDTH];

/// How a weight `[coarse, fine, k, k]` becomes 3 x 3 taps between whole blocks of the fine grid: tap `t` of a kernel links a
/// fine pixel in row `r` of its block to the block's tap `k` where `t = block * k + r + 1 - block`.
pub(super) struct Taps {
    kernel: usize,
    block: usize,
    /// Channels of both grids themselves.
    fine: usize,
    coarse: usize,
}

impl Taps {
    pub(super) fn of(geometry: &Geometry) -> Self {
        Self {
            kernel: geometry.kernel,
            block: geometry.stride,
            fine: geometry.fine[2],
            coarse: geometry.coarse[2],
        }
    }

    /// Numbers in a block of the fine grid.
    fn depth(&self) -> usize {
        self.block * self.block * self.fine
    }

    /// Weights of one coarse channel.
    fn row(&self) -> usize {
        self.fine * self.kernel * self.kernel
    }

    /// Where in the row of a coarse channel tap `(ky, kx)` of number `at` of a block is, if there is any.
    fn place(&self, [ky, kx]: [usize; 2], at: usize) -> Option<usize> {
        let (phase, channel) = (at / self.fine, at % self.fine);
        let tap = |k: usize, r: usize| {
            let tap = (self.block * k + r + 1).checked_sub(self.block)?;
            (tap < self.kernel).then_some(tap)
        };
        let (y, x) = (tap(ky, phase / self.block)?, tap(kx, phase % self.block)?);
        Some((channel * self.kernel + y) * self.kernel + x)
    }

    /// The places of all taps of number `at` of a block.
    fn places(&self, at: usize) -> [Option<usize>; TAPS * TAPS] {
        std::array::from_fn(|tap| self.place([tap / TAPS, tap % TAPS], at))
    }

    /// Filters from the fine grid to the coarse one, `[panels, 36, fine depth, 32]`, the coarse channels in panels.
    pub(super) fn coarsening(&self, weight: &[f32]) -> Vec<f32> {
        panels(self.depth(), self.coarse, |fine, coarse, rows| {
            for (row, place) in rows.iter_mut().zip(self.places(fine)) {
                let Some(place) = place else { continue };
                let kernels = weight.chunks_exact(self.row()).skip(coarse);
                for (value, kernels) in row.iter_mut().zip(kernels) {
                    *value = kernels[place];
                }
            }
        })
    }

    /// Filters from the coarse grid to the fine one, turned half around: `[panels, 36, coarse channels, 32]`, the numbers of
    /// a block in panels.
    pub(super) fn refining(&self, weight: &[f32]) -> Vec<f32> {
        let places: Vec<_> = (0..self.depth()).map(|at| self.places(at)).collect();
        panels(self.coarse, self.depth(), |coarse, fine, rows| {
            let kernels = &weight[coarse * self.row()..][..self.row()];
            for (column, places) in places[fine..].iter().take(WIDTH).enumerate() {
                for (row, place) in rows.iter_mut().rev().zip(places) {
                    if let Some(place) = place {
                        row[column] = kernels[*place];
                    }
                }
            }
        })
    }

    /// The weight's gradient from that of [`Taps::coarsening`]'s filters, `[groups, panels, 36, 64, 32]`, the numbers of a
    /// block in groups.
    pub(super) fn gradient(&self, filters: &[f32]) -> Vec<f32> {
        let size = POINTS * GROUP * WIDTH;
        let panels = self.coarse.div_ceil(WIDTH);
        let mut weight = vec![0.0; self.coarse * self.row()];
        weight
            .par_chunks_mut(WIDTH * self.row())
            .enumerate()
            .for_each(|(panel, weight)| {
                for at in 0..self.depth() {
                    let start = (at / GROUP * panels + panel) * size;
                    let mut rows = [[0.0; WIDTH]; TAPS * TAPS];
                    pulp::Arch::new().dispatch(Gradient {
                        panel: &filters[start..start + size],
                        input: at % GROUP,
                        rows: &mut rows,
                    });
                    for (row, place) in rows.iter().zip(self.places(at)) {
                        let Some(place) = place else { continue };
                        let kernels = weight.chunks_exact_mut(self.row());
                        for (kernels, value) in kernels.zip(row) {
                            kernels[place] = *value;
                        }
                    }
                }
            });
        weight
    }
}

/// Filters of `outputs` channels in panels, zero beyond the last; `taps` fills in, tap by tap, what links an input to the
/// outputs from one on.
fn panels(
    inputs: usize,
    outputs: usize,
    taps: impl Fn(usize, usize, &mut [Row; TAPS * TAPS]) + Sync,
) -> Vec<f32> {
    let size = POINTS * inputs * WIDTH;
    let mut filters = vec![0.0; outputs.div_ceil(WIDTH) * size];
    filters
        .par_chunks_exact_mut(size)
        .enumerate()
        .for_each(|(number, panel)| {
            for input in 0..inputs {
                let mut rows = [[0.0; WIDTH]; TAPS * TAPS];
                taps(input, number * WIDTH, &mut rows);
                pulp::Arch::new().dispatch(Evaluate {
                    rows: &rows,
                    input,
                    panel,
                });
            }
        });
    filters
}

/// The filters of one input and a panel of outputs at all points.
struct Evaluate<'a> {
    rows: &'a [Row; TAPS * TAPS],
    input: usize,
    panel: &'a mut [f32],
}

impl WithSimd for Evaluate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let size = self.panel.len() / POINTS;
        for lane in (0..WIDTH).step_by(S::F32_LANES) {
            let mut tile = [[simd.splat_f32s(0.0); TAPS]; TAPS];
            for (value, row) in tile.as_flattened_mut().iter_mut().zip(self.rows) {
                *value = load(simd, &row[lane..]);
            }
            let tile = both(simd, tile, Filter);
            for (k, value) in tile.as_flattened().iter().enumerate() {
                let at = k * size + self.input * WIDTH + lane;
                store(simd, &mut self.panel[at..], *value);
            }
        }
    }
}

/// The adjoint of [`Evaluate`].
struct Gradient<'a> {
    panel: &'a [f32],
    input: usize,
    rows: &'a mut [Row; TAPS * TAPS],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let size = self.panel.len() / POINTS;
        for lane in (0..WIDTH).step_by(S::F32_LANES) {
            let mut tile = [[simd.splat_f32s(0.0); SIDE]; SIDE];
            for (k, value) in tile.as_flattened_mut().iter_mut().enumerate() {
                *value = load(simd, &self.panel[k * size + self.input * WIDTH + lane..]);
            }
            let tile = both(simd, tile, FilterAdjoint);
            for (row, value) in self.rows.iter_mut().zip(tile.as_flattened()) {
                store(simd, &mut row[lane..], *value);
            }
        }
    }
}
