//! `truth.csv`: which rows are known to be poisoned, for experiments.

use std::collections::BTreeMap;
use std::path::Path;

use crate::file::write_atomic;
use crate::{Error, Result};

/// Name of the file as the program writes it.
pub const TRUTH_FILE: &str = "truth.csv";

const HEADER: [&str; 2] = ["sample_id", "poisoned"];

/// Writes one line a row: its id and 1 if it is poisoned, else 0.
///
/// # Errors
/// [`Error::Io`].
pub fn write_truth<'a>(path: &Path, rows: impl IntoIterator<Item = (&'a str, bool)>) -> Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::io(path)(error.into());
    table.write_record(HEADER).map_err(failed)?;
    for (id, poisoned) in rows {
        table
            .write_record([id, if poisoned { "1" } else { "0" }])
            .map_err(failed)?;
    }
    let bytes = table
        .into_inner()
        .map_err(|error| Error::io(path)(error.into_error()))?;
    write_atomic(path, &bytes)
}

/// The truth of each of `ids`, in their order. Lines about other rows are ignored, so that the truth of a whole drop
/// serves a part of it.
///
/// # Errors
/// [`Error::Input`] with the line if the table is malformed, has an id twice or a value other than 0 and 1, and with
/// the number of ids that it does not have; [`Error::Io`].
pub fn read_truth<'a>(path: &Path, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<bool>> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut table = csv::Reader::from_reader(file);
    let malformed = |error: csv::Error| Error::input(path, error.to_string());
    let header = table.headers().map_err(malformed)?;
    if *header != HEADER[..] {
        return Err(Error::input(
            path,
            "the first line must be sample_id,poisoned",
        ));
    }
    let mut known = BTreeMap::new();
    for record in table.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let refuse = |problem: &str| Error::input(path, format!("line {line}: {problem}"));
        let poisoned = match &record[1] {
            "0" => false,
            "1" => true,
            _ => return Err(refuse("poisoned must be 0 or 1")),
        };
        if known.insert(record[0].to_owned(), poisoned).is_some() {
            return Err(refuse("this sample_id was there before"));
        }
    }
    let found: Vec<Option<bool>> = ids.into_iter().map(|id| known.get(id).copied()).collect();
    let missing = found.iter().filter(|truth| truth.is_none()).count();
    if missing > 0 {
        let problem = format!(
            "{missing} of {} rows of the data are not in it",
            found.len()
        );
        return Err(Error::input(path, problem));
    }
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, ids: &[&str]) -> Result<Vec<bool>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TRUTH_FILE);
        std::fs::write(&path, text).unwrap();
        read_truth(&path, ids.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TRUTH_FILE);
        write_truth(&path, [("a,b\"c", true), ("d", false)]).unwrap();
        assert_eq!(read_truth(&path, ["d", "a,b\"c"]).unwrap(), [false, true]);
    }

    #[test]
    fn each_defect_is_named_with_its_line() {
        let head = "sample_id,poisoned\n";
        let refused = |text: &str, part: &str| {
            let error = read(text, &["a", "b"]).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        refused("id,poisoned\na,1\n", "first line");
        refused(&format!("{head}a,1\nb,yes\n"), "line 3");
        refused(&format!("{head}a,1\na,1\n"), "line 3");
        refused(&format!("{head}a,1\nb\n"), "line: 3");
        refused(&format!("{head}a,1\nc,1\n"), "1 of 2 rows");
    }
}
