//! The variance-preserving diffusion (Song et al., 2021) with the constants of AVATAR: how a picture drowns in noise over
//! the time from 0 to 1, and the way back. Values are in [-1, 1], the scale on which the noise has deviation one.

use crate::Result;

/// The rate of the noise at time 0 and at time 1.
const RATES: [f64; 2] = [0.1, 20.0];

/// How far pictures are sent: 100 of the 1,000 steps of the published code.
pub(super) const FAR: f64 = 0.1;

fn rate(time: f64) -> f64 {
    RATES[0] + time * (RATES[1] - RATES[0])
}

/// What is left of a picture at `time`, and the deviation of the noise on it.
pub(super) fn mixture(time: f64) -> (f64, f64) {
    let drowned = RATES[0] * time + 0.5 * (RATES[1] - RATES[0]) * time * time;
    ((-0.5 * drowned).exp(), (-(-drowned).exp_m1()).sqrt())
}

/// The pictures `x` at time 0, sent to time [`FAR`] with `noise` of deviation one.
pub(super) fn forth(x: &mut [f32], noise: &[f32]) {
    let (signal, deviation) = mixture(FAR);
    for (x, noise) in x.iter_mut().zip(noise) {
        *x = (signal * f64::from(*x) + deviation * f64::from(*noise)) as f32;
    }
}

/// The pictures `x` at time [`FAR`], brought back to 0 by Euler-Maruyama in so many `steps`. `predict` tells the noise that
/// it sees in pictures at a time, `draw` gives fresh noise, both of deviation one. The last step adds none, as nothing
/// would take it away.
pub(super) fn back(
    x: &mut [f32],
    steps: usize,
    mut predict: impl FnMut(&[f32], f64) -> Result<Vec<f32>>,
    mut draw: impl FnMut() -> Vec<f32>,
) -> Result<()> {
    let length = FAR / steps as f64;
    for step in (1..=steps).rev() {
        let time = step as f64 * length;
        let (rate, (_, deviation)) = (rate(time), mixture(time));
        let predicted = predict(x, time)?;
        for (x, noise) in x.iter_mut().zip(&predicted) {
            let drift = 0.5 * rate * f64::from(*x) - rate / deviation * f64::from(*noise);
            *x += (length * drift) as f32;
        }
        if step > 1 {
            let spread = (rate * length).sqrt() as f32;
            let fresh = draw();
            x.iter_mut()
                .zip(fresh)
                .for_each(|(x, noise)| *x += spread * noise);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::stats::moments;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_mixture_is_that_of_the_published_hundred_steps() {
        let discrete = (0..100).map(|i| {
            let rate = RATES[0] + (RATES[1] - RATES[0]) * f64::from(i) / 999.0;
            1.0 - rate / 1000.0
        });
        let (signal, deviation) = mixture(FAR);
        assert!((signal.powi(2) - discrete.product::<f64>()).abs() < 2e-3);
        assert!((signal.powi(2) + deviation.powi(2) - 1.0).abs() < 1e-12);
        assert_eq!(mixture(0.0), (1.0, 0.0));
    }

    /// Where all pictures are of one normal distribution, the noise in one is known exactly, and the way back must end in that
    /// distribution.
    #[test]
    fn the_way_back_ends_in_the_distribution_that_the_noise_is_predicted_from() {
        const MEAN: f64 = 0.3;
        for (spread, steps) in [(0.0, 20), (0.2, 200)] {
            let rng = &mut Seed(3).stream("test", 0);
            let normal =
                |rng: &mut _| -> Vec<f32> { StandardNormal.sample_iter(rng).take(4000).collect() };
            let mut x: Vec<f32> = normal(rng);
            x.iter_mut()
                .for_each(|x| *x = (MEAN + spread * f64::from(*x)) as f32);
            forth(&mut x, &normal(rng));
            let predict = |x: &[f32], time: f64| {
                let (signal, deviation) = mixture(time);
                let variance = (signal * spread).powi(2) + deviation.powi(2);
                let noise = |&x: &f32| deviation * (f64::from(x) - signal * MEAN) / variance;
                Ok(x.iter().map(|x| noise(x) as f32).collect())
            };
            back(&mut x, steps, predict, || normal(rng)).unwrap();
            let x: Vec<f64> = x.into_iter().map(f64::from).collect();
            let (mean, deviation) = moments(&x);
            assert!((mean - MEAN).abs() < 0.01, "{mean}");
            assert!((deviation - spread).abs() < 0.02, "{deviation}");
        }
    }
}
