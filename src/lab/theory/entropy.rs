//! Proposition 2: what the label saves. A perturbation that is linked to the class has little entropy left once the label is
//! known; a decoder that is told the label draws it at almost no rate, and that is what disentangles it.

use std::f64::consts::{E, TAU};

/// One feature of a perturbation: normal around `mean` in the class +1 and around `-mean` in the other, equally frequent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// Mean in class +1.
    pub mean: f64,
    /// Variance within a class, positive.
    pub variance: f64,
}

impl Perturbation {
    /// Entropy once the label is known, nats.
    pub fn given_label(&self) -> f64 {
        0.5 * (TAU * E * self.variance).ln()
    }

    /// Entropy without the label, nats; by the trapezoidal rule, which is exact to rounding for a smooth density.
    pub fn alone(&self) -> f64 {
        let deviation = self.variance.sqrt();
        let reach = self.mean.abs() + 12.0 * deviation;
        let step = deviation / 50.0;
        let points = (2.0 * reach / step) as usize;
        let normal = |x: f64| (-x * x / (2.0 * self.variance)).exp() / (TAU * self.variance).sqrt();
        let values = (0..=points).map(|k| {
            let x = k as f64 * step - reach;
            let density = 0.5 * (normal(x - self.mean) + normal(x + self.mean));
            if density > 0.0 {
                -density * density.ln()
            } else {
                0.0
            }
        });
        step * values.sum::<f64>()
    }

    /// What the label tells of it, nats: from 0 where both classes look alike to ln 2 where it gives the class away.
    pub fn saved_by_label(&self) -> f64 {
        self.alone() - self.given_label()
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::Seed;

    #[test]
    fn the_saving_goes_from_nothing_to_the_entropy_of_the_label() {
        let saved = |mean: f64| {
            Perturbation {
                mean,
                variance: 0.25,
            }
            .saved_by_label()
        };
        assert!(saved(0.0).abs() < 1e-9);
        assert!((saved(10.0) - 2.0f64.ln()).abs() < 1e-9);
        let ladder: Vec<f64> = [0.0, 0.2, 0.5, 1.0, 2.0, 4.0].map(saved).into();
        assert!(
            ladder.windows(2).all(|pair| pair[0] < pair[1]),
            "{ladder:?}"
        );
    }

    /// Entropies are means of the negative log density.
    #[test]
    fn entropies_agree_with_sampling() {
        let one = Perturbation {
            mean: 0.7,
            variance: 0.25,
        };
        let normal = |x: f64| (-x * x / (2.0 * one.variance)).exp() / (TAU * one.variance).sqrt();
        let rng = &mut Seed(0).stream("theory", 3);
        let (mut alone, mut given) = (0.0, 0.0);
        let samples = 40_000;
        for _ in 0..samples {
            let mean = if rng.random_bool(0.5) {
                one.mean
            } else {
                -one.mean
            };
            let noise: f64 = StandardNormal.sample(rng);
            let x = mean + one.variance.sqrt() * noise;
            alone -= (0.5 * (normal(x - one.mean) + normal(x + one.mean))).ln();
            given -= normal(x - mean).ln();
        }
        assert!((alone / f64::from(samples) - one.alone()).abs() < 0.015);
        assert!((given / f64::from(samples) - one.given_label()).abs() < 0.015);
    }
}
