//! The softmax and the cross-entropy behind it, in one operator.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{Reader, contiguous, gradient, output, scalar};
use crate::nn::{Mode, Needs};

/// Mean over the batch of the cross-entropy between `softmax(logits)` and the labels, nats, a scalar. `logits` is
/// `[b, classes]`; a label has weight `1 - smoothing` and all classes share `smoothing` evenly (Szegedy et al., 2016).
///
/// # Errors
/// If the shapes do not fit, a label has no class, or the tensor is not contiguous.
pub fn cross_entropy(
    mode: Mode<'_>,
    logits: &Tensor,
    labels: &[u32],
    smoothing: f64,
) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    if batch != labels.len() || batch == 0 {
        bail!("{} labels for logits {:?}", labels.len(), logits.shape());
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        bail!("label {label} is none of {classes} classes");
    }
    let labels = labels.iter().map(|&label| label as usize).collect();
    mode.apply1(logits, Needs::Inputs, CrossEntropy { labels, smoothing })
}

struct CrossEntropy {
    labels: Vec<usize>,
    smoothing: f64,
}

impl CrossEntropy {
    /// The weight of class `class` in the target of an image labelled `label`.
    fn target(&self, class: usize, label: usize, classes: usize) -> f64 {
        let own = if class == label {
            1.0 - self.smoothing
        } else {
            0.0
        };
        own + self.smoothing / classes as f64
    }
}

/// Logarithms of the softmax of one row, shifted by the largest logit so that no exponential overflows.
fn log_softmax(logits: &[f32]) -> impl Iterator<Item = f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(move |x| f64::from(x - largest));
    let log_sum = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(move |x| x - log_sum)
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let classes = l.dims()[1];
        let rows = contiguous(s, l)?.chunks_exact(classes);
        let terms = rows.zip(&self.labels).map(|(row, &label)| {
            let terms = log_softmax(row).enumerate();
            -terms
                .map(|(class, log)| self.target(class, label, classes) * log)
                .sum::<f64>()
        });
        let mean = terms.sum::<f64>() / self.labels.len() as f64;
        output(vec![mean as f32], ())
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let classes = logits.dims()[1];
        let scale = f64::from(scalar(grad)?) / self.labels.len() as f64;
        let values = Reader::new(logits);
        let rows = values.slice()?.chunks_exact(classes).zip(&self.labels);
        let mut dx = Vec::with_capacity(logits.elem_count());
        for (row, &label) in rows {
            let terms = log_softmax(row).enumerate();
            dx.extend(terms.map(|(class, log)| {
                (scale * (log.exp() - self.target(class, label, classes))) as f32
            }));
        }
        gradient(dx, logits)
    }
}
