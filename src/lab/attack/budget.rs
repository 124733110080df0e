//! The one place where a perturbation is bounded, added to pixels and stored as bytes.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Relative slack for the rounding of f32 sums.
const SLACK: f64 = 1e-5;

/// What the perturbation of one picture may be, in [0, 1] pixel units. It binds before clipping to the range of pixels,
/// which only ever shortens a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Budget {
    /// Largest Euclidean norm.
    L2(f64),
    /// Largest change of a value.
    Linf(f64),
    /// Most pixels changed, all three colours of each.
    L0(usize),
}

impl Budget {
    /// What the range of pixels alone allows.
    pub const ANY: Self = Self::Linf(1.0);

    /// Checks one picture's perturbation, `[height, width, 3]`.
    ///
    /// # Errors
    /// [`Error::Numeric`] if it is over the budget or not finite.
    pub fn check(self, delta: &[f32]) -> Result<()> {
        let limit = match self {
            Self::L2(limit) | Self::Linf(limit) => limit,
            Self::L0(limit) => limit as f64,
        };
        let size = self.size(delta);
        if size <= limit * (1.0 + SLACK) {
            return Ok(());
        }
        Err(Error::Numeric {
            stage: "attack",
            problem: format!("a perturbation of size {size} is over the budget {self:?}"),
        })
    }

    /// The size of one picture's perturbation in the norm that this bounds; not a number where it holds what is none.
    fn size(self, delta: &[f32]) -> f64 {
        if delta.iter().any(|v| !v.is_finite()) {
            return f64::NAN;
        }
        let values = delta.iter().map(|&v| f64::from(v));
        match self {
            Self::L2(_) => values.map(|v| v * v).sum::<f64>().sqrt(),
            Self::Linf(_) => values.map(f64::abs).fold(0.0, f64::max),
            Self::L0(_) => {
                let changed = |pixel: &&[f32]| pixel.iter().any(|&v| v != 0.0);
                delta.chunks(3).filter(changed).count() as f64
            }
        }
    }

    /// The same bound for three equal channels, which count as the one that they are.
    pub(super) fn of_one_channel(self) -> Self {
        match self {
            Self::L2(limit) => Self::L2(limit * 3f64.sqrt()),
            Self::Linf(_) | Self::L0(_) => self,
        }
    }

    /// Takes the colour out of one picture's perturbation: each value becomes the mean of its pixel, and one channel gets the
    /// size that all three had.
    pub(super) fn without_colour(self, delta: &mut [f32]) {
        let before = self.size(delta);
        let mut grey: Vec<f32> = delta
            .chunks(3)
            .map(|pixel| pixel.iter().sum::<f32>() / 3.0)
            .collect();
        let after = match self {
            // A pixel is a pixel in any colour.
            Self::L0(_) => before,
            Self::L2(_) | Self::Linf(_) => self.size(&grey),
        };
        if after > 0.0 && before.is_finite() {
            let scale = (before / after) as f32;
            grey.iter_mut().for_each(|v| *v *= scale);
        }
        let pixels = delta.as_chunks_mut::<3>().0.iter_mut();
        pixels
            .zip(grey)
            .for_each(|(pixel, value)| *pixel = [value; 3]);
    }
}

/// How a real pixel value becomes a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// To the nearest level.
    #[default]
    Round,
    /// To the level below, as the reference loaders do. It darkens a poisoned row by half a level on average, which gives
    /// the row away.
    Truncate,
}

/// Adds `delta` to the bytes of one picture, after checking it against `budget`.
///
/// # Errors
/// As [`Budget::check`]; the picture is then unchanged.
///
/// # Panics
/// If the lengths differ: a defect in the caller.
pub fn apply(rgb: &mut [u8], delta: &[f32], budget: Budget, storage: Storage) -> Result<()> {
    assert_eq!(rgb.len(), delta.len(), "a value for each byte");
    budget.check(delta)?;
    for (byte, &value) in rgb.iter_mut().zip(delta) {
        // In this order a whole level stays one, so that truncation keeps it.
        let level = 255.0 * (f32::from(*byte) / 255.0 + value).clamp(0.0, 1.0);
        *byte = match storage {
            Storage::Round => level.round(),
            Storage::Truncate => level.floor(),
        } as u8;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_signs_are_added_clipped_and_stored() {
        let delta = [0.6, -0.6, 2.0, -2.0].map(|levels: f32| levels / 255.0);
        let budget = Budget::L2(1.0);
        let mut rgb = [100, 100, 254, 1];
        apply(&mut rgb, &delta, budget, Storage::Round).unwrap();
        assert_eq!(rgb, [101, 99, 255, 0]);
        let mut rgb = [100, 100, 254, 1];
        apply(&mut rgb, &delta, budget, Storage::Truncate).unwrap();
        assert_eq!(rgb, [100, 99, 255, 0]);
    }

    #[test]
    fn without_colour_one_channel_has_the_size_of_three() {
        let colourful = [0.3, 0.0, 0.0, -0.1, 0.1, -0.3f32];
        for (budget, expected) in [
            (Budget::L2(0.20f64.sqrt()), 0.20f32.sqrt() / 2f32.sqrt()),
            (Budget::Linf(0.3), 0.3),
            (Budget::L0(2), 0.1),
        ] {
            let mut grey = colourful;
            budget.without_colour(&mut grey);
            assert!(budget.of_one_channel().check(&grey).is_ok(), "{budget:?}");
            for (value, expected) in grey
                .iter()
                .zip([expected; 3].into_iter().chain([-expected; 3]))
            {
                assert!((value - expected).abs() < 1e-6, "{budget:?}: {grey:?}");
            }
        }
        let mut cancelled = [0.1, -0.1, 0.0];
        Budget::L2(1.0).without_colour(&mut cancelled);
        assert_eq!(cancelled, [0.0; 3]);
    }

    #[test]
    fn what_is_over_the_budget_is_refused_and_changes_nothing() {
        for delta in [[0.8, 0.8], [f32::NAN, 0.0], [f32::INFINITY, 0.0]] {
            let mut rgb = [7, 7];
            assert!(apply(&mut rgb, &delta, Budget::L2(1.0), Storage::Round).is_err());
            assert_eq!(rgb, [7, 7]);
        }
        for (budget, fits, over) in [
            (
                Budget::Linf(0.5),
                [0.5, -0.5, 0.5, 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, 0.0, 0.0, -0.6],
            ),
            (
                Budget::L0(1),
                [9.0, -9.0, 9.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.1, 0.1, 0.0, 0.0],
            ),
        ] {
            assert!(budget.check(&fits).is_ok() && budget.check(&over).is_err());
            assert!(budget.check(&[f32::NAN; 3]).is_err());
        }
    }
}
