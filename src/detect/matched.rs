//! What a labelled view notes: evidence under the own label, and under wrong ones, whose law is that of honest rows.

use super::View;
use super::folds::{Folds, WRONG_LABELS};

/// Evidence of each row under its own label and under wrong ones, drawn at random, which no row can carry; zero where
/// nothing is noted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matched<'a> {
    pub(super) own: Vec<f64>,
    /// Rows x [`WRONG_LABELS`] values.
    pub(super) wrong: Vec<f64>,
    folds: &'a Folds,
}

impl<'a> Matched<'a> {
    /// For `rows` rows, in these `folds`.
    pub(super) fn new(rows: usize, folds: &'a Folds) -> Self {
        Self {
            own: vec![0.0; rows],
            wrong: vec![0.0; rows * WRONG_LABELS],
            folds,
        }
    }

    /// Notes what `score` says of row `row`, whose label is `own`, under that label and under wrong ones.
    pub(super) fn note(&mut self, row: usize, own: u32, score: impl Fn(u32) -> f64) {
        self.own[row] = score(own);
        let wrong = self.folds.wrong_labels(row, own);
        let slots = self.wrong[row * WRONG_LABELS..].iter_mut();
        slots
            .zip(wrong)
            .for_each(|(slot, label)| *slot = score(label));
    }

    pub(super) fn into_view(self, name: &'static str) -> View {
        View {
            name,
            scores: self.own,
            null: self.wrong,
        }
    }
}
