//! Bringing pictures of other sizes to the block's.

use fast_image_resize::images::{Image as Plane, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

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
    let source = ImageRef::new(
        side(image.width)?,
        side(image.height)?,
        &image.rgb,
        PixelType::U8x3,
    )
    .map_err(|error| refuse(&error))?;
    let mut plane = Plane::new(side(width)?, side(height)?, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new()
        .resize(&source, &mut plane, Some(&options))
        .map_err(|error| refuse(&error))?;
    let rgb = plane.into_vec();
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
