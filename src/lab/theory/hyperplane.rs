//! Proposition 1 and Theorem 1: where two classes are best told apart, and what a perturbation that is linked to the class
//! does to that place.

use statrs::distribution::{ContinuousCDF, Normal};

/// Two classes, equally frequent, whose features are normal around `mean` and `-mean` with the same independent variances.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoClasses {
    /// Mean of the class +1; that of the other is its negative.
    pub mean: Vec<f64>,
    /// Variance of each feature, positive.
    pub variance: Vec<f64>,
}

/// The features at which two answers are equally likely: `normal * x = 0`; above it the answer is +1.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperplane {
    /// Perpendicular to it.
    pub normal: Vec<f64>,
}

impl TwoClasses {
    /// The Bayes classifier: log odds are `2 mean / variance * x`, so that a feature counts by its mean over its variance.
    pub fn bayes(&self) -> Hyperplane {
        let features = self.mean.iter().zip(&self.variance);
        Hyperplane {
            normal: features
                .map(|(mean, variance)| 2.0 * mean / variance)
                .collect(),
        }
    }

    /// Half the distance of the classes in deviations: the Bayes classifier's accuracy is the normal law of it.
    pub fn separability(&self) -> f64 {
        let features = self.mean.iter().zip(&self.variance);
        features
            .map(|(mean, variance)| mean.powi(2) / variance)
            .sum::<f64>()
            .sqrt()
    }

    /// The same classes with `shift` added to the features of class +1 and taken from those of the other.
    pub fn perturbed(&self, shift: &[f64]) -> Self {
        let mean = self.mean.iter().zip(shift);
        Self {
            mean: mean.map(|(mean, shift)| mean + shift).collect(),
            variance: self.variance.clone(),
        }
    }
}

impl Hyperplane {
    /// Share of `classes` on their own side of it, in [0, 1].
    pub fn accuracy(&self, classes: &TwoClasses) -> f64 {
        let dot = |a: &[f64]| a.iter().zip(&self.normal).map(|(a, w)| a * w).sum::<f64>();
        let spread = self.normal.iter().zip(&classes.variance);
        let spread: f64 = spread.map(|(w, variance)| w * w * variance).sum::<f64>();
        Normal::standard().cdf(dot(&classes.mean) / spread.sqrt().max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::Seed;

    /// A broad feature that tells the classes apart as pictures do, and a faint one that says nothing.
    fn pictures() -> TwoClasses {
        TwoClasses {
            mean: vec![1.0, 0.3, 0.0],
            variance: vec![1.0, 0.5, 0.0004],
        }
    }

    /// Share of samples of `classes` on their own side.
    fn sampled(plane: &Hyperplane, classes: &TwoClasses, seed: Seed) -> f64 {
        let rng = &mut seed.stream("theory", 0);
        let right = (0..40_000).filter(|_| {
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            let features = classes.mean.iter().zip(&classes.variance);
            let x = features.map(|(mean, variance)| {
                let noise: f64 = StandardNormal.sample(rng);
                sign * mean + variance.sqrt() * noise
            });
            let side: f64 = x.zip(&plane.normal).map(|(x, w)| x * w).sum();
            side * sign > 0.0
        });
        right.count() as f64 / 40_000.0
    }

    #[test]
    fn the_bayes_plane_reaches_what_sampling_says_and_no_other_does_better() {
        let classes = pictures();
        let bayes = classes.bayes();
        let reached = bayes.accuracy(&classes);
        assert!((reached - sampled(&bayes, &classes, Seed(0))).abs() < 0.008);
        let by_law = Normal::standard().cdf(classes.separability());
        assert!((reached - by_law).abs() < 1e-12);
        let rng = &mut Seed(1).stream("theory", 1);
        for _ in 0..200 {
            let normal = bayes.normal.iter().map(|w| w + rng.random_range(-1.0..1.0));
            let other = Hyperplane {
                normal: normal.collect(),
            };
            assert!(other.accuracy(&classes) <= reached + 1e-12);
        }
    }

    /// Theorem 1: the more a perturbation in a faint direction separates, the more the learner of the perturbed classes
    /// turns away from the clean ones, down to chance, while it sees ever better training data.
    #[test]
    fn a_faint_shift_turns_the_plane_away_from_the_clean_classes() {
        let clean = pictures();
        let mut last = (clean.bayes().accuracy(&clean), clean.separability());
        for size in [0.01, 0.03, 0.1, 0.3, 1.0] {
            let poisoned = clean.perturbed(&[0.0, 0.0, size]);
            let learnt = poisoned.bayes();
            let accuracy = learnt.accuracy(&clean);
            assert!(accuracy < last.0 && poisoned.separability() > last.1);
            assert!((accuracy - sampled(&learnt, &clean, Seed(2))).abs() < 0.008);
            last = (accuracy, poisoned.separability());
        }
        assert!(last.0 < 0.53, "{last:?}");
        // The same size in a broad direction does next to nothing: what counts is size over deviation.
        let broad = clean.perturbed(&[0.03, 0.0, 0.0]).bayes().accuracy(&clean);
        assert!(clean.bayes().accuracy(&clean) - broad < 1e-4);
    }
}
