//! Attacks that turn pictures into unlearnable examples.

mod ar;
mod budget;
mod catalogue;
mod em;
mod lsp;
mod measured;
mod npy;
mod ntga;
mod ops;
mod perturbation;
mod rem;
mod sep;
mod surrogate;
mod tap;
mod work;

use rand::seq::index;

use crate::data::is_grey;
use crate::observe::Observer;
use crate::{Error, Result, Seed};

pub use ar::Ar;
pub use budget::{Budget, Storage, apply};
pub use catalogue::{LARGE, NAMES, Options, Scale, named};
pub use em::Em;
pub use lsp::Lsp;
pub use measured::Measured;
pub use ntga::Ntga;
pub use ops::Ops;
pub use perturbation::{Perturbation, Stored};
pub use rem::Rem;
pub use sep::Sep;
pub use tap::Tap;
pub use work::WorkFile;

/// The rows an attack perturbs.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Height of every picture.
    pub height: usize,
    /// Width of every picture.
    pub width: usize,
    /// Labels of the rows, in order.
    pub labels: &'a [u32],
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// The pictures, `[rows, height, width, 3]`.
    pub pixels: &'a [u8],
}

impl<'a> Target<'a> {
    /// Values in a picture.
    pub fn image_len(&self) -> usize {
        self.height * self.width * 3
    }

    /// Whether no picture has a colour.
    fn is_grey(&self) -> bool {
        is_grey(self.pixels)
    }

    /// The rows of each class, ascending.
    pub(crate) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.classes];
        for (row, &label) in self.labels.iter().enumerate() {
            members[label as usize].push(row);
        }
        members
    }

    /// The class that lies `by` classes after that of each of some rows.
    pub(crate) fn aims(&self, rows: &[usize], by: usize) -> Vec<u32> {
        let aim = |&row: &usize| (self.labels[row] + by as u32) % self.classes as u32;
        rows.iter().map(aim).collect()
    }

    /// Picture `k`, `[height, width, 3]`.
    pub fn image(&self, k: usize) -> &'a [u8] {
        &self.pixels[k * self.image_len()..(k + 1) * self.image_len()]
    }
}

/// A way to make unlearnable examples.
pub trait Attack: Sync {
    /// Its short name, as on the command line.
    fn name(&self) -> &'static str;

    /// The bound that every row of its perturbation obeys.
    fn budget(&self) -> Budget;

    /// Every number that it depends on beside its budget, the pictures and the seed.
    fn settings(&self) -> serde_json::Value;

    /// The perturbation of `target`, from `seed` alone. A long attack leaves its state in `work` now and then, and goes on
    /// from what it finds there; the perturbation does not depend on it.
    ///
    /// # Errors
    /// [`Error::Settings`] if the attack cannot work on such a target, [`Error::Interrupted`] when the observer says so.
    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        seed: Seed,
        work: &mut WorkFile,
        observer: &dyn Observer,
    ) -> Result<Perturbation>;

    /// As [`Attack::perturb_resumably`], without a work file.
    ///
    /// # Errors
    /// The same.
    fn perturb(
        &self,
        target: &Target<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Perturbation> {
        self.perturb_resumably(target, seed, &mut WorkFile::none(), observer)
    }
}

/// The rows to poison: `int(rows * ratio)` of `0..rows`, drawn evenly without replacement, ascending.
///
/// # Errors
/// [`Error::Settings`] if `ratio` is not in [0, 1].
pub fn choose_rows(rows: usize, ratio: f64, seed: Seed) -> Result<Vec<usize>> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(Error::Settings {
            name: "ratio",
            problem: format!("{ratio} is not in [0, 1]"),
        });
    }
    Ok(draw_rows(rows, (rows as f64 * ratio) as usize, seed))
}

/// `amount` of `0..rows`, drawn evenly without replacement, ascending; `amount` is at most `rows`.
pub(super) fn draw_rows(rows: usize, amount: usize, seed: Seed) -> Vec<usize> {
    let mut rng = seed.stream("attack.rows", 0);
    let mut chosen = index::sample(&mut rng, rows, amount).into_vec();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_split_is_an_ordered_sample_that_the_seed_fixes() {
        for (rows, ratio, amount) in [
            (1000, 0.2, 200),
            (999, 0.5, 499),
            (10, 0.0, 0),
            (10, 1.0, 10),
        ] {
            let chosen = choose_rows(rows, ratio, Seed(5)).unwrap();
            assert_eq!(chosen.len(), amount);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(chosen.iter().all(|&row| row < rows));
            assert_eq!(chosen, choose_rows(rows, ratio, Seed(5)).unwrap());
        }
        assert_ne!(
            choose_rows(1000, 0.2, Seed(5)).unwrap(),
            choose_rows(1000, 0.2, Seed(6)).unwrap()
        );
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(choose_rows(10, ratio, Seed(0)).is_err());
        }
    }
}
