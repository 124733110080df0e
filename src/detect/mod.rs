//! SCORE: one number a row from each view of the evidence. Views return numbers; they never judge or print.
//!
//! A view is a file here and a line in [`collect`].

mod cosine;
mod crossfit;
mod energy;
mod join;
mod linalg;
mod spectrum;
mod template;

use crate::data::Dataset;
use crate::dvae::Disentangled;
use crate::observe::Observer;
use crate::{Result, Seed};
use spectrum::Spectrum;

/// One view of the evidence over the readable rows, in block order.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Short name, as in `samples.csv`.
    pub name: &'static str,
    /// One value a readable row; higher is more suspicious.
    pub scores: Vec<f64>,
    /// The same evidence under wrong labels, which no row can carry: the view's own null sample. Empty where the view
    /// does not look at labels.
    pub null: Vec<f64>,
}

/// Everything that was measured on the readable rows, in block order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Evidence {
    /// The views that the decision may use.
    pub views: Vec<View>,
    /// l2 norm of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_l2: Vec<f64>,
    /// Largest absolute value of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_linf: Vec<f64>,
}

impl Evidence {
    /// One score a row from the views that look at labels; standard normal where there is no evidence. `labels` are those
    /// of the readable rows, below `classes`.
    pub fn joined(&self, labels: &[u32], classes: usize) -> Vec<f64> {
        let views: Vec<&View> = self
            .views
            .iter()
            .filter(|view| !view.null.is_empty())
            .collect();
        join::joined(&views, labels, classes)
    }
}

/// Measures every view on the readable rows of `data`, which `parts` takes apart.
///
/// # Errors
/// [`crate::Error::Numeric`] where a matrix cannot be factored, [`crate::Error::Interrupted`] when the observer says so.
pub fn collect(
    data: &Dataset,
    parts: &Disentangled,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Evidence> {
    let labels = data.labels();
    let classes = data.class_names.len();
    let size = (data.height, data.width);
    let pixels: Vec<f32> = data
        .pixels()
        .iter()
        .map(|&v| f32::from(v) / 255.0)
        .collect();
    let residual = pixels
        .iter()
        .zip(&parts.reconstruction)
        .map(|(x, r)| x - r)
        .collect();
    observer.stage("evidence", 4);
    let spectrum = Spectrum::new(pixels, size)?;
    observer.progress(1);
    observer.check()?;
    let energy = energy::view(&spectrum);
    let template = template::view("template", &spectrum, &labels, classes, seed)?;
    drop(spectrum);
    observer.progress(2);
    observer.check()?;
    let spectrum = Spectrum::new(residual, size)?;
    observer.progress(3);
    observer.check()?;
    let residual = template::view("residual", &spectrum, &labels, classes, seed)?;
    observer.progress(4);
    let perturbations = parts.perturbation.chunks_exact(size.0 * size.1 * 3);
    Ok(Evidence {
        views: vec![energy, template, residual],
        perturbation_l2: perturbations.clone().map(l2).collect(),
        perturbation_linf: perturbations.map(linf).collect(),
    })
}

fn l2(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn linf(values: &[f32]) -> f64 {
    f64::from(values.iter().fold(0f32, |most, v| most.max(v.abs())))
}
