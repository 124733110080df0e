//! A list of class names beside files that only have numbers.

use std::fs;
use std::path::PathBuf;

use crate::data::tree::Tree;
use crate::{Error, Result};

/// Its name.
const NAME: &str = "classnames.txt";
/// Far above all names there are, far below what would hurt.
const MOST_BYTES: u64 = 1 << 24;

/// Where it lies, and the class names, one a line; `None` if there is none.
pub(super) fn class_list(tree: &Tree) -> Result<Option<(PathBuf, Vec<String>)>> {
    let small = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.len() < MOST_BYTES);
    let Some(path) = tree.companion(NAME).filter(small) else {
        return Ok(None);
    };
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let names = text.lines().map(|line| line.trim().to_owned()).collect();
    Ok(Some((path, names)))
}
