//! The linear discriminant of rows that carry against the rest, cross-fitted.

use std::ops::Range;

use faer::Mat;

use super::folds::Folds;
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
        let total: f64 = (0..self.order.len()).map(carries).sum();
        let most = total > 0.5 * self.order.len() as f64;
        let sides: Vec<Side> = self
            .folds
            .iter()
            .map(|fold| Side {
                weight: fold.range.clone().map(carries).sum(),
                sum: weighted(&self.rows, fold.range.clone(), carries),
                gram: most.then(|| self.rows.weighted_gram(fold.range.clone(), carries)),
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

    /// The discriminant of all folds but `left_out`, from what the rows that carry are in each.
    fn without(&self, left_out: usize, sides: &[Side]) -> Result<Direction> {
        let dim = self.rows.dim;
        let (mut one, mut rest) = (vec![0f64; dim], vec![0f64; dim]);
        let (mut all, mut carrying) = (Mat::<f32>::zeros(dim, dim), Mat::<f32>::zeros(dim, dim));
        let (mut weight, mut n) = (0f64, 0f64);
        let folds = self.folds.iter().zip(sides).enumerate();
        for (_, (fold, side)) in folds.filter(|(k, _)| *k != left_out) {
            weight += side.weight;
            n += fold.range.len() as f64;
            all += &fold.gram;
            if let Some(gram) = &side.gram {
                carrying += gram;
            }
            for (i, (carrying, all)) in side.sum.iter().zip(&fold.sum).enumerate() {
                one[i] += carrying;
                rest[i] += all - carrying;
            }
        }
        let weight = weight.clamp(1e-3, n - 1e-3);
        one.iter_mut().for_each(|v| *v /= weight);
        rest.iter_mut().for_each(|v| *v /= n - weight);
        // Natural rows differ from each other in more ways than rows that carry. Where these are the most, both sides count
        // alike, or the spread of the natural ones would be lost.
        let counts = match sides.iter().all(|side| side.gram.is_some()) {
            true => [0.5 / weight, 0.5 / (n - weight)],
            false => [1.0 / n; 2],
        };
        let mut within = Mat::from_fn(dim, dim, |i, j| {
            let inside = f64::from(carrying[(i, j)]);
            let outside = f64::from(all[(i, j)]) - inside;
            let between = [weight * one[i] * one[j], (n - weight) * rest[i] * rest[j]];
            (counts[0] * inside + counts[1] * outside
                - counts[0] * between[0]
                - counts[1] * between[1]) as f32
        });
        for i in 0..dim {
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

/// The rows of a fold that carry, each times its probability.
struct Side {
    weight: f64,
    sum: Vec<f64>,
    /// Second moments; only where most rows carry.
    gram: Option<Mat<f32>>,
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
