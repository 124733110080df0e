//! What the cells of an experiment share: the clean rows, and where the poisons lie.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Edit, Limits, LoadOptions, load, open, rewrite};
use crate::lab::attack::{Storage, Stored, apply, choose_rows};
use crate::lab::poison::PERTURBATION_FILE;
use crate::observe::Observer;
use crate::settings::{Config, Preset, Settings};
use crate::{Error, Result, Seed};

/// In place of an attack, where nothing is poisoned.
pub(super) const CLEAN: &str = "clean";

/// The clean rows of an experiment, and its folder.
#[derive(Clone, Debug)]
pub struct Grounds {
    home: PathBuf,
    source: PathBuf,
    clean: PathBuf,
    data: Dataset,
    seed: Seed,
    limits: Limits,
}

/// Which rows an experiment is run on, and with which seed: a part of every cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    rows: usize,
    /// Of the attacks, of the choice of rows, and of all that is trained or audited.
    seed: u64,
    /// Of the clean rows.
    fingerprint: String,
}

impl Origin {
    /// In words, for the head of a table.
    pub(super) fn describe(&self) -> String {
        format!("{} rows, seed {}", self.rows, self.seed)
    }
}

impl Grounds {
    /// The first `rows` rows of `source`, of which a copy is kept in `home`.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn new(
        home: &Path,
        source: &Path,
        rows: usize,
        seed: Seed,
        limits: Limits,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let clean = home.join(format!("clean-{rows}"));
        if !clean.exists() {
            let reader = open(source, "auto", &limits)?;
            let mut edit = |row| Ok(if row < rows { Edit::Keep } else { Edit::Drop });
            rewrite(&*reader, &clean, false, &mut edit, observer)?;
        }
        let options = LoadOptions {
            limits,
            max_rows: None,
        };
        Ok(Self {
            data: load(&*open(&clean, "auto", &limits)?, &options, observer)?,
            home: home.into(),
            source: source.into(),
            clean,
            seed,
            limits,
        })
    }

    /// The folder of the experiment.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The copy of the clean rows.
    pub fn clean(&self) -> &Path {
        &self.clean
    }

    /// The clean rows.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// Clean rows that no drop of the experiment has: as many again of the source, or as there are.
    ///
    /// # Errors
    /// [`Error::Settings`] if the source ends with the experiment's rows, and those of reading.
    pub(super) fn held_out(&self, observer: &dyn Observer) -> Result<Dataset> {
        let used = self.data.rows.len();
        let options = LoadOptions {
            limits: self.limits,
            max_rows: Some(2 * used),
        };
        let all = load(
            &*open(&self.source, "auto", &self.limits)?,
            &options,
            observer,
        )?;
        let readable = all.readable().iter().enumerate();
        let others = readable.filter(|&(_, &row)| row >= used);
        let others: Vec<usize> = others.map(|(place, _)| place).collect();
        if others.is_empty() {
            return Err(Error::Settings {
                name: "rows",
                problem: format!("the source has no clean rows beyond these {used} to learn from"),
            });
        }
        Ok(all.only(&others))
    }

    /// Fixes all randomness.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// For the cells.
    pub fn origin(&self) -> Origin {
        Origin {
            rows: self.data.rows.len(),
            seed: self.seed.0,
            fingerprint: self.data.fingerprint.clone(),
        }
    }

    /// The settings of an audit on these grounds.
    ///
    /// # Errors
    /// As [`Config::check`], which finds nothing in these.
    pub(super) fn settings(&self, preset: Preset) -> Result<Settings> {
        let config = Config {
            seed: Some(self.seed.0),
            preset: Some(preset),
            ..Config::default()
        };
        config.check()
    }

    /// Caps on each row.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where all rows lie, poisoned by an attack.
    pub fn poisoned(&self, attack: &str) -> PathBuf {
        self.place("poisons", attack)
    }

    /// Where, in a `folder` of the experiment, that lies which depends on the rows, the seed and `what` alone.
    pub(super) fn place(&self, folder: &str, what: &str) -> PathBuf {
        let name = format!("{what}-{}-seed{}", self.data.rows.len(), self.seed.0);
        self.home.join(folder).join(name)
    }

    /// Which of the readable rows are poisoned where a share `ratio` of them is: the same for all attacks.
    ///
    /// # Errors
    /// [`Error::Settings`] unless the share is in (0, 1] and leaves a row.
    pub fn chosen(&self, ratio: f64) -> Result<Vec<bool>> {
        let mut chosen = vec![false; self.data.readable().len()];
        for k in choose_rows(chosen.len(), ratio, self.seed)? {
            chosen[k] = true;
        }
        Ok(chosen)
    }

    /// The clean rows with a share `ratio` of them, chosen at random, poisoned by `attack`, and which these are. As in the
    /// paper, the perturbation is that of the set with every row poisoned.
    ///
    /// # Errors
    /// If the poison was not made, or does not fit.
    pub fn mixture(&self, attack: &str, ratio: f64) -> Result<(Dataset, Vec<bool>)> {
        let data = &self.data;
        let count = data.readable().len();
        if attack == CLEAN {
            return Ok((data.clone(), vec![false; count]));
        }
        let poisoned = self.chosen(ratio)?;
        let stored = Stored::read(&self.poisoned(attack).join(PERTURBATION_FILE))?;
        let size = data.height * data.width * 3;
        let mut pixels = data.pixels().to_vec();
        for k in (0..count).filter(|&k| poisoned[k]) {
            let row = data.readable()[k];
            let delta = stored.of(&[row], (data.height, data.width))?;
            let rgb = &mut pixels[k * size..(k + 1) * size];
            apply(rgb, delta.row(0), stored.budget, Storage::Round)?;
        }
        Ok((data.with_pixels(pixels), poisoned))
    }
}
