//! Learning-rate schedules, as PyTorch's of the same names. All count from 0.

use std::f64::consts::PI;

/// Cosine annealing to zero over `epochs` (Loshchilov and Hutter, 2017), constant within an epoch; `epoch` counts from 0.
pub fn cosine(peak: f64, epoch: usize, epochs: usize) -> f64 {
    peak * 0.5 * (1.0 + (PI * epoch as f64 / epochs.max(1) as f64).cos())
}

/// One rise and one fall over the whole training (Smith and Topin, 2018), step by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// Share of the steps in which the rate rises.
    pub rise: f64,
    /// First rate, as a share of the peak.
    pub start: f64,
    /// Last rate, as a share of the peak.
    pub end: f64,
    /// How it moves between the three.
    pub anneal: Anneal,
}

/// The way from one rate to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cosine,
    /// A straight line: the schedule is a triangle.
    Linear,
}

impl OneCycle {
    /// The rate of step `step` of `steps`.
    pub fn rate(&self, peak: f64, step: usize, steps: usize) -> f64 {
        let last = steps.saturating_sub(1) as f64;
        let top = (self.rise * steps as f64 - 1.0).max(0.0);
        let step = step as f64;
        let share = if step < top {
            self.anneal.between(self.start, 1.0, step / top)
        } else {
            let passed = (step - top) / (last - top).max(1.0);
            self.anneal.between(1.0, self.end, passed.min(1.0))
        };
        peak * share
    }
}

impl Anneal {
    fn between(self, from: f64, to: f64, share: f64) -> f64 {
        let share = match self {
            Self::Cosine => (1.0 - (PI * share).cos()) / 2.0,
            Self::Linear => share,
        };
        from + (to - from) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_the_peak_and_falls_towards_zero() {
        assert_eq!(cosine(0.005, 0, 60), 0.005);
        assert!((cosine(0.005, 30, 60) - 0.0025).abs() < 1e-12);
        assert!(cosine(0.005, 59, 60) < 1e-5);
    }

    fn assert_close(actual: impl Iterator<Item = f64>, expected: &[f64]) {
        let actual: Vec<f64> = actual.collect();
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-8, "{actual} {expected}");
        }
    }

    /// Expected numbers: `OneCycleLR` in PyTorch 2.15, ten steps to a peak of 0.1; `pct_start=0.3` with its defaults, and
    /// `pct_start=0.4, anneal_strategy="linear", div_factor=5, final_div_factor=20`.
    #[test]
    fn one_cycle_agrees_with_pytorch() {
        let cosine = OneCycle {
            rise: 0.3,
            start: 1.0 / 25.0,
            end: 1.0 / 25e4,
            anneal: Anneal::Cosine,
        };
        let expected = [
            0.004,
            0.052,
            0.1,
            0.095_048_463,
            0.081_174_565,
            0.061_126_202,
            0.038_874_198,
            0.018_825_835,
            0.004_951_937,
            4e-7,
        ];
        assert_close((0..10).map(|step| cosine.rate(0.1, step, 10)), &expected);
        let triangle = OneCycle {
            rise: 0.4,
            start: 0.2,
            end: 0.01,
            anneal: Anneal::Linear,
        };
        let expected = [
            0.02,
            0.046_666_667,
            0.073_333_333,
            0.1,
            0.0835,
            0.067,
            0.0505,
            0.034,
            0.0175,
            0.001,
        ];
        assert_close((0..10).map(|step| triangle.rate(0.1, step, 10)), &expected);
    }

    #[test]
    fn short_trainings_stay_between_the_ends() {
        let cycle = OneCycle {
            rise: 0.25,
            start: 0.2,
            end: 0.01,
            anneal: Anneal::Linear,
        };
        for steps in 1..6 {
            for step in 0..steps {
                let rate = cycle.rate(1.0, step, steps);
                assert!((0.01..=1.0).contains(&rate), "{step} of {steps}: {rate}");
            }
        }
    }
}
