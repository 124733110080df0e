//! Grey pictures: takes away what a perturbation has in colour alone. Baseline of Image Shortcut Squeezing (Liu et al.,
//! ICML 2023), with the luminance of Pillow's `convert("L")`, repeated over three channels.

use serde_json::json;

use super::{Cure, Job, Purifier};
use crate::Result;
use crate::data::{Dataset, Image};

/// Luminance in place of colour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gray;

impl Gray {
    /// The picture in grey.
    pub fn apply(image: &Image) -> Image {
        let luminance = |pixel: &[u8]| {
            let weights = [19_595, 38_470, 7_471];
            let sum: u32 = pixel
                .iter()
                .zip(weights)
                .map(|(&value, weight)| u32::from(value) * weight)
                .sum();
            ((sum + 0x8000) >> 16) as u8
        };
        let pixels = image.rgb.chunks_exact(3);
        Image {
            rgb: pixels.flat_map(|pixel| [luminance(pixel); 3]).collect(),
            ..*image
        }
    }
}

impl Purifier for Gray {
    fn name(&self) -> &'static str {
        "gray"
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "luminance": "ITU-R 601-2, rounded" })
    }

    fn purify(&self, _: &Dataset, _: Job<'_>) -> Result<Cure> {
        Ok(Cure::Picture(Box::new(|image| Ok(Self::apply(image)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected numbers: `Image.convert("L")` of Pillow on the same colours.
    #[test]
    fn luminance_agrees_with_pillow_and_grey_stays() {
        let rgb = [
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [10, 200, 30],
            [77; 3],
        ]
        .concat();
        let image = Image {
            height: 1,
            width: 5,
            rgb,
        };
        let gray = Gray::apply(&image);
        let expected = [76, 150, 29, 124, 77];
        assert_eq!(gray.rgb, expected.map(|value| [value; 3]).concat());
        assert_eq!(Gray::apply(&gray), gray);
    }
}
