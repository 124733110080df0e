//! Views `template` and `residual`: does the row carry a pattern, fixed in place, that the rows of its class share?
//!
//! The first looks at the pixels, the second at x - x̂, what the D-VAE's rate limit kept out of its reconstruction.
//!
//! - Looks at: coordinates in the faint directions of the drop ([`Spectrum::faint`]), own label against the others, by
//!   cross-fitted and self-trained ridge regression ([`matched`]).
//! - Catches: position-bound class patterns at any share of the class (LSP, one-pixel shortcuts, class-wise noise).
//! - Misses: patterns without a position (autoregressive textures) and targeted adversarial noise.
//! - Source: measured here; the linear separability of these perturbations is from Yu et al., KDD 2022.

use super::View;
use super::crossfit::{Fit, matched};
use super::folds::Folds;
use super::lens::Band;
use super::linalg::Rows;
use super::spectrum::Spectrum;
use crate::mixture::Anchor;
use crate::{Labels, Result};

/// Share of the variance that counts as faint. Honest class content lies in the rest: with a tenth, a linear classifier on
/// clean CIFAR-10 is at chance.
const FAINT: f64 = 0.1;

/// How the class is fitted to faint coordinates, where honest pictures have all but no class.
const FIT: Fit = Fit {
    penalty: 0.3,
    anchor: Anchor::LOOSE,
};

/// Coordinates of all rows in the directions of `band`, fold by fold.
pub(super) fn coordinates(spectrum: &Spectrum<'_>, band: Band, folds: &Folds) -> Rows {
    match band {
        Band::Faint => spectrum.faint(FAINT, &folds.order()),
        Band::Visible => spectrum.visible(FAINT, &folds.order()),
    }
}

/// Evidence that each row carries its class's pattern, from its [`coordinates`]; standard normal where there is none.
pub(super) fn view(
    name: &'static str,
    coordinates: &Rows,
    labels: Labels<'_>,
    folds: &Folds,
) -> Result<View> {
    Ok(matched(coordinates, labels, folds, FIT)?.into_view(name))
}
