//! View `energy`: does the row hold more than its share where natural pictures hold almost nothing?
//!
//! - Looks at: log mean square of the coordinates in the least variant fifth of the directions, in units of their own
//!   variance. No labels.
//! - Catches: dense perturbations of small amplitude (EM, TAP and their kin), down to 1 % of the rows.
//! - Misses: sparse and smooth patterns. It also rises with a noisier camera or another encoder: no class is in it, so it
//!   is reported as evidence and flags nothing by itself.
//! - Source: measured here.

use super::View;
use super::spectrum::Spectrum;

/// One part in this many of the directions is looked at.
const PART: usize = 5;

/// Log energy in the least variant directions; about zero on average.
pub(super) fn view(spectrum: &Spectrum) -> View {
    let coordinates = spectrum.whitened((spectrum.dim() / PART).max(1));
    let energy = |row: &[f32]| {
        let sum: f64 = row.iter().map(|v| f64::from(v * v)).sum();
        (sum / row.len() as f64).max(f64::MIN_POSITIVE).ln()
    };
    View {
        name: "energy",
        scores: coordinates
            .values
            .chunks_exact(coordinates.dim)
            .map(energy)
            .collect(),
        null: Vec::new(),
    }
}
