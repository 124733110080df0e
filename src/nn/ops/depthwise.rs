//! Depthwise convolution: each channel by a kernel of its own. There is no product of matrices in it, so it runs over the
//! windows directly, with its vectors along the channels.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::parts::add_in_order;
use super::{Conv, Reader, contiguous, gradient, output};
use crate::nn::{Mode, Needs};

/// Depthwise convolution without bias: `x` is `[b, h, w, c]`, `weight` is `[c, 1, k, k]`; the result is
/// `[b, (h + 2p - k) / s + 1, (w + 2p - k) / s + 1, c]`.
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous.
pub fn depthwise_conv2d(mode: Mode<'_>, x: &Tensor, weight: &Tensor, conv: Conv) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let padded = height.min(width) + 2 * conv.padding;
    if weight.dims() != [channels, 1, conv.kernel, conv.kernel]
        || conv.stride == 0
        || channels * conv.kernel == 0
        || padded < conv.kernel
    {
        let (x, weight) = (x.shape(), weight.shape());
        bail!("depthwise convolution of {x:?} with {weight:?} as {conv:?}");
    }
    let side = |n: usize| (n + 2 * conv.padding - conv.kernel) / conv.stride + 1;
    let op = Depthwise {
        conv,
        input: [height, width],
        output: [side(height), side(width)],
        channels,
    };
    let pixels = batch * op.output[0] * op.output[1];
    let multiply_adds = pixels * channels * conv.kernel * conv.kernel;
    mode.count(multiply_adds, mode.tracks(x));
    mode.apply2(x, weight, Needs::Inputs, op)
}

/// Images whose weight gradients are summed by one thread; fixed, so that sums never depend on the number of threads.
const IMAGES: usize = 8;

struct Depthwise {
    conv: Conv,
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    channels: usize,
}

impl Depthwise {
    fn taps(&self) -> usize {
        self.conv.kernel * self.conv.kernel
    }

    /// Numbers in an input image and in an output image.
    fn sizes(&self) -> (usize, usize) {
        let size = |[height, width]: [usize; 2]| height * width * self.channels;
        (size(self.input), size(self.output))
    }

    /// Visits each tap of each window that lies inside the image: which numbers of the output, of the input, and of the
    /// weight as `[k, k, c]` belong together.
    fn for_each_tap(&self, mut visit: impl FnMut(Range<usize>, Range<usize>, Range<usize>)) {
        let Conv {
            kernel,
            stride,
            padding,
        } = self.conv;
        let pixel = |index: usize| index * self.channels..(index + 1) * self.channels;
        for y in 0..self.output[0] {
            for x in 0..self.output[1] {
                for tap in 0..kernel * kernel {
                    let (row, column) = (y * stride + tap / kernel, x * stride + tap % kernel);
                    let (row, column) = (row.wrapping_sub(padding), column.wrapping_sub(padding));
                    if row < self.input[0] && column < self.input[1] {
                        visit(
                            pixel(y * self.output[1] + x),
                            pixel(row * self.input[1] + column),
                            pixel(tap),
                        );
                    }
                }
            }
        }
    }

    /// PyTorch's `[c, 1, k, k]` to `[k, k, c]`.
    fn taps_first(&self, weight: &[f32]) -> Vec<f32> {
        let taps = self.taps();
        (0..taps)
            .flat_map(|tap| weight.iter().skip(tap).step_by(taps).copied())
            .collect()
    }
}

/// `sum += a * b`, element by element.
fn multiply_add(sum: &mut [f32], a: &[f32], b: &[f32]) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum += a * b;
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise-conv"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(s1, l1)?;
        let weight = self.taps_first(contiguous(s2, l2)?);
        let (input, size) = self.sizes();
        let batch = x.len() / input;
        let mut y = vec![0.0; batch * size];
        y.par_chunks_exact_mut(size)
            .zip(x.par_chunks_exact(input))
            .for_each(|(y, x)| {
                self.for_each_tap(|out, at, tap| multiply_add(&mut y[out], &x[at], &weight[tap]));
            });
        let [height, width] = self.output;
        output(y, (batch, height, width, self.channels))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (xs, ws, gs) = (Reader::new(x), Reader::new(weight), Reader::new(&grad));
        let (xs, ws, gs) = (xs.slice()?, ws.slice()?, gs.slice()?);
        let taps = self.taps_first(ws);
        let (input, size) = self.sizes();
        let mut dx = vec![0.0; xs.len()];
        let parts = dx
            .par_chunks_mut(IMAGES * input)
            .zip(xs.par_chunks(IMAGES * input))
            .zip(gs.par_chunks(IMAGES * size))
            .map(|((dx, x), g)| {
                let mut dw = vec![0.0; taps.len()];
                let images = dx.chunks_exact_mut(input).zip(x.chunks_exact(input));
                for ((dx, x), g) in images.zip(g.chunks_exact(size)) {
                    self.for_each_tap(|out, at, tap| {
                        let g = &g[out];
                        multiply_add(&mut dx[at.clone()], g, &taps[tap.clone()]);
                        multiply_add(&mut dw[tap], g, &x[at]);
                    });
                }
                dw
            })
            .collect();
        let dw = add_in_order(parts, taps.len());
        // [k, k, c] back to [c, 1, k, k].
        let dw = (0..self.channels)
            .flat_map(|c| dw.iter().skip(c).step_by(self.channels).copied())
            .collect();
        Ok((gradient(dx, x)?, gradient(dw, weight)?))
    }
}
