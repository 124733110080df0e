//! JPEG at a low quality: takes away what a perturbation has in high frequencies and in colour. The strongest baseline of
//! Image Shortcut Squeezing (Liu et al., ICML 2023): quality 10, colour at half the resolution, the tables of the
//! standard's annex K scaled as libjpeg and Pillow scale them. What is stored is the decoded picture, without loss.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use serde_json::json;

use super::{Cure, Job, Purifier};
use crate::data::{Dataset, Image, Limits, decode};
use crate::{Error, Result};

/// A round trip through JPEG.
#[derive(Clone, Copy, Debug)]
pub struct Jpeg {
    /// 1 to 100, as Pillow counts it.
    pub quality: u8,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self { quality: 10 }
    }
}

impl Jpeg {
    /// The picture after encoding and decoding.
    ///
    /// # Errors
    /// [`Error::Settings`] if the picture or the quality cannot be encoded.
    pub fn apply(self, image: &Image) -> Result<Image> {
        let refuse = |problem: String| Error::Settings {
            name: "jpeg",
            problem,
        };
        if !(1..=100).contains(&self.quality) {
            return Err(refuse(format!(
                "quality {} is not in 1..=100",
                self.quality
            )));
        }
        let side = |length: usize| {
            u16::try_from(length).map_err(|_| refuse(format!("side {length} is above 65535")))
        };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        // As libjpeg does; the encoder's default takes one colour of four.
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        encoder
            .encode(
                &image.rgb,
                side(image.width)?,
                side(image.height)?,
                ColorType::Rgb,
            )
            .map_err(|error| refuse(error.to_string()))?;
        decode(&bytes, &Limits::default()).map_err(|reason| refuse(reason.to_string()))
    }
}

impl Purifier for Jpeg {
    fn name(&self) -> &'static str {
        "jpeg"
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "quality": self.quality, "subsampling": "4:2:0", "tables": "annex K" })
    }

    fn purify(&self, _: &Dataset, _: Job<'_>) -> Result<Cure> {
        let jpeg = *self;
        Ok(Cure::Picture(Box::new(move |image| jpeg.apply(image))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::demo;

    fn squared_error(a: &Image, b: &Image) -> u64 {
        let pairs = a.rgb.iter().zip(&b.rgb);
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
    }

    #[test]
    fn a_flat_picture_comes_to_rest() {
        let image = Image {
            height: 32,
            width: 32,
            rgb: [200, 40, 90].repeat(32 * 32),
        };
        let once = Jpeg::default().apply(&image).unwrap();
        assert_eq!(Jpeg::default().apply(&once).unwrap(), once);
    }

    /// A single red pixel on grey would keep its own colour without subsampling at full quality; at half the
    /// resolution its colour spreads over the neighbours.
    #[test]
    fn colour_has_half_the_resolution() {
        let mut rgb = [128; 3].repeat(32 * 32);
        rgb[(16 * 32 + 16) * 3] = 255;
        let image = Image {
            height: 32,
            width: 32,
            rgb,
        };
        let out = Jpeg { quality: 100 }.apply(&image).unwrap();
        let neighbour = &out.rgb[(16 * 32 + 17) * 3..][..3];
        assert!(neighbour[0] > neighbour[2] + 10, "{neighbour:?}");
    }

    /// Expected numbers: the squared error of Pillow 13 at quality 10 with its default subsampling, on pictures of these
    /// colours; without subsampling it is 443,334, 478,088, 480,429 and 466,054. Decoders may differ in how they interpolate
    /// colour, so a few per cent are allowed.
    #[test]
    fn the_loss_is_that_of_pillow() {
        let wave = |value: i32| {
            let value = value.rem_euclid(256);
            (2 * value.min(255 - value)) as u8
        };
        for (i, expected) in (0..).zip([612_987, 800_711, 766_490, 787_354]) {
            let pixel = |at: i32| {
                let (y, x) = (at / 32, at % 32);
                [
                    wave(7 * x + 3 * y + 13 * i),
                    wave(5 * y + 2 * x + 29 * i),
                    wave(9 * x - 4 * y + 51 * i),
                ]
            };
            let image = Image {
                height: 32,
                width: 32,
                rgb: (0..32 * 32).flat_map(pixel).collect(),
            };
            let out = Jpeg::default().apply(&image).unwrap();
            let error = squared_error(&out, &image);
            let ratio = error as f64 / f64::from(expected);
            assert!((0.95..1.05).contains(&ratio), "picture {i}: {error}");
        }
    }

    #[test]
    fn a_lower_quality_leaves_less() {
        let drop = demo::dataset(10, Seed(0));
        let error = |quality| {
            let of = |k| {
                let image = Image {
                    height: drop.height,
                    width: drop.width,
                    rgb: drop.image(k).to_vec(),
                };
                squared_error(&Jpeg { quality }.apply(&image).unwrap(), &image)
            };
            (0..10).map(of).sum::<u64>()
        };
        assert!(error(10) > 3 * error(75), "{} {}", error(10), error(75));
        assert!(
            Jpeg { quality: 0 }
                .apply(&Image {
                    height: 1,
                    width: 1,
                    rgb: vec![0; 3]
                })
                .is_err()
        );
    }
}
