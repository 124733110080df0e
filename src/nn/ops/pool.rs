//! Average and maximum over windows of an image, without padding.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{Reader, contiguous, gradient, output};
use crate::nn::{Mode, Needs};

/// Average over `kernel` x `kernel` windows a `kernel` apart: `x` is `[b, h, w, c]`, the result `[b, h / kernel,
/// w / kernel, c]`; rows and columns beyond the last whole window are left out.
///
/// # Errors
/// If no window fits or the tensor is not contiguous.
pub fn average_pool2d(mode: Mode<'_>, x: &Tensor, kernel: usize) -> Result<Tensor> {
    windows(mode, x, kernel, Reduce::Mean)
}

/// As [`average_pool2d`], the maximum; its gradient goes to the first of equal maxima.
///
/// # Errors
/// If no window fits or the tensor is not contiguous.
pub fn max_pool2d(mode: Mode<'_>, x: &Tensor, kernel: usize) -> Result<Tensor> {
    windows(mode, x, kernel, Reduce::Max)
}

/// Average over each image: `[b, h, w, c]` to `[b, 1, 1, c]`.
///
/// # Errors
/// If the images are empty or the tensor is not contiguous.
pub fn global_average_pool(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    global(mode, x, Reduce::Mean)
}

/// As [`global_average_pool`], the maximum.
///
/// # Errors
/// If the images are empty or the tensor is not contiguous.
pub fn global_max_pool(mode: Mode<'_>, x: &Tensor) -> Result<Tensor> {
    global(mode, x, Reduce::Max)
}

fn windows(mode: Mode<'_>, x: &Tensor, kernel: usize, reduce: Reduce) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    pool(mode, x, [kernel; 2], [height, width, channels], reduce)
}

fn global(mode: Mode<'_>, x: &Tensor, reduce: Reduce) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let window = [height, width];
    pool(mode, x, window, [height, width, channels], reduce)
}

fn pool(
    mode: Mode<'_>,
    x: &Tensor,
    window: [usize; 2],
    image: [usize; 3],
    reduce: Reduce,
) -> Result<Tensor> {
    let [height, width, channels] = image;
    if window.contains(&0) || window[0] > height || window[1] > width || channels == 0 {
        bail!("no {window:?} window fits {:?}", x.shape());
    }
    mode.apply1(
        x,
        Needs::All,
        Pool {
            window,
            image,
            reduce,
        },
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reduce {
    Mean,
    Max,
}

struct Pool {
    /// Height and width of a window, which are also the steps between windows.
    window: [usize; 2],
    /// Height, width and channels of the input.
    image: [usize; 3],
    reduce: Reduce,
}

impl Pool {
    /// Windows down and across.
    fn grid(&self) -> [usize; 2] {
        [
            self.image[0] / self.window[0],
            self.image[1] / self.window[1],
        ]
    }

    /// Numbers in an image, and in what becomes of it.
    fn sizes(&self) -> (usize, usize) {
        let [down, across] = self.grid();
        (self.image.iter().product(), down * across * self.image[2])
    }

    /// Where each pixel of window number `index` starts in its image.
    fn taps(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let ([rows, columns], [_, width, channels]) = (self.window, self.image);
        let across = self.grid()[1];
        let (top, left) = (index / across * rows, index % across * columns);
        (0..rows)
            .flat_map(move |y| (0..columns).map(move |x| ((top + y) * width + left + x) * channels))
    }

    fn count(&self) -> f32 {
        (self.window[0] * self.window[1]) as f32
    }
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(s, l)?;
        let (size, pooled) = self.sizes();
        let channels = self.image[2];
        let batch = x.len() / size;
        let mut y = vec![0.0; batch * pooled];
        y.par_chunks_exact_mut(pooled)
            .zip(x.par_chunks_exact(size))
            .for_each(|(y, x)| {
                for (index, y) in y.chunks_exact_mut(channels).enumerate() {
                    let pixels = self.taps(index).map(|at| &x[at..at + channels]);
                    match self.reduce {
                        Reduce::Mean => {
                            pixels.for_each(|x| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
                            y.iter_mut().for_each(|y| *y /= self.count());
                        }
                        Reduce::Max => {
                            y.fill(f32::NEG_INFINITY);
                            pixels.for_each(|x| {
                                y.iter_mut().zip(x).for_each(|(y, x)| *y = y.max(*x))
                            });
                        }
                    }
                }
            });
        let [down, across] = self.grid();
        output(y, (batch, down, across, channels))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (xs, ys, gs) = (Reader::new(x), Reader::new(y), Reader::new(grad));
        let (xs, ys, gs) = (xs.slice()?, ys.slice()?, gs.slice()?);
        let (size, pooled) = self.sizes();
        let channels = self.image[2];
        let mut dx = vec![0.0; xs.len()];
        dx.par_chunks_exact_mut(size)
            .zip(xs.par_chunks_exact(size))
            .zip(ys.par_chunks_exact(pooled).zip(gs.par_chunks_exact(pooled)))
            .for_each(|((dx, x), (y, g))| {
                let mut left = vec![0.0; channels];
                let outputs = y.chunks_exact(channels).zip(g.chunks_exact(channels));
                for (index, (y, g)) in outputs.enumerate() {
                    left.copy_from_slice(g);
                    for at in self.taps(index) {
                        let dx = &mut dx[at..at + channels];
                        match self.reduce {
                            Reduce::Mean => dx
                                .iter_mut()
                                .zip(g)
                                .for_each(|(dx, g)| *dx = g / self.count()),
                            Reduce::Max => {
                                let inputs = x[at..at + channels].iter().zip(y);
                                for ((dx, left), (x, y)) in dx.iter_mut().zip(&mut left).zip(inputs)
                                {
                                    // What a maximum has taken is not left for its equals.
                                    let taken = if x == y { *left } else { 0.0 };
                                    *dx = taken;
                                    *left -= taken;
                                }
                            }
                        }
                    }
                }
            });
        gradient(dx, x)
    }
}
