//! Files that appear whole or not at all.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes `bytes` to `path` through a temporary file beside it: a reader sees the old content or the new, never a part.
/// Missing parent folders are made.
///
/// # Errors
/// [`Error::Io`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent_of(path);
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = shared() {
        builder.permissions(permissions);
    }
    let mut file = builder
        .prefix(".ue-audit-")
        .tempfile_in(&folder)
        .map_err(Error::io(&folder))?;
    file.write_all(bytes).map_err(Error::io(path))?;
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(path)
        .map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}

/// Removes the file at `path`, if there is one.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

/// Temporary files are private by default, results are not: the user's umask decides.
#[cfg(unix)]
fn shared() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn shared() -> Option<Permissions> {
    None
}

/// The folder that `path` is in.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
