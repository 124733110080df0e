//! The picture sheet: the most suspicious rows on the left, random rows without a flag on the right.
//!
//! Each row shows three panels: the picture, its reconstruction, and the disentangled perturbation around mid-grey,
//! amplified by [`AMPLIFICATION`]. The bar before a row is red where it is flagged, amber where it is only high in score, and
//! green where it was drawn at random.

use image::{ImageFormat, Rgb, RgbImage, imageops};
use rand::seq::index;

use crate::data::Dataset;
use crate::decide::Decision;
use crate::{Error, Result, Seed};

/// How much the perturbation is magnified: one 8-bit level becomes ten.
pub const AMPLIFICATION: f32 = 10.0;

const ROWS: usize = 12;
const GAP: u32 = 4;
const BAR: u32 = 6;
/// Panels are enlarged by a whole factor to about this many pixels.
const PANEL: usize = 96;

const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
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
/// [`Error::Numeric`] if the sheet cannot be encoded.
///
/// # Panics
/// If `decision` or `pictures` have another number of rows than `dataset` has readable ones: a defect in the caller.
pub fn render(
    dataset: &Dataset,
    decision: &Decision,
    pictures: &Pictures<'_>,
    seed: Seed,
) -> Result<Vec<u8>> {
    let suspicious = most_suspicious(decision);
    let random = random_unflagged(decision, seed);
    let scale = (PANEL / dataset.height.max(dataset.width).max(1)).max(1) as u32;
    let (height, width) = (dataset.height as u32 * scale, dataset.width as u32 * scale);
    let strip = BAR + 3 * (width + GAP);
    let lines = suspicious.len().max(random.len()).max(1) as u32;
    let mut sheet = RgbImage::from_pixel(2 * strip + 4 * GAP, lines * (height + GAP) + GAP, PAPER);
    for (column, rows) in [&suspicious, &random].into_iter().enumerate() {
        let left = GAP + column as u32 * (strip + 2 * GAP);
        for (line, &k) in rows.iter().enumerate() {
            let top = GAP + line as u32 * (height + GAP);
            let colour = match (decision.rows[k].flagged, column) {
                (true, _) => RED,
                (false, 0) => AMBER,
                (false, _) => GREEN,
            };
            let bar = RgbImage::from_pixel(BAR - 2, height, colour);
            imageops::replace(&mut sheet, &bar, left.into(), top.into());
            for (place, panel) in panels(dataset, pictures, k).into_iter().enumerate() {
                let panel = imageops::resize(&panel, width, height, imageops::Nearest);
                let x = left + BAR + place as u32 * (width + GAP);
                imageops::replace(&mut sheet, &panel, x.into(), top.into());
            }
        }
    }
    let mut png = std::io::Cursor::new(Vec::new());
    sheet
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|error| Error::Numeric {
            stage: "picture sheet",
            problem: error.to_string(),
        })?;
    Ok(png.into_inner())
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
    let block = k * size..(k + 1) * size;
    let bytes = |values: &[f32], gain: f32, middle: f32| -> Option<Vec<u8>> {
        let byte = |value: &f32| (value * gain * 255.0 + middle).round() as u8;
        Some(values.get(block.clone())?.iter().map(byte).collect())
    };
    let panels = [
        Some(dataset.image(k).to_vec()),
        bytes(pictures.reconstruction, 1.0, 0.0),
        bytes(pictures.perturbation, AMPLIFICATION, 128.0),
    ];
    let panel = |rgb: Vec<u8>| {
        let at = |x, y| {
            let pixel = (y as usize * dataset.width + x as usize) * 3;
            Rgb([rgb[pixel], rgb[pixel + 1], rgb[pixel + 2]])
        };
        RgbImage::from_fn(dataset.width as u32, dataset.height as u32, at)
    };
    panels.into_iter().flatten().map(panel).collect()
}
