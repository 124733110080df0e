//! Folders that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::file::parent_of;
use crate::{Error, Result};

/// A folder in the making; it vanishes unless it is published.
pub(super) struct Staging {
    target: PathBuf,
    scratch: TempDir,
}

impl Staging {
    /// A staging place for the folder `target`, on the same file system.
    ///
    /// # Errors
    /// [`Error::Exists`] if the target is there, not empty, and `force` is not set; [`Error::Io`].
    pub(super) fn for_folder(target: &Path, force: bool) -> Result<Self> {
        refuse_occupied(target, force)?;
        let parent = parent_of(target);
        fs::create_dir_all(&parent).map_err(Error::io(&parent))?;
        let scratch = Builder::new()
            .prefix(".ue-audit-")
            .tempdir_in(&parent)
            .map_err(Error::io(&parent))?;
        let staging = Self {
            target: target.into(),
            scratch,
        };
        fs::create_dir(staging.path()).map_err(Error::io(target))?;
        Ok(staging)
    }

    /// Where to write until then.
    pub(super) fn path(&self) -> PathBuf {
        self.scratch.path().join("new")
    }

    /// Puts the folder in its place; what was there is removed only once the new one is in.
    pub(super) fn publish(self) -> Result<()> {
        let failed = || Error::io(&self.target);
        let old = self.scratch.path().join("old");
        let replaces = fs::symlink_metadata(&self.target).is_ok();
        if replaces {
            fs::rename(&self.target, &old).map_err(failed())?;
        }
        if let Err(error) = fs::rename(self.path(), &self.target) {
            if replaces {
                fs::rename(&old, &self.target).map_err(failed())?;
            }
            return Err(failed()(error));
        }
        Ok(())
    }
}

/// # Errors
/// [`Error::Exists`] if something is at `target` that is not an empty folder, unless `force` is set; [`Error::Io`].
pub(super) fn refuse_occupied(target: &Path, force: bool) -> Result<()> {
    if occupied(target)? && !force {
        return Err(Error::Exists {
            path: target.into(),
        });
    }
    Ok(())
}

fn occupied(target: &Path) -> Result<bool> {
    match fs::symlink_metadata(target) {
        Err(_) => Ok(false),
        Ok(found) if !found.is_dir() => Ok(true),
        Ok(_) => Ok(fs::read_dir(target)
            .map_err(Error::io(target))?
            .next()
            .is_some()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_appears_only_when_published_and_replaces_only_by_force() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("out");
        let stage = |text: &str, force| -> Result<Staging> {
            let staging = Staging::for_folder(&target, force)?;
            fs::write(staging.path().join("file"), text).unwrap();
            Ok(staging)
        };
        drop(stage("lost", false).unwrap());
        assert!(!target.exists());
        stage("first", false).unwrap().publish().unwrap();
        assert!(matches!(stage("second", false), Err(Error::Exists { .. })));
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "first");
        stage("third", true).unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "third");
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "no scratch is left"
        );
    }
}
