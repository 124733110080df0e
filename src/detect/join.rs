//! One score from several views: their linear discriminant (Fisher 1936).
//!
//! Each view is standard normal on clean rows. How far it lifts the rows that carry is what its own mixture says; how much
//! two views repeat each other is the correlation of their null samples. A view that sees nothing new gets no weight, so
//! that it cannot drown the one that sees.

use faer::Mat;
use faer::linalg::solvers::Solve;

use super::View;
use crate::mixture::{Anchor, Mixture};

/// Correlations are held below this, so that two views that all but agree still have a discriminant.
const LARGEST_CORRELATION: f64 = 0.95;

/// The joined score of each row with `labels` below `classes`, standard normal on clean rows.
pub(super) fn joined(views: &[&View], labels: &[u32], classes: usize) -> Vec<f64> {
    let weights = weights(views, labels, classes);
    (0..labels.len())
        .map(|i| {
            views
                .iter()
                .zip(&weights)
                .map(|(view, w)| w * view.scores[i])
                .sum()
        })
        .collect()
}

/// A weight for each view, none negative, scaled to unit variance under the null.
fn weights(views: &[&View], labels: &[u32], classes: usize) -> Vec<f64> {
    let n = views.len();
    let correlations = Mat::from_fn(n, n, |a, b| match a == b {
        true => 1.0,
        false => correlation(&views[a].null, &views[b].null),
    });
    let lift = |view: &&View| {
        let mixture = Mixture::fit(&view.scores, labels, classes, Anchor::LOOSE);
        mixture.carrying.0 - mixture.clean.0
    };
    let lifts: Vec<f64> = views.iter().map(lift).collect();
    let column = Mat::from_fn(n, 1, |a, _| lifts[a]);
    let solved = correlations.partial_piv_lu().solve(&column);
    let mut weights: Vec<f64> = (0..n).map(|a| solved[(a, 0)].max(0.0)).collect();
    let pairs = (0..n).flat_map(|a| (0..n).map(move |b| (a, b)));
    let variance: f64 = pairs
        .map(|(a, b)| weights[a] * weights[b] * correlations[(a, b)])
        .sum();
    let scale = 1.0 / variance.max(f64::MIN_POSITIVE).sqrt();
    weights.iter_mut().for_each(|w| *w *= scale);
    weights
}

/// Correlation about zero of two null samples, within the bounds that the discriminant needs.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let norm = (product(a, a) * product(b, b))
        .sqrt()
        .max(f64::MIN_POSITIVE);
    (product(a, b) / norm).clamp(-LARGEST_CORRELATION, LARGEST_CORRELATION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    fn view(lift: f64, shared: f64, stream: u64) -> View {
        let draw = |n: usize, purpose: &str, index: u64| -> Vec<f64> {
            let rng = &mut crate::Seed(3).stream(purpose, index);
            (0..n).map(|_| StandardNormal.sample(rng)).collect()
        };
        let mix = |n: usize, kind: &str| -> Vec<f64> {
            let common = draw(n, &format!("common {kind}"), 0);
            let own = draw(n, &format!("own {kind}"), stream);
            common
                .iter()
                .zip(own)
                .map(|(c, o)| shared.sqrt() * c + (1.0 - shared).sqrt() * o)
                .collect()
        };
        let mut scores = mix(2000, "scores");
        scores[..400].iter_mut().for_each(|s| *s += lift);
        View {
            name: "test",
            scores,
            null: mix(4000, "null"),
        }
    }

    #[test]
    fn equal_views_count_alike_and_a_repeat_of_a_better_one_not_at_all() {
        let labels = vec![0u32; 2000];
        let (a, b) = (view(8.0, 0.0, 0), view(8.0, 0.0, 1));
        let w = weights(&[&a, &b], &labels, 1);
        assert!(
            (w[0] - w[1]).abs() < 0.1 && (w[0] - 0.7).abs() < 0.1,
            "{w:?}"
        );
        let (strong, weak) = (view(9.0, 0.8, 0), view(4.0, 0.8, 1));
        let w = weights(&[&strong, &weak], &labels, 1);
        assert!((w[0] - 1.0).abs() < 1e-9 && w[1] == 0.0, "{w:?}");
    }
}
