//! The linear discriminant of rows that carry against the rest, cross-fitted.

use faer::Mat;

use super::linalg::{Factor, Rows};
use crate::Result;

/// Added to the variance of each feature, in units of about its own.
const PENALTY: f32 = 0.01;

/// Features of the rows, and what all discriminants of them share.
pub(super) struct Profile {
    rows: Rows,
    /// Row numbers of each part; a row is scored by a discriminant of the others.
    folds: Vec<Vec<usize>>,
    /// Second moments of each part.
    grams: Vec<Mat<f32>>,
}

impl Profile {
    /// Of features of about unit variance, in the parts `folds`.
    pub(super) fn new(rows: Rows, folds: Vec<Vec<usize>>) -> Self {
        Self {
            grams: folds
                .iter()
                .map(|members| rows.select(members).gram())
                .collect(),
            rows,
            folds,
        }
    }

    /// How far each row lies from the rest in the direction of those that `carries` gives a probability to, in deviations
    /// within the two sides.
    pub(super) fn scores(&self, carries: &[f64]) -> Result<Vec<f64>> {
        let mut scores = vec![0.0; self.rows.len()];
        for (fold, members) in self.folds.iter().enumerate() {
            let direction = self.without(fold, carries)?;
            for &i in members {
                scores[i] = direction.score(self.rows.row(i));
            }
        }
        Ok(scores)
    }

    /// The discriminant of all parts but `left_out`.
    fn without(&self, left_out: usize, carries: &[f64]) -> Result<Direction> {
        let dim = self.rows.dim;
        let (mut one, mut rest) = (vec![0f64; dim], vec![0f64; dim]);
        let (mut weight, mut n) = (0f64, 0f64);
        for i in others(&self.folds, left_out) {
            let p = carries[i];
            weight += p;
            n += 1.0;
            for ((one, rest), &value) in one.iter_mut().zip(&mut rest).zip(self.rows.row(i)) {
                *one += p * f64::from(value);
                *rest += (1.0 - p) * f64::from(value);
            }
        }
        let weight = weight.clamp(1e-3, n - 1e-3);
        one.iter_mut().for_each(|v| *v /= weight);
        rest.iter_mut().for_each(|v| *v /= n - weight);
        let mut within = Mat::<f32>::zeros(dim, dim);
        for (fold, gram) in self.grams.iter().enumerate() {
            if fold != left_out {
                within += gram;
            }
        }
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

/// Rows of all folds but one, fold by fold.
pub(super) fn others(folds: &[Vec<usize>], left_out: usize) -> impl Iterator<Item = usize> {
    let others = folds
        .iter()
        .enumerate()
        .filter(move |(k, _)| *k != left_out);
    others.flat_map(|(_, members)| members.iter().copied())
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
