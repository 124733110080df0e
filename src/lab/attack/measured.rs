//! How large a poison is once it is stored.

use serde::{Deserialize, Serialize};

/// Sizes of the changes of stored pictures: the bytes of the copy less those of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Pictures that were measured.
    pub pictures: usize,
    /// Largest change of a value, 8-bit levels.
    pub linf_levels: u8,
    /// Largest Euclidean norm of a picture's change, [0, 1] pixel units.
    pub l2_largest: f64,
    /// Mean of these norms.
    pub l2_mean: f64,
    /// Most pixels changed in a picture, all colours of each.
    pub l0_largest: usize,
    /// Mean of these numbers.
    pub l0_mean: f64,
}

impl Measured {
    /// Takes one picture more into account, `[height, width, 3]` before and after.
    pub fn add(&mut self, old: &[u8], new: &[u8]) {
        let levels = || old.iter().zip(new).map(|(&old, &new)| old.abs_diff(new));
        let squares: u64 = levels().map(|level| u64::from(level).pow(2)).sum();
        let l2 = (squares as f64).sqrt() / 255.0;
        let pixels = old.chunks(3).zip(new.chunks(3));
        let l0 = pixels.filter(|(old, new)| old != new).count();
        let before = self.pictures as f64;
        let mean = |mean: f64, value: f64| (mean * before + value) / (before + 1.0);
        *self = Self {
            pictures: self.pictures + 1,
            linf_levels: self.linf_levels.max(levels().max().unwrap_or(0)),
            l2_largest: self.l2_largest.max(l2),
            l2_mean: mean(self.l2_mean, l2),
            l0_largest: self.l0_largest.max(l0),
            l0_mean: mean(self.l0_mean, l0 as f64),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_definitions() {
        let mut measured = Measured::default();
        measured.add(&[0; 6], &[3, 0, 4, 0, 0, 0]);
        measured.add(&[9; 6], &[9, 9, 9, 9, 9, 9]);
        assert_eq!((measured.pictures, measured.linf_levels), (2, 4));
        assert!((measured.l2_largest - 5.0 / 255.0).abs() < 1e-12);
        assert!((measured.l2_mean - 2.5 / 255.0).abs() < 1e-12);
        assert_eq!((measured.l0_largest, measured.l0_mean), (1, 0.5));
    }
}
