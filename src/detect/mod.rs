//! SCORE: one number a row from each view of the evidence, the groups of rows that stand apart, and the classes that carry
//! as a whole. Numbers only: the verdict is elsewhere.
//!
//! A view is a file here and a few lines in `measure` and in `admitted`.

mod admitted;
mod apart;
mod coefficients;
mod colours;
mod compare;
mod copies;
mod cosine;
mod crossfit;
mod discriminant;
mod evident;
mod eye;
mod features;
mod folds;
mod grain;
mod group;
mod inquiry;
mod lens;
mod linalg;
mod link;
mod loudest;
mod loudness;
mod matched;
mod measure;
mod missed;
mod net;
mod part;
mod pixel;
mod self_training;
mod sharpen;
mod sources;
mod spectrum;
mod split;
mod stationary;
#[cfg(test)]
mod striped;
mod template;
mod texture;
mod throughout;
mod whole;

use crate::data::Dataset;
use crate::dvae::Traces;
use crate::observe::Observer;
use crate::{Labels, Result, Seed};
use admitted::Admitted;
use apart::Search;
use coefficients::Coefficients;
use eye::Eye;
use folds::Folds;
use grain::Grain;
pub use group::Group;
use inquiry::Inquiry;
use lens::Band;
use measure::Measuring;
pub use part::Part;
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

impl View {
    /// How many wrong labels each row was looked at under.
    fn wrong(&self) -> usize {
        self.null.len() / self.scores.len().max(1)
    }

    /// What two labelled views say together, each in deviations under the same wrong labels.
    fn with(&self, other: &Self) -> Self {
        let scale = |view: &Self| crate::stats::moments(&view.null).1.max(1e-9).recip();
        let scales = [scale(self), scale(other)];
        let sum = |one: &[f64], other: &[f64]| {
            let pairs = one.iter().zip(other);
            pairs.map(|(a, b)| a * scales[0] + b * scales[1]).collect()
        };
        Self {
            name: self.name,
            scores: sum(&self.scores, &other.scores),
            null: sum(&self.null, &other.null),
        }
    }

    /// Scores of some rows in deviations under the wrong labels of these rows, about their mean.
    fn standard(&self, rows: &[usize]) -> Vec<f64> {
        let wrong = self.wrong();
        let null: Vec<f64> = rows
            .iter()
            .flat_map(|&i| &self.null[i * wrong..(i + 1) * wrong])
            .copied()
            .collect();
        let (mean, deviation) = crate::stats::moments(&null);
        let scale = deviation.max(1e-9).recip();
        rows.iter()
            .map(|&i| (self.scores[i] - mean) * scale)
            .collect()
    }
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

/// Measures every view on the readable rows of `data`, on which a D-VAE left `traces`, and finds what stands apart in
/// them: all views are in the tables, but what is found may not look at the part that it is asked to do `without`.
///
/// # Errors
/// [`crate::Error::Numeric`] where a matrix cannot be factored, [`crate::Error::Interrupted`] when the observer says so.
pub fn collect(
    data: &Dataset,
    traces: Traces,
    seed: Seed,
    without: Option<Part>,
    observer: &dyn Observer,
) -> Result<Evidence> {
    let labels = &data.labels()[..];
    let labels = Labels::new(labels, data.class_names.len());
    let count = labels.len();
    let inquiry = Inquiry {
        labels,
        folds: &Folds::draw(labels, seed),
        seed,
        observer,
    };
    let read = |i: usize, out: &mut [f32]| {
        let pixels = out.iter_mut().zip(data.image(i));
        pixels.for_each(|(out, &v)| *out = f32::from(v) / 255.0);
    };
    let pixels = &Coefficients::of(count, (data.height, data.width), &read);
    let [grain, visible] = [Band::Faint, Band::Visible].map(|band| Grain::new(pixels, band));
    let steady = Grain::steady(pixels, seed);
    let contrast = Grain::contrast(pixels);
    let bold = Grain::bold(pixels, seed);
    let Traces {
        residual,
        perturbation_l2,
        perturbation_linf,
    } = traces;
    let measuring = Measuring {
        data,
        pixels,
        grain: &grain,
        inquiry,
    };
    let measured = measuring.all(residual)?;
    let eye = &Eye::new(
        &measured.spectrum,
        [&visible, &steady, &contrast, &bold],
        inquiry,
    );
    let admitted = Admitted {
        measured: &measured,
        without,
    };
    let [few, all] = &admitted.features()?;
    let search = Search {
        eye,
        loud: &admitted.loud(),
        labelled: &admitted.labelled(),
        evident: &admitted.evident(),
        strict: &admitted.strict(),
        exact: admitted.has(Part::Exact),
        features: [few, all],
        grain: &grain,
        inquiry,
    };
    let (linked, unlinked) = search.groups()?;
    observer.progress(measure::STEPS);
    observer.check()?;
    let apart = |i: usize| linked.iter().any(|group| group.members[i] > 0.5);
    let rest: Vec<bool> = (0..count).map(|i| !apart(i)).collect();
    let (look, large) = (&|| eye.look(), || eye.large());
    let mut wholes = match admitted.whole() {
        Some(views) => whole::wholes(&views, labels, &rest, look, large)?,
        None => Vec::new(),
    };
    if linked.is_empty()
        && wholes.is_empty()
        && let Some(views) = admitted.throughout()
    {
        wholes.extend(throughout::carries(views, labels, look)?);
    }
    Ok(Evidence {
        views: measured.into_views(),
        linked,
        unlinked,
        wholes,
        perturbation_l2,
        perturbation_linf,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use half::f16;

    use super::striped::{DIM, SIZE, smooth_pictures};
    use super::*;
    use crate::observe::Silent;

    const ROWS: usize = 400;

    /// Evidence on two classes, a third of whose rows are striped, each class in its own way.
    fn evidence(without: Option<Part>) -> Evidence {
        let label = |row: usize| row as u32 / 3 % 2;
        let striped = |row: usize| row.is_multiple_of(3);
        let pictures = smooth_pictures(ROWS, |row| striped(row).then_some(label(row) == 0));
        let level = |v: &f32| (127.5 + 100.0 * v).round() as u8;
        let data = Dataset::from_pixels(
            "test",
            "striped",
            ["a", "b"].map(String::from).into(),
            SIZE,
            pictures.iter().map(level).collect(),
            &(0..ROWS).map(label).collect::<Vec<_>>(),
        );
        let traces = Traces {
            residual: pictures.iter().map(|v| f16::from_f32(*v)).collect(),
            perturbation_l2: vec![0.0; ROWS],
            perturbation_linf: vec![0.0; ROWS],
        };
        assert_eq!(traces.residual.len(), ROWS * DIM);
        collect(&data, traces, Seed(0), without, &Silent).unwrap()
    }

    #[test]
    fn views_count_alike_together_in_whatever_unit_they_are() {
        let view = |unit: f64| View {
            name: "view",
            scores: [4.0, -1.0].map(|score| unit * score).into(),
            null: [1.0, -1.0, 1.0, -1.0].map(|score| unit * score).into(),
        };
        let [fine, coarse] = [8.0, 0.5].map(view);
        let both = fine.with(&coarse);
        assert_eq!(both, fine.with(&fine));
        assert_eq!(both.scores[0], -4.0 * both.scores[1]);
        assert_eq!(both.scores[0], 4.0 * both.null[0]);
    }

    #[test]
    fn what_is_left_out_is_in_the_tables_and_nothing_is_found_by_it() {
        let all = evidence(None);
        assert!(!all.linked.is_empty());
        for part in [Part::Dvae, Part::Texture] {
            let others = evidence(Some(part));
            assert_eq!(others.views, all.views, "{part:?}");
            assert_ne!(others.linked, all.linked, "{part:?}");
        }
        for view in &all.views {
            let owners = Part::ALL.iter().filter(|part| part.holds(view));
            assert_eq!(owners.count(), 1, "{}", view.name);
        }
    }
}
