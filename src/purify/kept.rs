//! Trainings on disk, finished or not, so that a purification that was stopped need not repeat them. A kept model says itself what
//! it was fitted to: one that another purification has left is refused, never used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Job;
use crate::data::Dataset;
use crate::dvae::{Dvae, DvaeConfig};
use crate::file::remove;
use crate::{Error, Result, Seed};

/// Every model that a method keeps.
const NAMES: [&str; 3] = ["vae", "stage-1", "stage-2"];

/// Removes what was kept in `folder`, and the folder unless something else is in it.
///
/// # Errors
/// [`Error::Io`].
pub fn discard(folder: &Path) -> Result<()> {
    for path in NAMES
        .iter()
        .flat_map(|name| [file(folder, name), part(folder, name)])
    {
        remove(&path)?;
    }
    match fs::remove_dir(folder) {
        Err(error)
            if ![ErrorKind::NotFound, ErrorKind::DirectoryNotEmpty].contains(&error.kind()) =>
        {
            Err(Error::io(folder)(error))
        }
        _ => Ok(()),
    }
}

/// Where its training stands while it runs.
fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("part")
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("safetensors")
}

/// The model called `name`, one of [`NAMES`]: the kept one, or a fresh one, which is kept.
pub(super) fn fitted(
    name: &str,
    data: &Dataset,
    config: &DvaeConfig,
    seed: Seed,
    job: Job<'_>,
) -> Result<Dvae> {
    let Some(folder) = job.keep else {
        return Dvae::fit(data, config, seed, job.observer);
    };
    let path = file(folder, name);
    if !path.exists() {
        let part = part(folder, name);
        let model = Dvae::fit_from(Some(&part), data, config, seed, job.observer)?;
        model.save(&path)?;
        remove(&part)?;
        return Ok(model);
    }
    let model = Dvae::load(&path)?;
    let made = model.provenance();
    let differs = [
        ("settings", model.config() != config),
        ("seed", made.seed != seed),
        ("data", made.data != data.fingerprint),
    ];
    if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        let problem = format!(
            "left by a purification with other {what}; remove {} or choose another --out",
            folder.display()
        );
        return Err(Error::Checkpoint { path, problem });
    }
    job.observer
        .note(&format!("{name}: taken from {}", folder.display()));
    Ok(model)
}
