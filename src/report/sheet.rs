//! The picture sheet: the most suspicious rows on the left, random rows without a flag on the right.
//!
//! Each row shows three panels: the picture, its reconstruction, and the disentangled perturbation around mid-grey,
//! amplified by [`AMPLIFICATION`](super::panels::AMPLIFICATION). The bar before a row is red where it is flagged, amber
//! where it is only high in score, and green where it was drawn at random.

use image::{Rgb, RgbImage};
use rand::seq::index;

use super::panels::{Strip, amplified, bytes, draw, panel};
use crate::data::Dataset;
use crate::decide::Decision;
use crate::{Result, Seed};

const ROWS: usize = 12;

const RED: Rgb<u8> = Rgb([200, 30, 30]);
const AMBER: Rgb<u8> = Rgb([230, 160, 0]);
const GREEN: Rgb<u8> = Rgb([30, 140, 60]);

/// What the model made of the readable rows, in block order: each `[n, height, width, 3]` in [0, 1] pixel units.
#[derive(Clone, Copy, Debug)]
pub struct Pictures<'a> {
    /// Rate-constrained reconstructions.
    pub reconstruction: &'a [f32],
    /// Disentangled perturbations.
    pub perturbation: &'a [f32],
}

/// The bytes of the sheet, a PNG.
///
/// # Errors
/// [`Error::Numeric`](crate::Error::Numeric) if the sheet cannot be encoded.
///
/// # Panics
/// If `decision` or `pictures` have another number of rows than `dataset` has readable ones: a defect in the caller.
pub fn render(
    dataset: &Dataset,
    decision: &Decision,
    pictures: &Pictures<'_>,
    seed: Seed,
) -> Result<Vec<u8>> {
    let colour = |k: usize, other| if decision.rows[k].flagged { RED } else { other };
    let strips = |rows: Vec<usize>, other| -> Vec<Strip> {
        let strip = |&k: &usize| Strip {
            colour: colour(k, other),
            panels: panels(dataset, pictures, k),
        };
        rows.iter().map(strip).collect()
    };
    let suspicious = strips(most_suspicious(decision), AMBER);
    let random = strips(random_unflagged(decision, seed), GREEN);
    draw([&suspicious, &random], (dataset.height, dataset.width))
}

/// Block rows by falling score, ties by place.
fn most_suspicious(decision: &Decision) -> Vec<usize> {
    let rows = &decision.rows;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| rows[b].poison_score.total_cmp(&rows[a].poison_score));
    order.truncate(ROWS);
    order
}

fn random_unflagged(decision: &Decision, seed: Seed) -> Vec<usize> {
    let clean: Vec<usize> = (0..decision.rows.len())
        .filter(|&k| !decision.rows[k].flagged)
        .collect();
    let mut rng = seed.stream("sheet", 0);
    let chosen = index::sample(&mut rng, clean.len(), ROWS.min(clean.len()));
    chosen.into_iter().map(|place| clean[place]).collect()
}

/// Picture, reconstruction and amplified perturbation of block row `k`; the picture alone where there was no model.
fn panels(dataset: &Dataset, pictures: &Pictures<'_>, k: usize) -> Vec<RgbImage> {
    let size = dataset.height * dataset.width * 3;
    let own = |values: &[f32]| values.get(k * size..(k + 1) * size).map(<[f32]>::to_vec);
    let panels = [
        Some(dataset.image(k).to_vec()),
        own(pictures.reconstruction).map(|values| bytes(&values, 1.0, 0.0)),
        own(pictures.perturbation).map(|values| amplified(&values)),
    ];
    let panel = |rgb: Vec<u8>| panel((dataset.height, dataset.width), &rgb);
    panels.into_iter().flatten().map(panel).collect()
}
