//! Clean or carrying: a two-component normal mixture over one score, with a share of its own for each class.
//!
//! The clean component is anchored near the standard normal law that scores under wrong labels follow, so that it stays
//! the clean one even where every row is poisoned and no clean row is left to fit.

mod law;
mod witnesses;

use crate::Labels;
use law::{Law, Moments, Share, TAIL_WIDTH, Tailed};
pub use witnesses::{Account, Testimony};

/// How far the components may move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// Where the mean of the clean component may lie.
    pub mean: (f64, f64),
    /// Where its standard deviation may lie.
    pub deviation: (f64, f64),
    /// Least distance between the two means, in clean standard deviations.
    pub gap: f64,
    /// Share of the clean law that is spread wider. Where natural rows have a slope of their own, a normal law would deny
    /// its end, and give it to the carrying part, however far away.
    pub tail: f64,
}

impl Anchor {
    /// For classes that hold clean rows: they show how much honest class content the score lets through.
    pub const LOOSE: Self = Self {
        mean: (-1.0, 1.0),
        deviation: (0.7, 1.6),
        gap: 2.0,
        tail: 0.0,
    };
    /// For scores in which natural rows have a slope of their own: only what stands far out may be the carrying part.
    pub const FAR: Self = Self {
        gap: 4.5,
        tail: 0.05,
        ..Self::LOOSE
    };
    /// For classes in which every row may carry: the law of wrong labels itself.
    pub const NULL: Self = Self {
        mean: (0.0, 0.0),
        deviation: (1.0, 1.0),
        gap: 0.0,
        tail: 0.0,
    };

    /// This mean and deviation of the clean component, or the nearest that are allowed.
    fn held(&self, (mean, deviation): (f64, f64)) -> (f64, f64) {
        let clamp = |value: f64, (low, high): (f64, f64)| value.clamp(low, high);
        (clamp(mean, self.mean), clamp(deviation, self.deviation))
    }
}

/// Expectation-maximisation stops after this many rounds; it has long converged by then.
const ROUNDS: usize = 200;
/// Or when the means and the deviation together move by less than this.
const SETTLED: f64 = 1e-5;

/// A fitted mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Mean and standard deviation of the clean component.
    pub clean: (f64, f64),
    /// Mean and standard deviation of the carrying component.
    pub carrying: (f64, f64),
    /// Share of carrying rows in each class.
    pub shares: Vec<f64>,
    /// As in [`Anchor::tail`].
    pub tail: f64,
}

impl Mixture {
    /// Fits to `scores` of rows with these `labels`. Empty input gives the starting point.
    pub fn fit(scores: &[f64], labels: Labels<'_>, anchor: Anchor) -> Self {
        let mut mixture = Self {
            clean: (0.0, 1.0),
            carrying: (4.0, 2.0),
            shares: vec![0.1; labels.classes],
            tail: anchor.tail,
        };
        for _ in 0..ROUNDS {
            let next = mixture.next(scores, labels, anchor);
            let moved = (next.carrying.0 - mixture.carrying.0).abs()
                + (next.clean.0 - mixture.clean.0).abs()
                + (next.clean.1 - mixture.clean.1).abs();
            mixture = next;
            if moved < SETTLED {
                break;
            }
        }
        mixture
    }

    /// Distance between the two means, in clean standard deviations.
    pub fn separation(&self) -> f64 {
        (self.carrying.0 - self.clean.0) / self.clean.1
    }

    /// Probability that a row of `label` with `score` carries a perturbation; never falls as the score rises.
    pub fn posterior(&self, score: f64, label: u32) -> f64 {
        self.laws().posterior(score, label)
    }

    /// As [`Mixture::posterior`], of all rows.
    pub fn posteriors(&self, scores: &[f64], labels: Labels<'_>) -> Vec<f64> {
        let laws = self.laws();
        let rows = scores.iter().zip(labels);
        rows.map(|(&score, &label)| laws.posterior(score, label))
            .collect()
    }

    fn laws(&self) -> Laws {
        Laws {
            clean: Tailed::new(self.clean, self.tail, TAIL_WIDTH),
            carrying: Law::new(1.0, self.carrying),
            clean_odds: self
                .shares
                .iter()
                .map(|share| (1.0 - share) / share)
                .collect(),
        }
    }

    fn next(&self, scores: &[f64], labels: Labels<'_>, anchor: Anchor) -> Self {
        let laws = self.laws();
        let mut clean = Moments::default();
        let mut carrying = Moments::default();
        let mut shares = vec![Share::default(); self.shares.len()];
        for (&score, &label) in scores.iter().zip(labels) {
            let p = laws.posterior(score, label);
            carrying.add(score, p);
            clean.add(score, (1.0 - p) * laws.clean.core_weight(score));
            shares[label as usize].add(p);
        }
        let clean = anchor.held(clean.or(self.clean));
        let (mean, deviation) = carrying.or(self.carrying);
        let carrying = (mean.max(clean.0 + anchor.gap * clean.1), deviation.max(0.5));
        Self {
            clean,
            carrying,
            shares: shares.iter().map(Share::value).collect(),
            tail: self.tail,
        }
    }
}

/// The densities of a mixture, with all that does not depend on the row worked out.
struct Laws {
    clean: Tailed,
    carrying: Law,
    /// Odds of a clean row in each class.
    clean_odds: Vec<f64>,
}

impl Laws {
    fn posterior(&self, score: f64, label: u32) -> f64 {
        if score <= self.clean.mean {
            // A wide carrying component would otherwise claim the far left tail too.
            return 0.0;
        }
        // Relative to the carrying component, which stays away from zero where a row carries.
        let clean = self.clean.relative(score, self.carrying.ln(score));
        1.0 / (1.0 + clean * self.clean_odds[label as usize])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    pub(super) fn draw(n: usize, mean: f64, deviation: f64, stream: u64) -> Vec<f64> {
        let rng = &mut crate::Seed(0).stream("mixture test", stream);
        (0..n)
            .map(|_| {
                let z: f64 = StandardNormal.sample(rng);
                mean + deviation * z
            })
            .collect()
    }

    #[test]
    fn finds_the_shares_of_each_class() {
        let mut scores = draw(2000, 0.2, 1.0, 0);
        let mut labels = vec![0u32; 2000];
        scores.extend(draw(500, 8.0, 2.0, 1));
        labels.extend([0; 500]);
        scores.extend(draw(1000, 0.2, 1.0, 2));
        labels.extend([1; 1000]);
        let mixture = Mixture::fit(&scores, Labels::new(&labels, 2), Anchor::LOOSE);
        assert!((mixture.shares[0] - 0.2).abs() < 0.01, "{mixture:?}");
        assert!(mixture.shares[1] < 0.005, "{mixture:?}");
        assert!((mixture.carrying.0 - 8.0).abs() < 0.3, "{mixture:?}");
    }

    #[test]
    fn stays_anchored_where_every_row_carries() {
        let scores = draw(2000, 6.0, 1.5, 3);
        let mixture = Mixture::fit(&scores, Labels::new(&[0; 2000], 1), Anchor::NULL);
        assert!(mixture.shares[0] > 0.99, "{mixture:?}");
    }

    #[test]
    fn the_posterior_never_falls() {
        let mixture = Mixture {
            clean: (0.0, 1.0),
            carrying: (8.0, 5.0),
            shares: vec![0.2],
            tail: 0.0,
        };
        let posteriors: Vec<f64> = (-100..200)
            .map(|s| mixture.posterior(f64::from(s) / 10.0, 0))
            .collect();
        assert!(posteriors.windows(2).all(|w| w[0] <= w[1]));
    }
}
