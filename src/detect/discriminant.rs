//! The linear discriminant of rows that carry against the rest, cross-fitted.

use std::ops::Range;

use faer::Mat;

use super::View;
use super::folds::Folds;
use super::linalg::{Factor, Rows};
use crate::Result;
use crate::mixture::Testimony;

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
        let mut scores = vec![0.0; self.order.len()];
        for (fold, direction) in self.folds.iter().zip(self.directions(carries)?) {
            for at in fold.range.clone() {
                scores[self.order[at]] = direction.score(self.rows.row(at));
            }
        }
        Ok(scores)
    }

    /// As [`Profile::scores`], in two parts: what the first features say, which are those of the `labelled` views, with what these
    /// would say of wrong labels, and what the others do.
    pub(super) fn testimony(&self, carries: &[f64], labelled: &[&View]) -> Result<Testimony> {
        let (rows, wrong) = (self.order.len(), labelled[0].wrong());
        let mut testimony = Testimony {
            of_label: vec![0.0; rows],
            of_wrong: vec![0.0; rows * wrong],
            of_picture: vec![0.0; rows],
        };
        for (fold, direction) in self.folds.iter().zip(self.directions(carries)?) {
            for at in fold.range.clone() {
                let (row, features) = (self.order[at], self.rows.row(at));
                let said = direction.along(features[..labelled.len()].iter().copied());
                testimony.of_label[row] = said;
                testimony.of_picture[row] = direction.score(features) - said;
                for slot in row * wrong..(row + 1) * wrong {
                    let features = labelled.iter().map(|view| view.null[slot] as f32);
                    testimony.of_wrong[slot] = direction.along(features);
                }
            }
        }
        Ok(testimony)
    }

    /// The direction that each fold is scored in.
    fn directions(&self, carries: &[f64]) -> Result<Vec<Direction>> {
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
        (0..sides.len()).map(|k| self.without(k, &sides)).collect()
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
        // alike, or the spread of the natural ones would be lost; but none as less than a row, or what rounding leaves of an empty one
        // would be divided by next to nothing.
        let counts = match sides.iter().all(|side| side.gram.is_some()) {
            true => [weight, n - weight].map(|rows| 0.5 / rows.max(1.0)),
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
        self.along(row.iter().copied()) - self.offset
    }

    /// What the first features, as many as there are, add to a score.
    fn along(&self, features: impl Iterator<Item = f32>) -> f64 {
        let along = features.zip(&self.weights);
        along.map(|(v, w)| f64::from(v) * w).sum()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Labels, Seed};

    #[test]
    fn where_all_of_few_rows_carry_there_is_a_direction_still() {
        let (n, dim) = (300, 250);
        let value = |k: usize| ((k * 7919) % 1009) as f32 / 504.5;
        let rows = Rows {
            values: (0..n * dim).map(value).collect(),
            dim,
        };
        let folds = Folds::draw(Labels::new(&vec![0; n], 1), Seed(0));
        let profile = Profile::new(&rows, &folds);
        for left in [0.0, 1e-9, 1e-5, 1e-3] {
            let scores = profile.scores(&vec![1.0 - left; n]).unwrap();
            assert!(scores.iter().all(|score| score.is_finite()), "{left}");
        }
    }

    #[test]
    fn both_parts_of_a_testimony_make_the_score_and_wrong_labels_speak_in_the_first() {
        let n = 200;
        let noise = |i: usize| ((i * 7919) % 101) as f64 / 50.0 - 1.0;
        let carries: Vec<f64> = (0..n).map(|i| f64::from(i % 4 == 0)).collect();
        let view = View {
            name: "view",
            scores: (0..n).map(|i| noise(i) + 3.0 * carries[i]).collect(),
            // Of each row, what its own label says, and nothing.
            null: (0..n)
                .flat_map(|i| [noise(i) + 3.0 * carries[i], 0.0])
                .collect(),
        };
        let row = |i: usize| {
            [
                view.scores[i] as f32,
                (noise(3 * i + 1) + carries[i]) as f32,
            ]
        };
        let rows = Rows {
            values: (0..n).flat_map(row).collect(),
            dim: 2,
        };
        let folds = Folds::draw(Labels::new(&vec![0; n], 1), Seed(0));
        let profile = Profile::new(&rows, &folds);
        let scores = profile.scores(&carries).unwrap();
        let testimony = profile.testimony(&carries, &[&view]).unwrap();
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near(&testimony.sums(), &scores));
        let wrong = |k: usize| -> Vec<f64> {
            testimony
                .of_wrong
                .iter()
                .skip(k)
                .step_by(2)
                .copied()
                .collect()
        };
        assert!(near(&wrong(0), &testimony.of_label));
        assert!(near(&wrong(1), &vec![0.0; n]));
        let mean = |part: &[f64]| part.iter().sum::<f64>() / n as f64;
        assert!(mean(&testimony.of_label).abs() > 0.1 && mean(&testimony.of_picture).abs() > 0.1);
    }
}
