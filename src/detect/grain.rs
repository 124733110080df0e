//! The grain of a picture: what is left of it when natural structure is taken away.
//!
//! Pictures are whitened as stationary ones: each coefficient of the cosine basis in units of its own deviation over the
//! drop, those that hold most of the variance left out, and the rest seen as a picture again. Natural structure is sparse
//! there, an edge here and there; a perturbation covers everything. Medians and clipped values therefore see the
//! perturbation under the structure.

use rayon::prelude::*;

use super::coefficients::Coefficients;

/// Variance below which a coefficient is dead; see [`super::spectrum`].
const DEAD: f64 = 1e-6;
/// Share of the variance that counts as faint.
const FAINT: f64 = 0.1;
/// One part in this many of the coefficients, the least variant, is the last trace of natural pictures.
const FAINTEST: usize = 5;

/// Which coefficients of the cosine basis are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Band {
    /// Those that together hold a tenth of the variance, the least variant ones.
    Faint,
    /// All others: what people see.
    Visible,
}

/// The whitened rows of one band, in opponent colours.
pub(super) struct Grain<'a> {
    coefficients: &'a Coefficients<'a>,
    /// What each coefficient is multiplied by.
    scale: Vec<f32>,
    faintest: Vec<usize>,
}

impl<'a> Grain<'a> {
    pub(super) fn new(coefficients: &'a Coefficients<'a>, band: Band) -> Self {
        Self {
            scale: scale(&coefficients.variance, band),
            faintest: faintest(&coefficients.variance),
            coefficients,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.coefficients.len()
    }

    /// Height and width of the pictures.
    pub(super) fn size(&self) -> (usize, usize) {
        self.coefficients.cosine().size()
    }

    /// Writes row `i`, `[height, width, 3]`, about unit variance over the drop; gives back the mean square of its least
    /// variant coefficients.
    pub(super) fn write(&self, i: usize, out: &mut [f32]) -> f32 {
        self.coefficients.write(i, out);
        out.iter_mut().zip(&self.scale).for_each(|(v, s)| *v *= s);
        let energy: f32 = self.faintest.iter().map(|&at| out[at] * out[at]).sum();
        self.coefficients.cosine().back(out);
        energy / self.faintest.len().max(1) as f32
    }

    /// What `measure` says of each row, from its picture and the mean square of its least variant coefficients.
    pub(super) fn map<T: Send>(&self, measure: impl Fn(&[f32], f32) -> T + Sync) -> Vec<T> {
        let picture = || vec![0f32; self.coefficients.dim()];
        let rows = (0..self.len()).into_par_iter();
        rows.map_init(picture, |picture, i| {
            let energy = self.write(i, picture);
            measure(picture, energy)
        })
        .collect()
    }
}

/// Coefficients, the least variant first.
fn order(variance: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..variance.len()).collect();
    order.sort_by(|&a, &b| variance[a].total_cmp(&variance[b]).then(a.cmp(&b)));
    order
}

/// One over the deviation of each coefficient of `band`, zero for all others.
fn scale(variance: &[f64], band: Band) -> Vec<f32> {
    let limit = FAINT * variance.iter().sum::<f64>();
    let mut held = 0.0;
    let mut scale = vec![0.0; variance.len()];
    for at in order(variance) {
        held += variance[at];
        if (held <= limit) == (band == Band::Faint) {
            scale[at] = (1.0 / (variance[at] + DEAD).sqrt()) as f32;
        }
    }
    scale
}

/// The least variant coefficients that live.
fn faintest(variance: &[f64]) -> Vec<usize> {
    let lives = |&at: &usize| variance[at] > DEAD;
    let count = variance.len() / FAINTEST;
    order(variance)
        .into_iter()
        .filter(lives)
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_bands_share_no_coefficient_and_leave_none_out() {
        let variance: Vec<f64> = (0..300).map(|k| 1.0 / f64::from(1 + k * 7 % 300)).collect();
        let (faint, visible) = (
            scale(&variance, Band::Faint),
            scale(&variance, Band::Visible),
        );
        assert!(
            faint
                .iter()
                .zip(&visible)
                .all(|(f, v)| (*f > 0.0) != (*v > 0.0))
        );
        let held: f64 = (0..300)
            .filter(|&k| faint[k] > 0.0)
            .map(|k| variance[k])
            .sum();
        assert!(held <= 0.1 * variance.iter().sum::<f64>());
    }
}
