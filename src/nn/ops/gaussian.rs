//! The Gaussian latent of a variational autoencoder (Kingma and Welling, 2014): sampling and rate.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::exp::exp;
use super::parts::sum_over;
use super::{PART, Reader, contiguous, gradient, output, scalar};
use crate::kernel::map2;
use crate::nn::{Mode, Needs};

/// `mean + exp(log_variance / 2) * noise`, element by element; all of one shape, and no gradient for the noise.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn reparameterize(
    mode: Mode<'_>,
    mean: &Tensor,
    log_variance: &Tensor,
    noise: &Tensor,
) -> Result<Tensor> {
    mode.apply3([mean, log_variance, noise], Needs::All, Reparameterize)
}

/// Kullback-Leibler divergence of N(mean, exp(log_variance)) from N(0, 1): nats per position, that is, summed over the
/// last axis and averaged over the others; a scalar.
///
/// # Errors
/// If the shapes differ or a tensor is not contiguous.
pub fn gaussian_kl(mode: Mode<'_>, mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    mode.apply2(mean, log_variance, Needs::Inputs, GaussianKl)
}

struct Reparameterize;

impl CustomOp3 for Reparameterize {
    fn name(&self) -> &'static str {
        "reparameterize"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() || l1.shape() != l3.shape() {
            bail!("mean {:?}, log variance {:?}, noise {:?}", l1, l2, l3);
        }
        let mut z = map2(contiguous(s2, l2)?, contiguous(s3, l3)?, |v, e| {
            exp(0.5 * v) * e
        });
        z.par_chunks_mut(PART)
            .zip(contiguous(s1, l1)?.par_chunks(PART))
            .for_each(|(z, mean)| z.iter_mut().zip(mean).for_each(|(z, m)| *z += m));
        output(z, l1.shape())
    }

    fn bwd(
        &self,
        mean: &Tensor,
        log_variance: &Tensor,
        _: &Tensor,
        z: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (means, zs, gs) = (Reader::new(mean), Reader::new(z), Reader::new(&grad));
        // d z / d log_variance = (z - mean) / 2: the noise and the exponential need not be visited again.
        let mut dv = map2(zs.slice()?, means.slice()?, |z, m| 0.5 * (z - m));
        dv.par_chunks_mut(PART)
            .zip(gs.slice()?.par_chunks(PART))
            .for_each(|(dv, g)| dv.iter_mut().zip(g).for_each(|(dv, g)| *dv *= g));
        let dv = gradient(dv, log_variance)?;
        Ok((Some(grad.clone()), dv, None))
    }
}

struct GaussianKl;

impl CustomOp2 for GaussianKl {
    fn name(&self) -> &'static str {
        "gaussian-kl"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() {
            bail!("mean {:?}, log variance {:?}", l1.shape(), l2.shape());
        }
        let (mean, log_variance) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let sum = sum_over(mean, log_variance, |m, v| {
            f64::from(-0.5 * (1.0 + v - m * m - exp(v)))
        });
        output(vec![(sum / positions(l1.shape())) as f32], ())
    }

    fn bwd(
        &self,
        mean: &Tensor,
        log_variance: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = scalar(grad)? / positions(mean.shape()) as f32;
        let (means, variances) = (Reader::new(mean), Reader::new(log_variance));
        let (means, variances) = (means.slice()?, variances.slice()?);
        let dm = map2(means, means, move |m, _| scale * m);
        let dv = map2(variances, variances, move |v, _| {
            0.5 * scale * (exp(v) - 1.0)
        });
        Ok((gradient(dm, mean)?, gradient(dv, log_variance)?))
    }
}

/// Elements over the size of the last axis.
fn positions(shape: &Shape) -> f64 {
    let channels = shape.dims().last().copied().unwrap_or(1);
    (shape.elem_count() / channels.max(1)) as f64
}
