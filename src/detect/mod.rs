//! SCORE: one number a row from each view of the evidence, the groups of rows that stand apart, and the classes that carry
//! as a whole. Numbers only: the verdict is elsewhere.
//!
//! A view is a file here and a line in [`collect`].

mod cosine;
mod crossfit;
mod discriminant;
mod grain;
mod group;
mod linalg;
mod link;
mod pixel;
mod spectrum;
mod template;
mod texture;
mod whole;

use crate::data::Dataset;
use crate::dvae::Disentangled;
use crate::observe::Observer;
use crate::{Result, Seed};
use discriminant::Profile;
use grain::{Band, Grain};
pub use group::Group;
use linalg::Rows;
use spectrum::Spectrum;
pub use whole::Whole;

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
    /// Each trace that a perturbation may leave.
    pub views: Vec<View>,
    /// Rows that stand apart and are linked to their classes.
    pub linked: Vec<Group>,
    /// Rows that stand apart without a link to the classes that could be shown.
    pub unlinked: Vec<Group>,
    /// Classes that carry as a whole.
    pub wholes: Vec<Whole>,
    /// l2 norm of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_l2: Vec<f64>,
    /// Largest absolute value of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_linf: Vec<f64>,
}

/// Measures every view on the readable rows of `data`, which `parts` takes apart, and finds what stands apart in them.
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
    let image = size.0 * size.1 * 3;
    let pixels = || -> Vec<f32> {
        let values = data.pixels().iter();
        values.map(|&v| f32::from(v) / 255.0).collect()
    };
    let residual: Vec<f32> = pixels()
        .iter()
        .zip(&parts.reconstruction)
        .map(|(x, r)| x - r)
        .collect();
    observer.stage("evidence", 5);
    let done = |step| {
        observer.progress(step);
        observer.check()
    };

    let grain = Grain::new(pixels(), size, Band::Faint);
    let levels = grain.levels();
    let floor = unlabelled("floor", grain.floor());
    let energy = unlabelled("energy", grain.energies.clone());
    let textures = texture::features(&grain)?;
    drop(grain);
    let texture = texture::view(&textures, &labels, classes, seed)?;
    let mut wholes = Vec::new();
    wholes.extend(whole::whole(&texture, &labels, classes, || {
        let visible = Grain::new(pixels(), size, Band::Visible);
        texture::view(&texture::features(&visible)?, &labels, classes, seed)
    })?);
    done(1)?;
    let pixel = pixel::view(data.pixels(), size, &labels, classes, seed);
    done(2)?;
    let of_place = |name, pictures: Vec<f32>| -> Result<(View, Option<Whole>)> {
        let spectrum = Spectrum::new(pictures, size)?;
        let view = template::view(name, &spectrum, Band::Faint, &labels, classes, seed)?;
        let whole = whole::whole(&view, &labels, classes, || {
            template::view(name, &spectrum, Band::Visible, &labels, classes, seed)
        })?;
        Ok((view, whole))
    };
    let (template, whole) = of_place("template", pixels())?;
    wholes.extend(whole);
    done(3)?;
    let left_over = residual
        .chunks_exact(image)
        .map(|row| l2(row).max(f64::MIN_POSITIVE).ln())
        .collect();
    let left_over = unlabelled("left_over", left_over);
    let (residual, whole) = of_place("residual", residual)?;
    wholes.extend(whole);
    done(4)?;

    let folds = crossfit::folds(&labels, classes, seed);
    let labelled = [&template, &residual, &texture, &pixel];
    let profiles = profiles(&labelled, &levels, &left_over, &textures, &folds)?;
    let traces = [&energy, &floor, &template, &residual, &texture, &pixel];
    let groups = group::find(&profiles, &traces, &labels, classes)?;
    let alone = [&template, &residual].into_iter();
    let mut linked: Vec<Group> = alone
        .filter_map(|view| group::by_evidence(view, &labels, classes))
        .collect();
    let mut unlinked = Vec::new();
    for group in groups {
        match link::linked(&group, &labelled, &textures, &labels, classes, seed)? {
            true => linked.push(group),
            false => unlinked.push(group),
        }
    }
    done(5)?;
    let perturbations = parts.perturbation.chunks_exact(image);
    Ok(Evidence {
        views: vec![energy, floor, left_over, template, residual, texture, pixel],
        linked,
        unlinked,
        wholes,
        perturbation_l2: perturbations.clone().map(l2).collect(),
        perturbation_linf: perturbations.map(linf).collect(),
    })
}

/// What the rows are told apart by: a few numbers, for groups of few rows, and these with all textures.
fn profiles(
    labelled: &[&View],
    levels: &Rows,
    left_over: &View,
    textures: &Rows,
    folds: &[Vec<usize>],
) -> Result<[Profile; 2]> {
    let loudness = Rows {
        values: (0..levels.len())
            .flat_map(|i| {
                levels
                    .row(i)
                    .iter()
                    .copied()
                    .chain([left_over.scores[i] as f32])
            })
            .collect(),
        dim: levels.dim + 1,
    };
    let loudness = loudness.sphered(1e-3)?;
    let join = |parts: &[&Rows]| {
        let row = |i: usize| {
            let evidence = labelled.iter().map(move |view| view.scores[i] as f32);
            evidence.chain(
                parts
                    .iter()
                    .flat_map(move |part| part.row(i).iter().copied()),
            )
        };
        let rows = Rows {
            values: (0..loudness.len()).flat_map(row).collect(),
            dim: labelled.len() + parts.iter().map(|part| part.dim).sum::<usize>(),
        };
        Profile::new(rows, folds.to_vec())
    };
    Ok([join(&[&loudness]), join(&[&loudness, textures])])
}

fn unlabelled(name: &'static str, scores: Vec<f64>) -> View {
    View {
        name,
        scores,
        null: Vec::new(),
    }
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
