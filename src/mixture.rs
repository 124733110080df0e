//! Clean or carrying: a two-component normal mixture over one score, with a share of its own for each class.
//!
//! The clean component is anchored near the standard normal law that scores under wrong labels follow, so that it stays
//! the clean one even where every row is poisoned and no clean row is left to fit.

use std::f64::consts::TAU;

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
    /// As [`Anchor::FAR`], where natural rows may be more alike than the rows of both sides are in the mean. Where they have a slope of
    /// their own, it gives the end of that away, and leaves more rows in doubt than [`Anchor::FAR`] does.
    pub const ALIKE: Self = Self {
        deviation: (0.3, 1.6),
        ..Self::FAR
    };
    /// For classes in which every row may carry: the law of wrong labels itself.
    pub const NULL: Self = Self {
        mean: (0.0, 0.0),
        deviation: (1.0, 1.0),
        gap: 0.0,
        tail: 0.0,
    };
}

/// Spread of the tail, in clean standard deviations.
const TAIL_WIDTH: f64 = 3.0;

/// Expectation-maximisation stops after this many rounds; it has long converged by then.
const ROUNDS: usize = 200;
/// Or when the means and the deviation together move by less than this.
const SETTLED: f64 = 1e-5;
/// Pseudo-rows that hold each class's share off zero and one.
const PRIOR: f64 = 0.5;

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
    /// Fits to `scores` of rows with `labels` below `classes`. Empty input gives the starting point.
    pub fn fit(scores: &[f64], labels: &[u32], classes: usize, anchor: Anchor) -> Self {
        Self::start(classes, anchor).settled(scores, labels, anchor)
    }

    /// As [`Mixture::fit`], starting from the probability of each row to carry. Where most rows carry, the clean component would
    /// else begin among those.
    pub fn fit_from(
        carries: &[f64],
        scores: &[f64],
        labels: &[u32],
        classes: usize,
        anchor: Anchor,
    ) -> Self {
        let believed = |i: usize, _, _| (carries[i], 1.0);
        // Carrying rows that are believed clean spread that side, and would push the other one away.
        let least = anchor.deviation.0;
        let narrow = Anchor {
            deviation: (least, least),
            ..anchor
        };
        let start = Self::start(classes, anchor).next(scores, labels, narrow, believed);
        start.settled(scores, labels, anchor)
    }

    fn start(classes: usize, anchor: Anchor) -> Self {
        Self {
            clean: (0.0, 1.0),
            carrying: (4.0, 2.0),
            shares: vec![0.1; classes],
            tail: anchor.tail,
        }
    }

    fn settled(mut self, scores: &[f64], labels: &[u32], anchor: Anchor) -> Self {
        for _ in 0..ROUNDS {
            let laws = self.laws();
            let next = self.next(scores, labels, anchor, |_, score, label| {
                (laws.posterior(score, label), laws.clean_weight(score))
            });
            let moved = (next.carrying.0 - self.carrying.0).abs()
                + (next.clean.0 - self.clean.0).abs()
                + (next.clean.1 - self.clean.1).abs();
            self = next;
            if moved < SETTLED {
                break;
            }
        }
        self
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
    pub fn posteriors(&self, scores: &[f64], labels: &[u32]) -> Vec<f64> {
        let laws = self.laws();
        let rows = scores.iter().zip(labels);
        rows.map(|(&score, &label)| laws.posterior(score, label))
            .collect()
    }

    fn laws(&self) -> Laws {
        let (mean, deviation) = self.clean;
        Laws {
            mean,
            core: Law::new(1.0 - self.tail, self.clean),
            tail: (self.tail > 0.0).then(|| Law::new(self.tail, (mean, TAIL_WIDTH * deviation))),
            carrying: Law::new(1.0, self.carrying),
            clean_odds: self
                .shares
                .iter()
                .map(|share| (1.0 - share) / share)
                .collect(),
        }
    }

    /// The components of rows of which `belief` says, by number, score and label, how probably each carries and how much it counts
    /// if it does not.
    fn next(
        &self,
        scores: &[f64],
        labels: &[u32],
        anchor: Anchor,
        belief: impl Fn(usize, f64, u32) -> (f64, f64),
    ) -> Self {
        let mut clean = Moments::default();
        let mut carrying = Moments::default();
        let mut held = vec![PRIOR * 0.1; self.shares.len()];
        let mut count = vec![PRIOR; self.shares.len()];
        for (i, (&score, &label)) in scores.iter().zip(labels).enumerate() {
            let (p, weight) = belief(i, score, label);
            carrying.add(score, p);
            clean.add(score, (1.0 - p) * weight);
            held[label as usize] += p;
            count[label as usize] += 1.0;
        }
        let clamp = |value: f64, (low, high): (f64, f64)| value.clamp(low, high);
        let (mean, deviation) = clean.or(self.clean);
        let clean = (clamp(mean, anchor.mean), clamp(deviation, anchor.deviation));
        let (mean, deviation) = carrying.or(self.carrying);
        let carrying = (mean.max(clean.0 + anchor.gap * clean.1), deviation.max(0.5));
        let shares = held.iter().zip(&count).map(|(h, n)| h / n).collect();
        Self {
            clean,
            carrying,
            shares,
            tail: self.tail,
        }
    }
}

/// The densities of a mixture, with all that does not depend on the row worked out.
struct Laws {
    /// Of the clean component.
    mean: f64,
    core: Law,
    tail: Option<Law>,
    carrying: Law,
    /// Odds of a clean row in each class.
    clean_odds: Vec<f64>,
}

impl Laws {
    fn posterior(&self, score: f64, label: u32) -> f64 {
        if score <= self.mean {
            // A wide carrying component would otherwise claim the far left tail too.
            return 0.0;
        }
        // Relative to the carrying component, which stays away from zero where a row carries.
        let carrying = self.carrying.ln(score);
        let ratio = |law: &Law| (law.ln(score) - carrying).min(700.0).exp();
        let clean = ratio(&self.core) + self.tail.as_ref().map_or(0.0, ratio);
        1.0 / (1.0 + clean * self.clean_odds[label as usize])
    }

    /// How much a clean row with `score` says about the clean mean and deviation: less in the tail.
    fn clean_weight(&self, score: f64) -> f64 {
        let Some(tail) = &self.tail else {
            return 1.0;
        };
        let core = 1.0 / (1.0 + (tail.ln(score) - self.core.ln(score)).min(700.0).exp());
        core + (1.0 - core) / TAIL_WIDTH.powi(2)
    }
}

/// A share of a normal law.
struct Law {
    mean: f64,
    inverse: f64,
    ln_peak: f64,
}

impl Law {
    fn new(share: f64, (mean, deviation): (f64, f64)) -> Self {
        Self {
            mean,
            inverse: deviation.recip(),
            ln_peak: share.ln() - deviation.ln() - 0.5 * TAU.ln(),
        }
    }

    fn ln(&self, score: f64) -> f64 {
        self.ln_peak - 0.5 * ((score - self.mean) * self.inverse).powi(2)
    }
}

/// Weighted count, sum and sum of squares.
#[derive(Default)]
struct Moments {
    weight: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        self.sum += weight * value;
        self.squares += weight * value * value;
    }

    /// Mean and standard deviation, or `fallback` where less than one row has come.
    fn or(&self, fallback: (f64, f64)) -> (f64, f64) {
        if self.weight < 1.0 {
            return fallback;
        }
        let mean = self.sum / self.weight;
        (
            mean,
            (self.squares / self.weight - mean * mean).max(0.0).sqrt(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    fn draw(n: usize, mean: f64, deviation: f64, stream: u64) -> Vec<f64> {
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
        let mixture = Mixture::fit(&scores, &labels, 2, Anchor::LOOSE);
        assert!((mixture.shares[0] - 0.2).abs() < 0.01, "{mixture:?}");
        assert!(mixture.shares[1] < 0.005, "{mixture:?}");
        assert!((mixture.carrying.0 - 8.0).abs() < 0.3, "{mixture:?}");
    }

    #[test]
    fn stays_anchored_where_every_row_carries() {
        let scores = draw(2000, 6.0, 1.5, 3);
        let mixture = Mixture::fit(&scores, &vec![0; 2000], 1, Anchor::NULL);
        assert!(mixture.shares[0] > 0.99, "{mixture:?}");
    }

    #[test]
    fn where_most_rows_carry_it_starts_from_what_is_believed() {
        let mut scores = draw(8000, 4.0, 1.2, 4);
        scores.extend(draw(2000, -0.3, 0.5, 5));
        let labels = vec![0; scores.len()];
        let alone = Mixture::fit(&scores, &labels, 1, Anchor::FAR);
        assert!(alone.shares[0] < 0.5, "{alone:?}");
        // A tenth of the belief is wrong.
        let carries: Vec<f64> = (0..scores.len())
            .map(|i| f64::from(u8::from((i < 8000) != (i % 10 == 0))))
            .collect();
        let mixture = Mixture::fit_from(&carries, &scores, &labels, 1, Anchor::FAR);
        assert!((mixture.shares[0] - 0.8).abs() < 0.02, "{mixture:?}");
    }

    #[test]
    fn rows_that_are_alike_leave_less_in_doubt() {
        let mut scores = draw(8000, 0.0, 0.4, 6);
        scores.extend(draw(2000, 7.0, 1.9, 7));
        let labels = vec![0; scores.len()];
        let carrying = |anchor| {
            let mixture = Mixture::fit(&scores, &labels, 1, anchor);
            let posteriors = mixture.posteriors(&scores, &labels);
            posteriors.iter().filter(|p| **p > 0.99).count()
        };
        let (usual, alike) = (carrying(Anchor::FAR), carrying(Anchor::ALIKE));
        assert!(alike > usual + 200 && alike <= 2000, "{usual} {alike}");
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
