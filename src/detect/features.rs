//! The numbers by which rows are told apart.

use super::View;
use super::linalg::Rows;
use crate::Result;

/// Added to the variance of each principal direction of the levels.
const RIDGE: f64 = 1e-3;

/// What the rows are told apart by: a few numbers, for groups of few rows, and these with all textures.
pub(super) fn features(
    labelled: &[&View],
    levels: &Rows,
    left_over: &Rows,
    textures: &Rows,
) -> Result<[Rows; 2]> {
    let loudness = levels.with_column(&left_over.values).sphered(RIDGE)?;
    let join = |parts: &[&Rows]| led_by(labelled, parts);
    Ok([join(&[&loudness]), join(&[&loudness, textures])])
}

/// What the `labelled` views say of each row, then the `parts` of it.
pub(super) fn led_by(labelled: &[&View], parts: &[&Rows]) -> Rows {
    let row = |i: usize| {
        let evidence = labelled.iter().map(move |view| view.scores[i] as f32);
        let parts = parts.iter();
        evidence.chain(parts.flat_map(move |part| part.row(i).iter().copied()))
    };
    Rows {
        values: (0..parts[0].len()).flat_map(row).collect(),
        dim: labelled.len() + parts.iter().map(|part| part.dim).sum::<usize>(),
    }
}
