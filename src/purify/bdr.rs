//! Fewer bits a channel: takes away what a perturbation has in small steps. Baseline of Image Shortcut Squeezing (Liu et
//! al., ICML 2023), whose `posterize` keeps the highest bits: two of them leave 0, 64, 128 and 192.

use serde_json::json;

use super::{Cure, Job, Purifier};
use crate::data::{Dataset, Image};
use crate::{Error, Result};

/// The highest bits of each channel.
#[derive(Clone, Copy, Debug)]
pub struct Bdr {
    /// How many stay, 1 to 8.
    pub bits: u32,
}

impl Default for Bdr {
    fn default() -> Self {
        Self { bits: 2 }
    }
}

impl Bdr {
    /// The picture with its highest bits alone.
    ///
    /// # Errors
    /// [`Error::Settings`] unless there are 1 to 8 of them.
    pub fn apply(self, image: &Image) -> Result<Image> {
        if !(1..=8).contains(&self.bits) {
            return Err(Error::Settings {
                name: "bits",
                problem: format!("{} is not in 1..=8", self.bits),
            });
        }
        let mask = 0xff << (8 - self.bits);
        Ok(Image {
            rgb: image.rgb.iter().map(|value| value & mask as u8).collect(),
            ..*image
        })
    }
}

impl Purifier for Bdr {
    fn name(&self) -> &'static str {
        "bdr"
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "bits": self.bits })
    }

    fn purify(&self, _: &Dataset, _: Job<'_>) -> Result<Cure> {
        let bdr = *self;
        Ok(Cure::Picture(Box::new(move |image| bdr.apply(image))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_bits_leave_four_values() {
        let image = Image {
            height: 2,
            width: 128,
            rgb: (0..=255u8).flat_map(|value| [value; 3]).collect(),
        };
        let out = |bits| Bdr { bits }.apply(&image).unwrap().rgb;
        let mut values = out(2);
        values.dedup();
        assert_eq!(values, [0, 64, 128, 192]);
        assert_eq!(out(8), image.rgb);
        assert!(Bdr { bits: 0 }.apply(&image).is_err());
    }
}
