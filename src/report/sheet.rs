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

/// What a model makes of some rows: reconstruction and perturbation, each `[rows, height, width, 3]` in [0, 1] pixel units.
pub type TakeApart<'a> = dyn Fn(&[usize]) -> Result<(Vec<f32>, Vec<f32>)> + 'a;

/// The bytes of the sheet, a PNG; without `take_apart`, which there is none of where no model was trained, pictures alone.
///
/// # Errors
/// [`Error::Numeric`](crate::Error::Numeric) if the sheet cannot be encoded, and whatever `take_apart` returns.
///
/// # Panics
/// If `decision` has another number of rows than `dataset` has readable ones: a defect in the caller.
pub fn render(
    dataset: &Dataset,
    decision: &Decision,
    take_apart: Option<&TakeApart<'_>>,
    seed: Seed,
) -> Result<Vec<u8>> {
    let colour = |k: usize, other| if decision.rows[k].flagged { RED } else { other };
    let strips = |rows: Vec<usize>, other| -> Result<Vec<Strip>> {
        let panels = panels(dataset, take_apart, &rows)?;
        let strip = |(&k, panels)| Strip {
            colour: colour(k, other),
            panels,
        };
        Ok(rows.iter().zip(panels).map(strip).collect())
    };
    let suspicious = strips(most_suspicious(decision), AMBER)?;
    let random = strips(random_unflagged(decision, seed), GREEN)?;
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

/// Picture, reconstruction and amplified perturbation of each block row of `rows`.
fn panels(
    dataset: &Dataset,
    take_apart: Option<&TakeApart<'_>>,
    rows: &[usize],
) -> Result<Vec<Vec<RgbImage>>> {
    let size = dataset.height * dataset.width * 3;
    let panel = |rgb: &[u8]| panel((dataset.height, dataset.width), rgb);
    let mut panels: Vec<Vec<RgbImage>> = rows
        .iter()
        .map(|&k| vec![panel(dataset.image(k))])
        .collect();
    if let Some(take_apart) = take_apart.filter(|_| !rows.is_empty()) {
        let (reconstruction, perturbation) = take_apart(rows)?;
        let pairs = reconstruction
            .chunks_exact(size)
            .zip(perturbation.chunks_exact(size));
        for (panels, (reconstruction, perturbation)) in panels.iter_mut().zip(pairs) {
            panels.push(panel(&bytes(reconstruction, 1.0, 0.0)));
            panels.push(panel(&amplified(perturbation)));
        }
    }
    Ok(panels)
}
