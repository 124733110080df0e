//! Theorem 2: what a rate limit leaves of a feature. The rate of a normal latent bounds what it can say of the feature, and
//! so, from below, the error of every decoder; the bound falls as the rate grows, and features of little variance are the
//! first to go.

/// One feature of variance `variance` and mean 0, normal, sent as a latent of mean `gain * x` and variance `noise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// Variance of the feature, positive.
    pub variance: f64,
    /// From the feature to the latent's mean.
    pub gain: f64,
    /// Variance of the latent around its mean, positive.
    pub noise: f64,
}

impl Channel {
    /// The mean Kullback-Leibler divergence of the latent from the standard normal law, nats: what a VAE pays.
    pub fn rate(&self) -> f64 {
        0.5 * (self.gain.powi(2) * self.variance + self.noise - 1.0 - self.noise.ln())
    }

    /// What the latent tells of the feature, nats; never more than [`Channel::rate`].
    pub fn information(&self) -> f64 {
        0.5 * (1.0 + self.gain.powi(2) * self.variance / self.noise).ln()
    }

    /// Mean squared error of the best decoder.
    pub fn error(&self) -> f64 {
        self.variance * self.noise / (self.gain.powi(2) * self.variance + self.noise)
    }

    /// The channel that needs the least rate for its error: its latent follows the standard normal law as a whole, and rate
    /// and information are equal.
    ///
    /// # Panics
    /// If `error` is not between 0 and `variance`: a defect in the caller.
    pub fn best(variance: f64, error: f64) -> Self {
        assert!(
            error > 0.0 && error <= variance,
            "an error within the variance"
        );
        let noise = error / variance;
        Self {
            variance,
            gain: ((1.0 - noise) / variance).sqrt(),
            noise,
        }
    }
}

/// The least mean squared error with which a normal feature of this variance can be sent at `rate` nats.
pub fn distortion(variance: f64, rate: f64) -> f64 {
    variance * (-2.0 * rate).exp()
}

/// The least rate for that error, nats; 0 where the variance itself is no more.
pub fn nats_needed(variance: f64, error: f64) -> f64 {
    (0.5 * (variance / error).ln()).max(0.0)
}

/// The error of each of some independent features when they share `rate` nats in the best way: all of them down to one
/// level, and those whose variance is below it are not sent at all.
pub fn water_filling(variances: &[f64], rate: f64) -> Vec<f64> {
    let spent = |level: f64| {
        variances
            .iter()
            .map(|&v| nats_needed(v, level))
            .sum::<f64>()
    };
    let (mut low, mut high) = (0.0, variances.iter().copied().fold(0.0, f64::max));
    for _ in 0..200 {
        let level = 0.5 * (low + high);
        if spent(level) > rate {
            low = level;
        } else {
            high = level;
        }
    }
    variances
        .iter()
        .map(|&variance| variance.min(high))
        .collect()
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::Seed;

    const CHANNELS: [Channel; 3] = [
        Channel {
            variance: 1.0,
            gain: 0.8,
            noise: 0.3,
        },
        Channel {
            variance: 0.05,
            gain: 3.0,
            noise: 0.9,
        },
        Channel {
            variance: 2.0,
            gain: 0.1,
            noise: 1.4,
        },
    ];

    /// The divergence by quadrature over the latent, averaged over the feature by quadrature, and the error by sampling.
    #[test]
    fn rate_and_error_agree_with_quadrature_and_sampling() {
        for channel in CHANNELS {
            let density = |z: f64, mean: f64, variance: f64| {
                (-(z - mean).powi(2) / (2.0 * variance)).exp()
                    / (std::f64::consts::TAU * variance).sqrt()
            };
            let grid = |n: i32, step: f64| (-n..=n).map(move |i| f64::from(i) * step);
            let deviation = channel.variance.sqrt();
            let mean_rate: f64 = grid(60, 0.1)
                .map(|u| {
                    let mean = channel.gain * u * deviation;
                    let divergence: f64 = grid(900, 0.01)
                        .map(|z| {
                            let q = density(z, mean, channel.noise);
                            let ratio = q / density(z, 0.0, 1.0);
                            if q > 1e-300 {
                                0.01 * q * ratio.ln()
                            } else {
                                0.0
                            }
                        })
                        .sum();
                    0.1 * density(u, 0.0, 1.0) * divergence
                })
                .sum();
            assert!(
                (mean_rate - channel.rate()).abs() < 1e-4,
                "{mean_rate} {}",
                channel.rate()
            );

            let rng = &mut Seed(0).stream("theory", 2);
            let total = channel.gain.powi(2) * channel.variance + channel.noise;
            let back = channel.gain * channel.variance / total;
            let squares: f64 = (0..60_000)
                .map(|_| {
                    let [x, e]: [f64; 2] = [StandardNormal.sample(rng), StandardNormal.sample(rng)];
                    let x = deviation * x;
                    (x - back * (channel.gain * x + channel.noise.sqrt() * e)).powi(2)
                })
                .sum();
            let sampled = squares / 60_000.0;
            assert!((sampled / channel.error() - 1.0).abs() < 0.03);
        }
    }

    #[test]
    fn the_rate_bounds_information_and_error_and_the_best_channel_meets_it() {
        for channel in CHANNELS {
            assert!(channel.information() <= channel.rate());
            assert!(channel.error() >= distortion(channel.variance, channel.rate()));
            let best = Channel::best(channel.variance, channel.error());
            assert!((best.error() - channel.error()).abs() < 1e-12);
            assert!((best.rate() - best.information()).abs() < 1e-12);
            assert!(best.rate() <= channel.rate() + 1e-12);
            assert!((distortion(channel.variance, best.rate()) - best.error()).abs() < 1e-12);
        }
    }

    /// A perturbation is faint: at a small rate nothing of it comes through, and how much does grows with the rate.
    #[test]
    fn a_faint_feature_comes_through_last() {
        let variances = [1.0, 0.3, 0.0002];
        let left = |rate: f64| water_filling(&variances, rate);
        let mut last = vec![f64::INFINITY; 3];
        for rate in [0.0, 0.5, 1.0, 3.0, 6.0, 9.0] {
            let errors = left(rate);
            let spent: f64 = variances
                .iter()
                .zip(&errors)
                .map(|(&v, &e)| nats_needed(v, e))
                .sum();
            assert!((spent - rate).abs() < 1e-9, "all of the rate is used");
            assert!(
                errors.iter().zip(&last).all(|(new, old)| new <= old),
                "monotone"
            );
            last = errors;
        }
        assert_eq!(left(3.0)[2], 0.0002, "nothing of it is sent");
        assert!(left(9.0)[2] < 0.0002);
        assert!(left(3.0)[0] < 0.03, "while the broad one is");
    }
}
