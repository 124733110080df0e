//! A copy of a data set in its own format with a part of its rows poisoned, and all there is to know about it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::attack::{
    Attack, Budget, Measured, Perturbation, Storage, Stored, Target, WorkFile, apply, choose_rows,
};
use super::sheet;
use crate::data::{
    Dataset, Edit, Image, Limits, LoadOptions, Reader, TRUTH_FILE, check_target, load, stage,
    write_atomic, write_truth,
};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// The perturbations, and the rows that they are for.
pub const PERTURBATION_FILE: &str = "perturbation.safetensors";
/// How the copy came about.
pub const DESCRIPTION_FILE: &str = "poison.json";
/// Ending of the picture sheet, which lies beside the copy: a picture within an image folder would be a row.
const SHEET: &str = ".sheet.png";
/// Ending of the work file, beside the copy as well.
const WORK: &str = ".work";

/// Where the perturbations come from.
#[derive(Clone, Copy)]
pub enum Means<'a> {
    /// They are made.
    Attack(&'a dyn Attack),
    /// They were made before.
    Stored(&'a Stored),
}

/// What is to be done.
#[derive(Clone, Copy)]
pub struct Poison<'a> {
    /// Where the perturbations come from.
    pub means: Means<'a>,
    /// Share of the readable rows to poison; with a stored perturbation the rows are drawn from those that it is for.
    pub ratio: f64,
    /// Fixes the rows and the attack.
    pub seed: Seed,
    /// How real values become bytes.
    pub storage: Storage,
    /// What is told of the attack beside its own settings, such as how they were chosen.
    pub options: &'a Value,
    /// Caps on each row.
    pub limits: Limits,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Rows of the source.
    pub rows: usize,
    /// Those of them that are poisoned.
    pub poisoned: usize,
    /// False where the attack has a rule for when it is done and gave up before.
    pub converged: bool,
    /// How large the changes are.
    pub measured: Measured,
}

impl Poison<'_> {
    /// Writes the copy, with [`TRUTH_FILE`], [`PERTURBATION_FILE`] and [`DESCRIPTION_FILE`], into the folder `out`, and a
    /// picture sheet beside it. At a ratio of 0 it is a copy without poison, to compare with, and has no sheet. A long attack
    /// keeps its state in a file named `{out}.work`, goes on from there when it is called again, and removes it at the end.
    ///
    /// # Errors
    /// [`Error::Exists`] before any work, [`Error::Settings`] if a ratio above 0 gives no row to poison, if the pictures have
    /// several sizes or an attack cannot work on them, [`Error::Numeric`] if a perturbation is over its budget, and those of
    /// reading and writing. No copy is left behind then.
    pub fn write(
        &self,
        reader: &dyn Reader,
        out: &Path,
        force: bool,
        observer: &dyn Observer,
    ) -> Result<Summary> {
        check_target(reader, out, force)?;
        let sheet_path = sheet_beside(out);
        if sheet_path.exists() && !force {
            return Err(Error::Exists { path: sheet_path });
        }
        let options = LoadOptions {
            limits: self.limits,
            max_rows: None,
        };
        let dataset = load(reader, &options, observer)?;
        let chosen = self.choose(&dataset)?;
        let pictures = Pictures::read(reader, &chosen, &self.limits)?;
        let labels: Vec<u32> = chosen.iter().map(|&row| dataset.rows[row].label).collect();
        let target = Target {
            height: pictures.height,
            width: pictures.width,
            labels: &labels,
            classes: dataset.class_names.len(),
            pixels: &pictures.pixels,
        };
        let mut work = WorkFile::at(&beside(out, WORK));
        let budget = match self.means {
            Means::Attack(attack) => attack.budget(),
            Means::Stored(stored) => stored.budget,
        };
        let size = (target.height, target.width);
        let perturbation = match self.means {
            _ if chosen.is_empty() => Perturbation::of_nothing(size),
            Means::Attack(attack) => {
                attack.perturb_resumably(&target, self.seed, &mut work, observer)?
            }
            Means::Stored(stored) => stored.of(&chosen, size)?,
        };
        let (perturbation, budget) = perturbation.fit_for(&target, budget);

        let mut measured = Measured::default();
        let shown = sheet::rows_to_show(&labels);
        let mut strips = vec![Default::default(); shown.len()];
        let mut edit = |row: usize| -> Result<Edit> {
            let Ok(k) = chosen.binary_search(&row) else {
                return Ok(Edit::Keep);
            };
            let mut rgb = target.image(k).to_vec();
            apply(&mut rgb, perturbation.row(k), budget, self.storage)?;
            measured.add(target.image(k), &rgb);
            if let Some(place) = shown.iter().position(|&row| row == k) {
                let clean = target.image(k);
                strips[place] = [clean.into(), rgb.clone(), sheet::difference(clean, &rgb)];
            }
            Ok(Edit::Replace(Image {
                height: target.height,
                width: target.width,
                rgb,
            }))
        };
        let copy = stage(reader, out, force, &mut edit, observer)?;

        let put = |name: &str, bytes: &[u8]| write_atomic(&copy.path().join(name), bytes);
        let truth = copy.ids.iter().enumerate().filter_map(|(row, id)| {
            let id = id.as_deref()?;
            Some((id, chosen.binary_search(&row).is_ok()))
        });
        write_truth(&copy.path().join(TRUTH_FILE), truth)?;
        put(
            PERTURBATION_FILE,
            &perturbation.to_safetensors(&chosen, budget)?,
        )?;
        let sheet = match strips.is_empty() {
            true => None,
            false => Some(sheet::render(&strips, size)?),
        };
        let summary = Summary {
            rows: dataset.rows.len(),
            poisoned: chosen.len(),
            converged: perturbation.converged,
            measured,
        };
        let description = self.describe(&summary, budget, &perturbation, &dataset);
        put(DESCRIPTION_FILE, format!("{description:#}\n").as_bytes())?;
        copy.publish()?;
        match sheet {
            Some(sheet) => write_atomic(&sheet_path, &sheet)?,
            // One of an earlier copy would show what this one does not hold.
            None if sheet_path.exists() => {
                std::fs::remove_file(&sheet_path).map_err(Error::io(&sheet_path))?;
            }
            None => {}
        }
        work.remove()?;
        Ok(summary)
    }

    /// The rows of the source to poison, ascending.
    fn choose(&self, dataset: &Dataset) -> Result<Vec<usize>> {
        let readable = dataset.readable();
        let amount = choose_rows(readable.len(), self.ratio, self.seed)?.len();
        let pool: Vec<usize> = match self.means {
            Means::Attack(_) => readable.to_vec(),
            Means::Stored(stored) => {
                let known = |row: &&usize| stored.rows.binary_search(row).is_ok();
                readable.iter().filter(known).copied().collect()
            }
        };
        let wrong = |problem| Error::Settings {
            name: "ratio",
            problem,
        };
        if amount == 0 && self.ratio > 0.0 {
            return Err(wrong("too small: it gives no row to poison".into()));
        }
        if amount > pool.len() {
            let pool = pool.len();
            return Err(wrong(format!(
                "{amount} rows, but the stored perturbation is for {pool} readable ones"
            )));
        }
        let chosen = super::attack::draw_rows(pool.len(), amount, self.seed);
        Ok(chosen.into_iter().map(|k| pool[k]).collect())
    }

    fn describe(
        &self,
        summary: &Summary,
        budget: Budget,
        perturbation: &Perturbation,
        dataset: &Dataset,
    ) -> Value {
        let (name, settings) = match self.means {
            Means::Attack(attack) => (attack.name(), attack.settings()),
            Means::Stored(stored) => ("stored", json!({ "file": stored.fingerprint })),
        };
        let fingerprint = perturbation.values.iter().flat_map(|v| v.to_le_bytes());
        let fingerprint = blake3::hash(&fingerprint.collect::<Vec<u8>>());
        json!({
            "attack": name,
            "budget": budget,
            "settings": settings,
            "options": self.options,
            "ratio": self.ratio,
            "seed": self.seed,
            "storage": self.storage,
            "rows": summary.rows,
            "poisoned": summary.poisoned,
            "converged": summary.converged,
            "measured": summary.measured,
            "classes": dataset.class_names.len(),
            "source_fingerprint": dataset.fingerprint,
            "perturbation_fingerprint": fingerprint.to_hex().to_string(),
        })
    }
}

/// The picture sheet of a copy at `out`: clean and poisoned pictures side by side.
pub fn sheet_beside(out: &Path) -> PathBuf {
    beside(out, SHEET)
}

fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    out.with_file_name(name)
}

/// The chosen pictures in the size in which they are stored, which must be one for all.
struct Pictures {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Pictures {
    /// Reads the `chosen` rows, ascending, which were readable a moment ago.
    fn read(reader: &dyn Reader, chosen: &[usize], limits: &Limits) -> Result<Self> {
        let mut all = Self {
            height: 0,
            width: 0,
            pixels: Vec::new(),
        };
        let mut wanted = chosen.iter().peekable();
        for (number, record) in reader.records().enumerate() {
            if wanted.peek() != Some(&&number) {
                continue;
            }
            wanted.next();
            let record = record?;
            let image = record.source.decode(limits).map_err(|reason| {
                Error::input(&record.id, format!("changed while it was read: {reason}"))
            })?;
            if all.pixels.is_empty() {
                (all.height, all.width) = (image.height, image.width);
            }
            if (image.height, image.width) != (all.height, all.width) {
                let problem = format!(
                    "{} x {} pixels, others {} x {}; an attack needs pictures of one size",
                    image.width, image.height, all.width, all.height
                );
                return Err(Error::input(&record.id, problem));
            }
            all.pixels.extend(image.rgb);
        }
        match wanted.next() {
            Some(row) => Err(Error::input(
                reader.tree().root(),
                format!("ends before row {row}"),
            )),
            None => Ok(all),
        }
    }
}
