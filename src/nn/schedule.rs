//! Learning-rate schedules.

use std::f64::consts::PI;

/// Cosine annealing to zero over `epochs` (Loshchilov and Hutter, 2017), constant within an epoch; `epoch` counts from 0.
pub fn cosine(peak: f64, epoch: usize, epochs: usize) -> f64 {
    peak * 0.5 * (1.0 + (PI * epoch as f64 / epochs.max(1) as f64).cos())
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
}
