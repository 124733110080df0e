//! From [`Image`] to PNG bytes: the lossless form in which changed rows are written.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::Image;
use crate::{Error, Result};

/// The picture as PNG; equal pixels give equal bytes.
///
/// # Errors
/// [`Error::Settings`] if the buffer does not have `height * width * 3` bytes or a side is zero.
pub fn encode_png(image: &Image) -> Result<Vec<u8>> {
    let refuse = |problem: String| Error::Settings {
        name: "image",
        problem,
    };
    let (height, width) = (image.height, image.width);
    if height * width == 0 || image.rgb.len() != height * width * 3 {
        return Err(refuse(format!(
            "{} bytes for {width} x {height} RGB pixels",
            image.rgb.len()
        )));
    }
    let side = |length: usize| u32::try_from(length).map_err(|_| refuse(format!("side {length}")));
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(
            &image.rgb,
            side(width)?,
            side(height)?,
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| refuse(error.to_string()))?;
    Ok(bytes)
}
