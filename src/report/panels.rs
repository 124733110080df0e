//! Drawing of picture sheets: strips of enlarged panels, each strip behind a coloured bar.

use image::{ImageFormat, Rgb, RgbImage, imageops};

use crate::{Error, Result};

/// How much a perturbation is magnified: one 8-bit level becomes ten.
pub const AMPLIFICATION: f32 = 10.0;

const GAP: u32 = 4;
const BAR: u32 = 6;
/// Panels are enlarged by a whole factor to about this many pixels.
const PANEL: usize = 96;

const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// Panels of one size side by side.
#[derive(Clone, Debug)]
pub struct Strip {
    /// Colour of the bar before them.
    pub colour: Rgb<u8>,
    /// The pictures; a sheet has room for three.
    pub panels: Vec<RgbImage>,
}

/// Real values in [0, 1] pixel units as bytes: `gain` times the value, around the level `middle`.
pub fn bytes(values: &[f32], gain: f32, middle: f32) -> Vec<u8> {
    let byte = |value: &f32| (value * gain * 255.0 + middle).round() as u8;
    values.iter().map(byte).collect()
}

/// A perturbation in [0, 1] pixel units as bytes: around mid-grey, times [`AMPLIFICATION`].
pub fn amplified(values: &[f32]) -> Vec<u8> {
    bytes(values, AMPLIFICATION, 128.0)
}

/// A panel of `[height, width, 3]` bytes.
///
/// # Panics
/// If there are fewer bytes: a defect in the caller.
pub fn panel((height, width): (usize, usize), rgb: &[u8]) -> RgbImage {
    let at = |x, y| {
        let pixel = (y as usize * width + x as usize) * 3;
        Rgb([rgb[pixel], rgb[pixel + 1], rgb[pixel + 2]])
    };
    RgbImage::from_fn(width as u32, height as u32, at)
}

/// The bytes of a sheet with two columns of strips, a PNG. Panels are of `size`, height and width.
///
/// # Errors
/// [`Error::Numeric`] if the sheet cannot be encoded.
pub fn draw(columns: [&[Strip]; 2], size: (usize, usize)) -> Result<Vec<u8>> {
    let scale = (PANEL / size.0.max(size.1).max(1)).max(1) as u32;
    let (height, width) = (size.0 as u32 * scale, size.1 as u32 * scale);
    let strip = BAR + 3 * (width + GAP);
    let lines = columns
        .map(<[Strip]>::len)
        .into_iter()
        .max()
        .unwrap_or(0)
        .max(1) as u32;
    let mut sheet = RgbImage::from_pixel(2 * strip + 4 * GAP, lines * (height + GAP) + GAP, PAPER);
    for (column, strips) in columns.into_iter().enumerate() {
        let left = GAP + column as u32 * (strip + 2 * GAP);
        for (line, Strip { colour, panels }) in strips.iter().enumerate() {
            let top = GAP + line as u32 * (height + GAP);
            let bar = RgbImage::from_pixel(BAR - 2, height, *colour);
            imageops::replace(&mut sheet, &bar, left.into(), top.into());
            for (place, panel) in panels.iter().enumerate() {
                let panel = imageops::resize(panel, width, height, imageops::Nearest);
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
