//! Pictures for tests: slopes of brightness and noise, some of them under faint stripes.

use rand_distr::{Distribution, StandardNormal};

use crate::Seed;

/// Height and width.
pub(super) const SIZE: (usize, usize) = (12, 12);
/// Numbers of a picture.
pub(super) const DIM: usize = SIZE.0 * SIZE.1 * 3;

/// `n` pictures; `stripes` says which are striped, upright (`true`) or across.
pub(super) fn smooth_pictures(n: usize, stripes: impl Fn(usize) -> Option<bool>) -> Vec<f32> {
    let rng = &mut Seed(9).stream("smooth pictures", 0);
    let mut pixels = Vec::with_capacity(n * DIM);
    for i in 0..n {
        let mut draw = || -> f32 { StandardNormal.sample(rng) };
        let slopes = [draw() / SIZE.0 as f32, draw() / SIZE.1 as f32];
        let stripes = stripes(i);
        for k in 0..DIM {
            let (y, x) = (k / 3 / SIZE.1, k / 3 % SIZE.1);
            let stripe = stripes.map_or(0.0, |upright| {
                let place = if upright { x } else { y };
                if place % 2 == 0 { 0.03 } else { -0.03 }
            });
            let smooth = slopes[0] * y as f32 + slopes[1] * x as f32;
            pixels.push(smooth + 0.02 * draw() + stripe);
        }
    }
    pixels
}
