//! From [`Image`] to PNG bytes: the lossless form in which changed rows are written.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::Image;
use super::decode::is_stored_in_grey;
use crate::{Error, Result};

/// The picture as PNG; equal pixels give equal bytes.
///
/// # Errors
/// [`Error::Settings`] if the buffer does not have `height * width * 3` bytes or a side is zero.
pub fn encode_png(image: &Image) -> Result<Vec<u8>> {
    encode(image, &image.rgb, ExtendedColorType::Rgb8)
}

/// As [`encode_png`], with one channel where the `original` picture has one and the new one is grey as well: a training
/// loader that does not ask for colours gets as many as before. The original is read only if that is in question.
///
/// # Errors
/// As there, and those of reading the original.
pub(super) fn encode_png_like<B: AsRef<[u8]>>(
    original: impl FnOnce() -> Result<B>,
    image: &Image,
) -> Result<Vec<u8>> {
    if !image.is_grey() || !is_stored_in_grey(original()?.as_ref()) {
        return encode_png(image);
    }
    let levels: Vec<u8> = image.rgb.iter().step_by(3).copied().collect();
    encode(image, &levels, ExtendedColorType::L8)
}

fn encode(image: &Image, samples: &[u8], color: ExtendedColorType) -> Result<Vec<u8>> {
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
        .write_image(samples, side(width)?, side(height)?, color)
        .map_err(|error| refuse(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{ImageFormat, load_from_memory_with_format};
    use jpeg_encoder::{ColorType, Encoder};

    use super::*;

    #[test]
    fn what_was_stored_with_one_channel_is_so_again_unless_it_has_a_colour() {
        let picture = |rgb: [u8; 3]| Image {
            height: 1,
            width: 2,
            rgb: [rgb, [9; 3]].concat(),
        };
        let (grey, colourful) = (picture([7; 3]), picture([7, 8, 7]));
        let jpeg = |samples: &[u8], color| {
            let mut bytes = Vec::new();
            Encoder::new(&mut bytes, 90)
                .encode(samples, 2, 1, color)
                .unwrap();
            bytes
        };
        let png = |color, samples: &[u8]| encode(&grey, samples, color).unwrap();
        for (original, one) in [
            (png(ExtendedColorType::L8, &[1, 2]), true),
            (png(ExtendedColorType::La8, &[1, 2, 3, 4]), true),
            (png(ExtendedColorType::Rgb8, &grey.rgb), false),
            (jpeg(&[1, 2], ColorType::Luma), true),
            (jpeg(&grey.rgb, ColorType::Rgb), false),
            (b"\xff\xd8\xffno picture".to_vec(), false),
            (Vec::new(), false),
        ] {
            for (image, expected) in [(&grey, one), (&colourful, false)] {
                let bytes = encode_png_like(|| Ok(&original), image).unwrap();
                let read = load_from_memory_with_format(&bytes, ImageFormat::Png).unwrap();
                assert_eq!(!read.color().has_color(), expected);
                assert_eq!(read.into_rgb8().into_raw(), image.rgb);
            }
        }
    }
}
