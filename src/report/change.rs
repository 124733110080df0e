//! What a purification did to one picture.

use crate::data::Image;

/// A row of `changes.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Id in the source.
    pub id: String,
    /// Id in the copy.
    pub new_id: String,
    /// Fingerprint of the row in the source.
    pub old_fingerprint: String,
    /// Fingerprint of the row in the copy.
    pub new_fingerprint: String,
    /// Peak signal-to-noise ratio over all values, dB; absent where nothing changed.
    pub psnr: Option<f64>,
    /// Largest change of a value, 0 to 255.
    pub largest: u8,
}

impl Change {
    /// From `old` to `new`, two pictures of one size under one label; the new id is not known yet and is the old one.
    pub fn new(id: &str, label: u32, old: &Image, new: &Image) -> Self {
        let differences = old.rgb.iter().zip(&new.rgb).map(|(a, b)| a.abs_diff(*b));
        Self {
            id: id.into(),
            new_id: id.into(),
            old_fingerprint: old.fingerprint(label),
            new_fingerprint: new.fingerprint(label),
            psnr: psnr(&old.rgb, &new.rgb),
            largest: differences.max().unwrap_or(0),
        }
    }
}

/// Peak signal-to-noise ratio of `new` against `old`, pictures of one size, over all values, dB; `None` where they are equal.
pub fn psnr(old: &[u8], new: &[u8]) -> Option<f64> {
    let differences = old.iter().zip(new).map(|(a, b)| a.abs_diff(*b));
    let squares: f64 = differences.map(|d| f64::from(d).powi(2)).sum();
    let mean = squares / old.len().max(1) as f64;
    (mean > 0.0).then(|| 10.0 * (255.0f64.powi(2) / mean).log10())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_mean_square() {
        let image = |value: u8| Image {
            height: 1,
            width: 2,
            rgb: vec![100, 100, 100, 100, 100, value],
        };
        let change = Change::new("a", 1, &image(100), &image(130));
        let expected = 10.0 * (255.0f64.powi(2) * 6.0 / 900.0).log10();
        assert!((change.psnr.unwrap() - expected).abs() < 1e-12);
        assert_eq!(change.largest, 30);
        assert_ne!(change.old_fingerprint, change.new_fingerprint);
        let same = Change::new("a", 1, &image(100), &image(100));
        assert_eq!((same.psnr, same.largest), (None, 0));
        assert_eq!(same.old_fingerprint, same.new_fingerprint);
    }
}
