//! The audit folder: which files it holds, and how they come to be there whole or not at all.

use std::io::ErrorKind;
use std::path::Path;

use super::{Report, Timings, csv, sheet, shortcut};
use crate::data::{Dataset, write_atomic};
use crate::decide::Decision;
use crate::detect::Evidence;
use crate::file::remove;
use crate::{Error, Result};

/// The report; written last, so that its presence marks a complete audit.
pub const RESULTS: &str = "results.json";
/// Every row.
pub const SAMPLES: &str = "samples.csv";
/// Every class.
pub const CLASSES: &str = "classes.csv";
/// Seconds and memory: the only file that differs between two equal runs.
pub const TIMINGS: &str = "timings.json";
/// The picture sheet.
pub const SHEET: &str = "sheet.png";

/// What the flagged rows of each class share; only where rows are flagged.
pub const SHORTCUTS: &str = "shortcuts.png";

/// What an audit folder is written from.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The drop.
    pub dataset: &'a Dataset,
    /// What was measured on it.
    pub evidence: &'a Evidence,
    /// What was decided of it.
    pub decision: &'a Decision,
    /// What the model makes of rows, for the sheet; see [`sheet::render`].
    pub take_apart: Option<&'a sheet::TakeApart<'a>>,
    /// The report.
    pub report: &'a Report,
    /// Seconds and memory.
    pub timings: &'a Timings,
}

/// Refuses to write into `folder` if that would overwrite something. Call it before the work, not after.
///
/// # Errors
/// [`Error::Exists`] if `folder` is a file, or is not empty and `force` is not set; [`Error::Io`] if it cannot be read.
pub fn check(folder: &Path, force: bool) -> Result<()> {
    let taken = match std::fs::read_dir(folder) {
        Ok(mut entries) => !force && entries.next().is_some(),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => false,
            ErrorKind::NotADirectory => true,
            _ => return Err(Error::io(folder)(error)),
        },
    };
    if taken {
        let path = folder.into();
        return Err(Error::Exists { path });
    }
    Ok(())
}

/// Writes the audit into `folder`, each file whole or not at all. Files of other names are left alone.
///
/// # Errors
/// As [`check`], and [`Error::Io`] if writing fails.
pub fn write(folder: &Path, force: bool, contents: &Contents<'_>) -> Result<()> {
    check(folder, force)?;
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    for name in [RESULTS, SHORTCUTS] {
        // An audit that is stopped half-way must not carry the results of the one before it.
        remove(&folder.join(name))?;
    }
    let Contents {
        dataset,
        evidence,
        decision,
        take_apart,
        report,
        timings,
    } = contents;
    let seed = report.settings.seed;
    let put = |name: &str, bytes: Vec<u8>| write_atomic(&folder.join(name), &bytes);
    put(SAMPLES, csv::samples(dataset, evidence, decision))?;
    put(CLASSES, csv::classes(report))?;
    put(SHEET, sheet::render(dataset, decision, *take_apart, seed)?)?;
    if let Some(take_apart) = take_apart {
        let flagged: Vec<bool> = decision.rows.iter().map(|row| row.flagged).collect();
        if let Some(png) = shortcut::render(dataset, &flagged, take_apart)? {
            put(SHORTCUTS, png)?;
        }
    }
    put(TIMINGS, json(timings))?;
    put(RESULTS, json(report))
}

/// Pretty JSON with a final newline.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let text = serde_json::to_string_pretty(value);
    (text.expect("plain structs with text keys serialise") + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_absent_or_empty_folders_are_taken_without_force() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), false).unwrap();
        check(&folder.path().join("absent"), false).unwrap();
        let file = folder.path().join("precious");
        write_atomic(&file, b"x").unwrap();
        assert!(matches!(
            check(folder.path(), false),
            Err(Error::Exists { .. })
        ));
        check(folder.path(), true).unwrap();
        assert!(matches!(check(&file, true), Err(Error::Exists { .. })));
    }
}
