//! Every view of the rows, measured once.

use half::f16;

use super::coefficients::Coefficients;
use super::colours::Colours;
use super::grain::Grain;
use super::inquiry::Inquiry;
use super::lens::Band;
use super::linalg::Rows;
use super::spectrum::Spectrum;
use super::{View, loudness, pixel, template, texture};
use crate::Result;
use crate::data::Dataset;

/// Steps of the stage `evidence`; the last one is the search in what was measured.
pub(super) const STEPS: u64 = 5;

/// What is measured, and by what.
pub(super) struct Measuring<'a> {
    pub(super) data: &'a Dataset,
    pub(super) pixels: &'a Coefficients<'a>,
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    pub(super) inquiry: Inquiry<'a>,
}

/// All views, and what they rest on.
pub(super) struct Measured<'a> {
    /// Of the pixels.
    pub(super) spectrum: Spectrum<'a>,
    pub(super) levels: Rows,
    pub(super) textures: Rows,
    pub(super) energy: View,
    pub(super) floor: View,
    pub(super) left_over: View,
    pub(super) template: View,
    pub(super) residual: View,
    pub(super) texture: View,
    pub(super) pixel: View,
    pub(super) net: View,
    /// Of the same rows in exchanged colours: what honest pictures say as well.
    pub(super) exchanged: View,
}

impl Measured<'_> {
    /// All views that the tables show, in their order.
    pub(super) fn into_views(self) -> Vec<View> {
        vec![
            self.energy,
            self.floor,
            self.left_over,
            self.template,
            self.residual,
            self.texture,
            self.pixel,
            self.net,
        ]
    }
}

impl<'a> Measuring<'a> {
    /// The views; `residual` is what a D-VAE leaves of the rows.
    pub(super) fn all(&self, residual: Vec<f16>) -> Result<Measured<'a>> {
        let Self {
            data,
            pixels,
            grain,
            inquiry,
        } = *self;
        let Inquiry {
            labels,
            folds,
            observer,
            ..
        } = inquiry;
        let size = (data.height, data.width);
        let [net, exchanged] = inquiry.learner(grain).shown_in(Colours::BOTH, |_| true)?;

        observer.stage("evidence", STEPS);
        let done = |step| {
            observer.progress(step);
            observer.check()
        };
        let levels = loudness::all(grain);
        let textures = texture::features(grain)?;
        let texture = texture::view(&textures, labels, folds)?;
        done(1)?;
        let pixel = pixel::view(data.pixels(), size, labels, folds);
        done(2)?;
        let dim = pixels.dim();
        let left = |i: usize| residual[i * dim..(i + 1) * dim].iter().map(|v| v.to_f32());
        let read =
            |i: usize, out: &mut [f32]| out.iter_mut().zip(left(i)).for_each(|(o, v)| *o = v);
        let left_overs = Coefficients::of(labels.len(), size, &read);
        // The slow part of a spectrum runs on one core.
        let spectra = rayon::join(|| Spectrum::new(pixels), || Spectrum::new(&left_overs));
        let spectrum = spectra.0?;
        done(3)?;
        let norm = |i| left(i).map(|v| f64::from(v).powi(2)).sum::<f64>();
        let left_over = (0..labels.len()).map(|i| 0.5 * norm(i).max(f64::MIN_POSITIVE).ln());
        let left_over = unlabelled("left_over", left_over.collect());
        let of_place = |name, coordinates: &Rows| template::view(name, coordinates, labels, folds);
        // The largest things in memory, one at a time.
        let coordinates = template::coordinates(&spectra.1?, Band::Faint, folds);
        drop(residual);
        let residual = of_place("residual", &coordinates)?;
        drop(coordinates);
        let coordinates = template::coordinates(&spectrum, Band::Faint, folds);
        let template = of_place("template", &coordinates)?;
        done(4)?;
        Ok(Measured {
            energy: unlabelled("energy", loudness::energy(&levels)),
            floor: unlabelled("floor", loudness::floor(&levels)),
            spectrum,
            levels,
            textures,
            left_over,
            template,
            residual,
            texture,
            pixel,
            net,
            exchanged,
        })
    }
}

fn unlabelled(name: &'static str, scores: Vec<f64>) -> View {
    View {
        name,
        scores,
        null: Vec::new(),
    }
}
