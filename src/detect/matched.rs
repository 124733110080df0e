//! What a labelled view notes: evidence under the own label, and under wrong ones, whose law is that of honest rows.

use rand::RngExt;

use super::View;
use crate::Seed;

/// Wrong labels drawn for each row.
const WRONG_LABELS: usize = 4;

/// Evidence of each row under its own label and under wrong ones, drawn at random, which no row can carry; zero where
/// nothing is noted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matched {
    pub(super) own: Vec<f64>,
    /// Rows x [`WRONG_LABELS`] values.
    pub(super) wrong: Vec<f64>,
    classes: usize,
    seed: Seed,
}

impl Matched {
    /// For `rows` rows with labels below `classes`.
    pub(super) fn new(rows: usize, classes: usize, seed: Seed) -> Self {
        Self {
            own: vec![0.0; rows],
            wrong: vec![0.0; rows * WRONG_LABELS],
            classes,
            seed,
        }
    }

    /// Notes what `score` says of row `row`, whose label is `own`, under that label and under wrong ones.
    pub(super) fn note(&mut self, row: usize, own: u32, score: impl Fn(u32) -> f64) {
        self.own[row] = score(own);
        let rng = &mut self.seed.stream("wrong labels", row as u64);
        let classes = self.classes as u32;
        for slot in &mut self.wrong[row * WRONG_LABELS..(row + 1) * WRONG_LABELS] {
            *slot = score((own + rng.random_range(1..classes)) % classes);
        }
    }

    pub(super) fn into_view(self, name: &'static str) -> View {
        View {
            name,
            scores: self.own,
            null: self.wrong,
        }
    }
}
