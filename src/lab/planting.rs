//! Poison planted in a drop that is in memory.

use rand::seq::SliceRandom;

use super::attack::{Attack, Budget, Perturbation, Storage, Target, apply, choose_rows};
use crate::data::Dataset;
use crate::observe::Observer;
use crate::{Result, Seed};

/// Perturbations of some rows of a drop, ready to be planted in all of them or in a part.
pub struct Planting<'a> {
    clean: &'a Dataset,
    /// Block numbers, in random order: the first so many are a random part.
    rows: Vec<usize>,
    perturbation: Perturbation,
    budget: Budget,
}

impl<'a> Planting<'a> {
    /// Perturbations by `attack` of a share `ratio` of the readable rows of `clean`.
    ///
    /// # Errors
    /// [`Error::Settings`](crate::Error::Settings) if `ratio` is no share or the attack cannot work on such pictures,
    /// [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so.
    pub fn new(
        attack: &dyn Attack,
        clean: &'a Dataset,
        ratio: f64,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let all = clean.labels();
        let mut rows = choose_rows(all.len(), ratio, seed)?;
        rows.shuffle(&mut seed.stream("planting", 0));
        let labels: Vec<u32> = rows.iter().map(|&row| all[row]).collect();
        let pixels: Vec<u8> = rows
            .iter()
            .flat_map(|&row| clean.image(row))
            .copied()
            .collect();
        let target = Target {
            height: clean.height,
            width: clean.width,
            labels: &labels,
            classes: clean.class_names.len(),
            pixels: &pixels,
        };
        let perturbation = attack.perturb(&target, seed, observer)?;
        let (perturbation, budget) = perturbation.fit_for(&target, attack.budget());
        Ok(Self {
            budget,
            clean,
            rows,
            perturbation,
        })
    }

    /// The rows of a drop in which `amount` rows are poisoned, or all that were prepared if they are fewer.
    pub fn rows(&self, amount: usize) -> &[usize] {
        &self.rows[..amount.min(self.rows.len())]
    }

    /// Which of the readable rows these are.
    pub fn truth(&self, amount: usize) -> Vec<bool> {
        let mut truth = vec![false; self.clean.readable().len()];
        self.rows(amount).iter().for_each(|&k| truth[k] = true);
        truth
    }

    /// The readable rows of the drop, with these [`Planting::rows`] poisoned.
    ///
    /// # Errors
    /// [`Error::Numeric`](crate::Error::Numeric) if a perturbation is over its budget.
    pub fn plant(&self, amount: usize) -> Result<Dataset> {
        let Dataset { height, width, .. } = *self.clean;
        let size = height * width * 3;
        let mut pixels = self.clean.pixels().to_vec();
        for (k, &row) in self.rows(amount).iter().enumerate() {
            let rgb = &mut pixels[row * size..(row + 1) * size];
            apply(rgb, self.perturbation.row(k), self.budget, Storage::Round)?;
        }
        Ok(self.clean.with_pixels(pixels))
    }
}
