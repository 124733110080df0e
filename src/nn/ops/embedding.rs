//! A learned image for each class, added to the images of that class.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{Reader, contiguous, gradient, output};
use crate::nn::{Mode, Needs};

/// `x + table[label]`: `x` is `[b, h, w, c]`, `labels` has `b` entries, and a row of `table`, `[classes, c * h * w]`, is an
/// image in PyTorch's order, channels first.
///
/// # Errors
/// If the shapes do not fit, a label has no row, or a tensor is not contiguous.
pub fn add_embedding(mode: Mode<'_>, x: &Tensor, table: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let (classes, size) = table.dims2()?;
    if batch != labels.len() || size != height * width * channels {
        bail!(
            "embedding {:?} of {} labels for {:?}",
            table.shape(),
            labels.len(),
            x.shape()
        );
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        bail!("label {label} has no row in an embedding of {classes} classes");
    }
    let labels = labels.iter().map(|&label| label as usize).collect();
    mode.apply2(x, table, Needs::Inputs, AddEmbedding { labels, channels })
}

struct AddEmbedding {
    labels: Vec<usize>,
    channels: usize,
}

impl CustomOp2 for AddEmbedding {
    fn name(&self) -> &'static str {
        "add-embedding"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, table) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let size = l2.dims()[1];
        let mut sum = x.to_vec();
        sum.par_chunks_exact_mut(size)
            .zip(&self.labels)
            .for_each(|(image, &label)| {
                let row = &table[label * size..(label + 1) * size];
                for (channel, plane) in row.chunks_exact(size / self.channels).enumerate() {
                    let values = image.iter_mut().skip(channel).step_by(self.channels);
                    values.zip(plane).for_each(|(value, add)| *value += add);
                }
            });
        output(sum, l1.shape())
    }

    fn bwd(
        &self,
        _: &Tensor,
        table: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let size = table.dims()[1];
        let grads = Reader::new(grad);
        let grads = grads.slice()?;
        let mut rows = vec![0.0; table.elem_count()];
        rows.par_chunks_exact_mut(size)
            .enumerate()
            .for_each(|(class, row)| {
                let images = grads.chunks_exact(size).zip(&self.labels);
                for (image, _) in images.filter(|(_, label)| **label == class) {
                    for (channel, plane) in row.chunks_exact_mut(size / self.channels).enumerate() {
                        let values = image.iter().skip(channel).step_by(self.channels);
                        plane
                            .iter_mut()
                            .zip(values)
                            .for_each(|(sum, value)| *sum += value);
                    }
                }
            });
        Ok((Some(grad.clone()), gradient(rows, table)?))
    }
}
