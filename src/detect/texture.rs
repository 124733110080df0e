//! View `texture`: does the row's grain have the texture of its class, wherever it lies?
//!
//! - Looks at: autocovariances of the clipped grain ([`Grain`]) over near neighbours and pairs of colours; own label
//!   against the others, by cross-fitted and self-trained ridge regression ([`matched`]).
//! - Catches: patterns without a position (autoregressive processes), and the texture that sign steps of a network leave.
//! - Misses: patterns with a position. Honest classes have textures too: what stands out must stand far out.
//! - Source: measured here; that these textures are class-linked is Sandoval-Segura et al., NeurIPS 2022.

use super::View;
use super::crossfit::{Fit, matched};
use super::folds::Folds;
use super::grain::Grain;
use super::linalg::Rows;
use crate::mixture::Anchor;
use crate::{Labels, Result};

/// Farthest neighbour, pixels.
const REACH: usize = 3;
/// Median of the absolute value of a standard normal variable.
const MEDIAN_OF_NORMAL: f32 = 0.674_489_75;
/// Added to the variance of each principal direction of the features.
const RIDGE: f64 = 1e-3;

/// How the class is fitted to textures.
pub(super) const FIT: Fit = Fit {
    penalty: 0.01,
    anchor: Anchor::FAR,
};

/// Textures of all rows, sphered: `[n, k]`.
pub(super) fn features(grain: &Grain<'_>) -> Result<Rows> {
    let width = grain.size().1;
    Rows::from_rows(grain.map(|picture, _| texture(picture, width))).sphered(RIDGE)
}

/// Evidence that each row has its class's texture, from [`features`].
pub(super) fn view(features: &Rows, labels: Labels<'_>, folds: &Folds) -> Result<View> {
    let rows = features.select(&folds.order());
    Ok(matched(&rows, labels, folds, FIT)?.into_view("texture"))
}

/// Mean products of the clipped grain with its neighbours, nine pairs of colours each. Clipping at one robust deviation
/// keeps the edges of natural pictures from drowning what lies everywhere.
fn texture(row: &[f32], width: usize) -> Vec<f32> {
    let height = row.len() / width / 3;
    let limit = robust_deviation(row);
    let clipped: Vec<f32> = row.iter().map(|v| (v / limit).clamp(-1.0, 1.0)).collect();
    let mut features = Vec::new();
    for down in 0..=REACH.min(height - 1) {
        let reach = REACH.min(width - 1) as isize;
        // Of a neighbour and its mirror image, one is enough.
        let first = if down == 0 { 0 } else { -reach };
        for right in first..=reach {
            features.extend(products(&clipped, (height, width), down, right));
        }
    }
    features
}

/// Mean products of each pixel's colours with those `down` rows and `right` columns away.
fn products(
    picture: &[f32],
    (height, width): (usize, usize),
    down: usize,
    right: isize,
) -> [f32; 9] {
    let overlap = width - right.unsigned_abs();
    let (from, to) = ((-right).max(0) as usize, right.max(0) as usize);
    let mut sums = [0f32; 9];
    for y in 0..height - down {
        let here = &picture[(y * width + from) * 3..][..overlap * 3];
        let there = &picture[((y + down) * width + to) * 3..][..overlap * 3];
        for (a, b) in here.chunks_exact(3).zip(there.chunks_exact(3)) {
            for (i, a) in a.iter().enumerate() {
                for (j, b) in b.iter().enumerate() {
                    sums[3 * i + j] += a * b;
                }
            }
        }
    }
    sums.map(|sum| sum / (height * width) as f32)
}

/// From the median of the absolute values.
fn robust_deviation(row: &[f32]) -> f32 {
    let mut values: Vec<f32> = row.iter().map(|v| v.abs()).collect();
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    (*median / MEDIAN_OF_NORMAL).max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texture_is_known_by_its_neighbours_wherever_it_lies() {
        let stripes = |shift: usize| -> Vec<f32> {
            (0..16 * 16 * 3)
                .map(|k| {
                    if (k / 3 % 16 + shift).is_multiple_of(2) {
                        1.0
                    } else {
                        -1.0
                    }
                })
                .collect()
        };
        let (a, b) = (texture(&stripes(0), 16), texture(&stripes(1), 16));
        assert_eq!(a, b);
        // Nine products a neighbour: itself, three to the right, and seven in each of three rows below.
        assert_eq!(a.len(), 9 * (4 + 3 * 7));
        let (itself, right) = (a[0], a[9]);
        assert!(
            (itself - MEDIAN_OF_NORMAL.powi(2)).abs() < 1e-5 && right < -0.9 * itself,
            "{itself} {right}"
        );
    }

    #[test]
    fn small_pictures_have_fewer_neighbours() {
        assert_eq!(texture(&[0.5; 2 * 3 * 3], 3).len(), 9 * (3 + 5));
    }
}
