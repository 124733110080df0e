//! Bringing pictures of other sizes to the block's.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::Image;
use super::reason::{Defect, Reason};

/// Sides of a block whose pictures had to be resized.
pub(super) const SIDE: usize = 32;

/// The picture at `height` x `width`, by bilinear convolution, which averages when it shrinks.
pub(super) fn resize(image: &Image, height: usize, width: usize) -> Result<Image, Reason> {
    if (image.height, image.width) == (height, width) {
        return Ok(image.clone());
    }
    let refuse = |error: &dyn std::fmt::Display| Defect::Unsupported.because(error);
    let side = |length: usize| u32::try_from(length).map_err(|error| refuse(&error));
    let source =
        TypedImageRef::<U8x3>::from_buffer(side(image.width)?, side(image.height)?, &image.rgb)
            .map_err(|error| refuse(&error))?;
    let mut plane = TypedImage::<U8x3>::new(side(width)?, side(height)?);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    // Its untyped form would be compiled into this crate for every kind of pixel, two fifths of all code here.
    Resizer::new()
        .resize_typed(&source, &mut plane, Some(&options))
        .map_err(|error| refuse(&error))?;
    let rgb = plane.pixels().iter().flat_map(|pixel| pixel.0).collect();
    Ok(Image { height, width, rgb })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shrinking_averages_and_keeps_the_channels_apart() {
        let rgb = [[0, 100, 7], [200, 100, 7]].concat().repeat(32 * 32 * 2);
        let image = Image {
            height: 64,
            width: 64,
            rgb,
        };
        let small = resize(&image, 32, 32).unwrap();
        assert_eq!((small.height, small.width), (32, 32));
        let centre = &small.rgb[(16 * 32 + 16) * 3..][..3];
        assert!((90..=110).contains(&centre[0]), "{centre:?}");
        assert_eq!(&centre[1..], [100, 7]);
    }
}
