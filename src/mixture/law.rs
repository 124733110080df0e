//! What mixtures are made of: normal laws, with a part that is spread wider, their moments, and shares.

use std::f64::consts::TAU;

/// Spread of the tail of natural rows where nothing shows it, in standard deviations.
pub(super) const TAIL_WIDTH: f64 = 3.0;
/// Pseudo-rows that hold a share off zero and one...
const PRIOR: f64 = 0.5;
/// ...and the share of those.
const PRIOR_SHARE: f64 = 0.1;

/// A share of a normal law.
pub(super) struct Law {
    mean: f64,
    inverse: f64,
    ln_peak: f64,
}

impl Law {
    pub(super) fn new(share: f64, (mean, deviation): (f64, f64)) -> Self {
        Self {
            mean,
            inverse: deviation.recip(),
            ln_peak: share.ln() - deviation.ln() - 0.5 * TAU.ln(),
        }
    }

    pub(super) fn ln(&self, score: f64) -> f64 {
        self.ln_peak - 0.5 * ((score - self.mean) * self.inverse).powi(2)
    }
}

/// A normal law, a share of which is spread wider: natural rows have a slope.
pub(super) struct Tailed {
    pub(super) mean: f64,
    /// Of the narrow part.
    pub(super) deviation: f64,
    core: Law,
    tail: Option<Law>,
    width: f64,
}

impl Tailed {
    /// Of this mean and standard deviation; a `share` in \[0, 1) is so many times as wide.
    pub(super) fn new((mean, deviation): (f64, f64), share: f64, width: f64) -> Self {
        Self {
            mean,
            deviation,
            core: Law::new(1.0 - share, (mean, deviation)),
            tail: (share > 0.0).then(|| Law::new(share, (mean, width * deviation))),
            width,
        }
    }

    pub(super) fn ln(&self, score: f64) -> f64 {
        let core = self.core.ln(score);
        let Some(tail) = &self.tail else { return core };
        let tail = tail.ln(score);
        core.max(tail) + (-(core - tail).abs()).exp().ln_1p()
    }

    /// The density, relative to one of which the logarithm is given.
    pub(super) fn relative(&self, score: f64, ln: f64) -> f64 {
        let ratio = |law: &Law| (law.ln(score) - ln).min(700.0).exp();
        ratio(&self.core) + self.tail.as_ref().map_or(0.0, ratio)
    }

    /// Probability that a row with `score` is of the narrow part.
    pub(super) fn core_share(&self, score: f64) -> f64 {
        let odds = |tail: &Law| -> f64 { (tail.ln(score) - self.core.ln(score)).min(700.0).exp() };
        1.0 / (1.0 + self.tail.as_ref().map_or(0.0, odds))
    }

    /// How much a row with `score` says about the mean and the deviation: less in the tail.
    pub(super) fn core_weight(&self, score: f64) -> f64 {
        let core = self.core_share(score);
        core + (1.0 - core) / self.width.powi(2)
    }
}

/// Weighted count, sum and sum of squares.
#[derive(Default)]
pub(super) struct Moments {
    pub(super) weight: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        self.weight += weight;
        self.sum += weight * value;
        self.squares += weight * value * value;
    }

    /// Mean and standard deviation, or `fallback` where less than one row has come.
    pub(super) fn or(&self, fallback: (f64, f64)) -> (f64, f64) {
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

/// Carrying rows among all of a class.
#[derive(Clone, Copy)]
pub(super) struct Share {
    held: f64,
    count: f64,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            held: PRIOR * PRIOR_SHARE,
            count: PRIOR,
        }
    }
}

impl Share {
    /// Counts a row that carries with this probability.
    pub(super) fn add(&mut self, carries: f64) {
        self.held += carries;
        self.count += 1.0;
    }

    pub(super) fn value(&self) -> f64 {
        self.held / self.count
    }
}
