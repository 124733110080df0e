//! Rivals that look at the activations before the last layer of a network that trained on the drop, class by class.
//!
//! `spectral` (Tran et al., NeurIPS 2018, spectral signatures):
//! - Looks at: the squared projection on the first principal direction of the class.
//! - Rule: the highest 1.5 x 33 % of each class, the defaults of the Adversarial Robustness Toolbox; it always finds some.
//!
//! `clustering` (Chen et al., 2018, activation clustering):
//! - Looks at: two clusters in the first ten principal directions.
//! - Rule: the smaller cluster of each class, the default of the same toolbox; it always finds one.
//!
//! Both were made for backdoors, which teach a network next to its task; an unlearnable drop has no other task. The network is
//! the fast one, with its own recipe.

use faer::{Mat, Side};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::Array2;

use super::{Judgement, Rival, Suspects};
use crate::nn::Mode;
use crate::observe::Observer;
use crate::stats::quantiles;
use crate::zoo::{Architecture, Recipe, Samples, train};
use crate::{Error, Result};

/// Expected share of poison.
const EXPECTED: f64 = 0.33;
/// How much more than that is flagged.
const MULTIPLIER: f64 = 1.5;
/// Principal directions that are clustered.
const DIRECTIONS: usize = 10;
/// Starts of k-means, of which the best counts.
const STARTS: usize = 10;

pub(super) struct Spectral;

impl Rival for Spectral {
    fn name(&self) -> &'static str {
        "spectral"
    }

    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement> {
        let classes = activations(suspects, observer)?;
        let mut scores = vec![0.0; suspects.data.labels().len()];
        let mut flagged = vec![false; scores.len()];
        for class in &classes {
            let first = class.coordinates(1)?;
            let squares: Vec<f64> = first.iter().map(|c| c * c).collect();
            let limit = quantiles(&squares, &[1.0 - EXPECTED * MULTIPLIER]);
            for (&row, &square) in class.rows.iter().zip(&squares) {
                scores[row] = square;
                flagged[row] = limit.first().is_some_and(|limit| square > *limit);
            }
        }
        Ok(found(scores, flagged, "spectral signature"))
    }
}

pub(super) struct Clustering;

impl Rival for Clustering {
    fn name(&self) -> &'static str {
        "clustering"
    }

    fn judge(&self, suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Judgement> {
        let classes = activations(suspects, observer)?;
        let mut scores = vec![0.0; suspects.data.labels().len()];
        let mut flagged = vec![false; scores.len()];
        for class in classes.iter().filter(|class| class.rows.len() > 2) {
            let points = class.coordinates(DIRECTIONS)?;
            let data = DatasetBase::from(points);
            // The generator of linfa starts from a fixed seed.
            let model = KMeans::params(2).n_runs(STARTS).fit(&data);
            let model = model.map_err(|problem| Error::Numeric {
                stage: "clustering",
                problem: problem.to_string(),
            })?;
            let cluster = model.predict(data.records());
            let ones = cluster.iter().filter(|&&c| c == 1).count();
            let smaller = usize::from(ones * 2 < cluster.len());
            for ((&row, &cluster), point) in
                class.rows.iter().zip(&cluster).zip(data.records().rows())
            {
                let distance = |to: usize| {
                    let centre = model.centroids().row(to).to_owned();
                    (&point - &centre).mapv(|v| v * v).sum()
                };
                scores[row] = distance(1 - smaller) - distance(smaller);
                flagged[row] = cluster == smaller;
            }
        }
        Ok(found(scores, flagged, "smaller cluster"))
    }
}

fn found(scores: Vec<f64>, flagged: Vec<bool>, by: &str) -> Judgement {
    let count = flagged.iter().filter(|&&flag| flag).count();
    Judgement {
        poisoned: count > 0,
        reason: format!("{count} rows by {by}; it always finds some"),
        scores,
        flagged,
    }
}

/// The activations of one class.
struct Class {
    rows: Vec<usize>,
    /// Centred, one row each.
    values: Mat<f64>,
}

impl Class {
    /// Along the first principal directions, `[rows, count]`.
    fn coordinates(&self, count: usize) -> Result<Array2<f64>> {
        let moments = self.values.transpose() * &self.values;
        let spectrum = moments.self_adjoint_eigen(Side::Lower);
        let spectrum = spectrum.map_err(|problem| Error::Numeric {
            stage: "principal directions",
            problem: format!("{problem:?}"),
        })?;
        let width = moments.ncols();
        let count = count.min(width);
        let directions = spectrum.U().subcols(width - count, count);
        let turned = &self.values * directions;
        // The largest variance comes last.
        let at = |(i, j): (usize, usize)| turned[(i, count - 1 - j)];
        Ok(Array2::from_shape_fn((self.rows.len(), count), at))
    }
}

/// What a network that trained on the drop makes of each row, class by class.
fn activations(suspects: &Suspects<'_>, observer: &dyn Observer) -> Result<Vec<Class>> {
    let samples = Samples::from(suspects.data);
    let (fast, recipe) = (Architecture::Fast, Recipe::fast());
    let network = train(&samples, fast, &recipe, suspects.seed, observer)?.classifier;
    let all: Vec<usize> = (0..samples.len()).collect();
    let mut features: Vec<Vec<f32>> = Vec::with_capacity(all.len());
    samples.in_batches(&all, observer, |_, x| {
        let activations = network.features(x, Mode::Eval)?.flatten_from(1)?;
        features.extend(activations.to_vec2::<f32>()?);
        Ok(())
    })?;
    let of_class = |class: u32| {
        let rows: Vec<usize> = (0..all.len())
            .filter(|&i| samples.labels[i] == class)
            .collect();
        let width = features.first().map_or(0, Vec::len);
        let mut values = Mat::from_fn(rows.len(), width, |i, j| f64::from(features[rows[i]][j]));
        for j in 0..width {
            let mean = values.col(j).iter().sum::<f64>() / rows.len().max(1) as f64;
            (0..rows.len()).for_each(|i| values[(i, j)] -= mean);
        }
        Class { rows, values }
    };
    Ok((0..samples.classes as u32).map(of_class).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_direction_is_that_of_the_largest_variance() {
        let values = Mat::from_fn(40, 3, |i, j| match j {
            1 => i as f64 - 19.5,
            _ => ((i * (j + 3)) % 5) as f64 - 2.0,
        });
        let class = Class {
            rows: (0..40).collect(),
            values,
        };
        let first = class.coordinates(1).unwrap();
        let sign = first[(39, 0)].signum();
        for i in 0..40 {
            assert!((sign * first[(i, 0)] - (i as f64 - 19.5)).abs() < 1.5);
        }
    }
}
