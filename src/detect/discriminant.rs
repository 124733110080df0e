//! The linear discriminant of rows that carry against the rest, cross-fitted.

use std::ops::Range;

use faer::Mat;

use super::crossfit::Folds;
use super::linalg::{Factor, Rows};
use crate::Result;

/// Added to the variance of each feature, in units of about its own.
const PENALTY: f32 = 0.01;

/// Features of the rows, and what all discriminants of them share.
pub(super) struct Profile {
    /// In the order of the folds.
    rows: Rows,
    /// Row numbers in that order.
    order: Vec<usize>,
    /// A row is scored by a discriminant of the other folds.
    folds: Vec<Fold>,
}

/// One fold.
struct Fold {
    range: Range<usize>,
    /// Second moments.
    gram: Mat<f32>,
    sum: Vec<f64>,
}

impl Profile {
    /// Of features of about unit variance.
    pub(super) fn new(rows: &Rows, folds: &Folds) -> Self {
        let order = folds.order();
        let rows = rows.select(&order);
        let mut start = 0;
        let fold = |members: &Vec<usize>| {
            let range = start..start + members.len();
            start = range.end;
            Fold {
                gram: rows.slab(range.clone()).gram(),
                sum: weighted(&rows, range.clone(), |_| 1.0),
                range,
            }
        };
        let folds = folds.members.iter().map(fold).collect();
        Self { folds, order, rows }
    }

    /// How far each row lies from the rest in the direction of those that `carries` gives a probability to, in deviations
    /// within the two sides.
    pub(super) fn scores(&self, carries: &[f64]) -> Result<Vec<f64>> {
        let carries = |at: usize| carries[self.order[at]];
        let sides: Vec<(f64, Vec<f64>)> = self
            .folds
            .iter()
            .map(|fold| {
                let weight = fold.range.clone().map(carries).sum();
                (weight, weighted(&self.rows, fold.range.clone(), carries))
            })
            .collect();
        let mut scores = vec![0.0; self.order.len()];
        for (k, fold) in self.folds.iter().enumerate() {
            let direction = self.without(k, &sides)?;
            for at in fold.range.clone() {
                scores[self.order[at]] = direction.score(self.rows.row(at));
            }
        }
        Ok(scores)
    }

    /// The discriminant of all folds but `left_out`, from the weight and the weighted sum of the rows that carry in each.
    fn without(&self, left_out: usize, sides: &[(f64, Vec<f64>)]) -> Result<Direction> {
        let dim = self.rows.dim;
        let (mut one, mut rest) = (vec![0f64; dim], vec![0f64; dim]);
        let mut within = Mat::<f32>::zeros(dim, dim);
        let (mut weight, mut n) = (0f64, 0f64);
        let folds = self.folds.iter().zip(sides).enumerate();
        for (_, (fold, (part, sum))) in folds.filter(|(k, _)| *k != left_out) {
            weight += part;
            n += fold.range.len() as f64;
            within += &fold.gram;
            for (i, (carrying, all)) in sum.iter().zip(&fold.sum).enumerate() {
                one[i] += carrying;
                rest[i] += all - carrying;
            }
        }
        let weight = weight.clamp(1e-3, n - 1e-3);
        one.iter_mut().for_each(|v| *v /= weight);
        rest.iter_mut().for_each(|v| *v /= n - weight);
        for i in 0..dim {
            for j in 0..dim {
                let between = weight * one[i] * one[j] + (n - weight) * rest[i] * rest[j];
                within[(i, j)] = (within[(i, j)] - between as f32) / n as f32;
            }
            within[(i, i)] += PENALTY;
        }
        let difference: Vec<f64> = one.iter().zip(&rest).map(|(a, b)| a - b).collect();
        let column = Mat::from_fn(dim, 1, |i, _| difference[i] as f32);
        let solved = Factor::new(&within)?.solve(&column);
        let solved: Vec<f64> = (0..dim).map(|i| f64::from(solved[(i, 0)])).collect();
        let distance = dot(&solved, &difference).max(f64::MIN_POSITIVE).sqrt();
        let weights: Vec<f64> = solved.iter().map(|v| v / distance).collect();
        Ok(Direction {
            offset: dot(&weights, &rest),
            weights,
        })
    }
}

/// Sum of some rows, each times its weight.
fn weighted(rows: &Rows, range: Range<usize>, weight: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut sum = vec![0f64; rows.dim];
    for at in range {
        let weight = weight(at);
        let values = sum.iter_mut().zip(rows.row(at));
        values.for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    sum
}

/// A direction, and where the rest lies on it.
struct Direction {
    weights: Vec<f64>,
    offset: f64,
}

impl Direction {
    fn score(&self, row: &[f32]) -> f64 {
        let along = row.iter().zip(&self.weights);
        along.map(|(v, w)| f64::from(*v) * w).sum::<f64>() - self.offset
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
