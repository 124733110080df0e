//! Convolution as matrix multiplication: the windows of an image as the rows of a matrix (`im2col`) and back (`col2im`).
//!
//! A convolution links a *fine* grid (its input) to a *coarse* grid (its output). The transposed convolution runs over
//! the same link backwards, so one geometry serves both, forward and backward.

use std::ops::Range;

/// A square-kernel convolution between two grids of one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    /// Height, width, channels of the fine grid.
    pub(super) fine: [usize; 3],
    /// Height, width, channels of the coarse grid.
    pub(super) coarse: [usize; 3],
}

/// Numbers in one tile of windows: with its operands it fits a second-level cache of 512 KiB.
const TILE: usize = 1 << 16;

impl Geometry {
    /// Numbers in one window: kernel rows x kernel columns x fine channels.
    pub(super) fn window(&self) -> usize {
        self.kernel * self.kernel * self.fine[2]
    }

    /// Numbers in the fine grid of one image.
    pub(super) fn fine_len(&self) -> usize {
        self.fine.iter().product()
    }

    /// Numbers in the coarse grid of one image.
    pub(super) fn coarse_len(&self) -> usize {
        self.coarse.iter().product()
    }

    /// True when windows are pixels: the image already is the matrix of its windows.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Runs of coarse rows whose windows fill one tile.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let height = self.coarse[0];
        let step = (TILE / (self.window() * self.coarse[1]).max(1)).clamp(1, height.max(1));
        (0..height)
            .step_by(step)
            .map(move |row| row..(row + step).min(height))
    }

    /// Coarse pixels in a run of coarse rows.
    pub(super) fn pixels(&self, rows: &Range<usize>) -> usize {
        rows.len() * self.coarse[1]
    }

    /// The part of a coarse image that a run of rows covers.
    pub(super) fn coarse_part(&self, rows: &Range<usize>) -> Range<usize> {
        let row = self.coarse[1] * self.coarse[2];
        rows.start * row..rows.end * row
    }

    /// Writes the windows of coarse rows `rows` to `columns`, one every `stride` numbers; zeros beyond the border. What lies between
    /// windows is left as it is.
    pub(super) fn im2col<T: Copy + Default>(
        &self,
        fine: &[T],
        rows: Range<usize>,
        columns: &mut [T],
        stride: usize,
    ) {
        let strip = self.kernel * self.fine[2];
        let mut strips = columns
            .chunks_exact_mut(stride)
            .flat_map(|window| window[..self.window()].chunks_exact_mut(strip));
        self.for_each_strip(rows, |part| {
            let Some(window) = strips.next() else { return };
            let Some((inside, start)) = part else {
                return window.fill(T::default());
            };
            let end = inside.end;
            window[..inside.start].fill(T::default());
            window[inside.clone()].copy_from_slice(&fine[start..start + inside.len()]);
            window[end..].fill(T::default());
        });
    }

    /// Adds the windows of coarse rows `rows` in `columns`, `[pixels, window]`, to the fine image: the adjoint of
    /// [`Geometry::im2col`].
    pub(super) fn col2im(&self, columns: &[f32], rows: Range<usize>, fine: &mut [f32]) {
        let mut strips = columns.chunks_exact(self.kernel * self.fine[2]);
        self.for_each_strip(rows, |strip| {
            let (Some(window), Some((inside, start))) = (strips.next(), strip) else {
                return;
            };
            let target = &mut fine[start..start + inside.len()];
            for (sum, value) in target.iter_mut().zip(&window[inside]) {
                *sum += value;
            }
        });
    }

    /// Visits each kernel row of each window: neighbouring taps of one kernel row are neighbours in the image too, so a
    /// strip is one run. Gives the part of the strip inside the image and where that part starts in the image.
    fn for_each_strip(
        &self,
        rows: Range<usize>,
        mut visit: impl FnMut(Option<(Range<usize>, usize)>),
    ) {
        let [height, width, channels] = self.fine;
        for coarse_y in rows {
            for coarse_x in 0..self.coarse[1] {
                let left = coarse_x * self.stride;
                let first = self.padding.saturating_sub(left).min(self.kernel);
                let last = (width + self.padding)
                    .saturating_sub(left)
                    .clamp(first, self.kernel);
                for tap in 0..self.kernel {
                    let y = (coarse_y * self.stride + tap).wrapping_sub(self.padding);
                    visit((y < height && first < last).then(|| {
                        let x = left + first - self.padding;
                        (
                            first * channels..last * channels,
                            (y * width + x) * channels,
                        )
                    }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn col2im_is_the_adjoint_of_im2col() {
        for (kernel, stride, padding) in [(1, 2, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (7, 3, 3)] {
            let (height, width, channels) = (7, 5, 2);
            let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
            let geometry = Geometry {
                kernel,
                stride,
                padding,
                fine: [height, width, channels],
                coarse: [side(height), side(width), 1],
            };
            let image: Vec<f32> = (0..geometry.fine_len()).map(|i| (i as f32).sin()).collect();
            let rows = 0..geometry.coarse[0];
            let size = geometry.pixels(&rows) * geometry.window();
            let probe: Vec<f32> = (0..size).map(|i| (i as f32 * 1.7).cos()).collect();
            let mut columns = vec![f32::NAN; size];
            geometry.im2col(&image, rows.clone(), &mut columns, geometry.window());
            let mut back = vec![0.0; image.len()];
            geometry.col2im(&probe, rows, &mut back);
            let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
            let (forward, adjoint) = (dot(&columns, &probe), dot(&image, &back));
            assert!(
                (forward - adjoint).abs() < 1e-3,
                "k{kernel} s{stride} p{padding}: {forward} {adjoint}"
            );
        }
    }
}
