//! Finished cells of an experiment: a file with a line of JSON for each, which only ever grows.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::data::write_atomic;
use crate::{Error, Result};

/// A cell and what came out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line<C, O> {
    /// Everything that the outcome depends on.
    pub cell: C,
    /// What was measured.
    pub outcome: O,
}

/// The file and its lines.
#[derive(Debug)]
pub struct Store<C, O> {
    path: PathBuf,
    lines: Vec<Line<C, O>>,
}

impl<C, O> Store<C, O>
where
    C: Serialize + DeserializeOwned + PartialEq,
    O: Serialize + DeserializeOwned,
{
    /// Opens the file at `path`, which need not be there yet. A last line that a kill has cut short is dropped.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] naming a line that is no cell of this experiment.
    pub fn open(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(path)(error)),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text[..whole].lines().enumerate().map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                Error::input(
                    path,
                    format!("line {}: {error}; no cell of this experiment", number + 1),
                )
            })
        });
        let lines = lines.collect::<Result<_>>()?;
        if whole < text.len() {
            write_atomic(path, &text.as_bytes()[..whole])?;
        }
        Ok(Self {
            path: path.into(),
            lines,
        })
    }

    /// What came out of `cell`, the latest if there are several.
    pub fn get(&self, cell: &C) -> Option<&O> {
        let mut lines = self.lines.iter().rev();
        lines
            .find(|line| line.cell == *cell)
            .map(|line| &line.outcome)
    }

    /// Adds a line, on file before it returns; gives its text.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn append(&mut self, cell: C, outcome: O) -> Result<String> {
        let line = Line { cell, outcome };
        let text = serde_json::to_string(&line).map_err(|error| Error::Numeric {
            stage: "store",
            problem: error.to_string(),
        })?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(Error::io(&self.path))?;
        file.write_all(format!("{text}\n").as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(Error::io(&self.path))?;
        self.lines.push(line);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_outlive_the_process_and_a_torn_one_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cells.jsonl");
        let open = || Store::<u32, f64>::open(&path);
        let mut store = open().unwrap();
        store.append(1, 0.5).unwrap();
        store.append(2, 0.25).unwrap();
        store.append(1, 0.75).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"cell\":3,")).unwrap();
        let mut store = open().unwrap();
        assert_eq!((store.get(&1), store.get(&3)), (Some(&0.75), None));
        store.append(3, 1.0).unwrap();
        assert_eq!(open().unwrap().get(&3), Some(&1.0));
        std::fs::write(&path, "no cell\n").unwrap();
        assert!(matches!(open(), Err(Error::Input { .. })));
    }
}
