//! How long work reports its progress and learns that the user wants to stop.

use crate::{Error, Result};

/// Watches long work. The library calls it; the command line draws bars or prints plain lines.
pub trait Observer: Sync {
    /// A stage of `total` steps begins; any earlier stage is over.
    fn stage(&self, name: &str, total: u64);
    /// `done` steps of the current stage are finished.
    fn progress(&self, done: u64);
    /// Something worth telling a person, such as the losses of an epoch.
    fn note(&self, message: &str);
    /// True once the user has asked to stop.
    fn interrupted(&self) -> bool {
        false
    }
    /// [`Error::Interrupted`] once the user has asked to stop: call it between steps, with `?`.
    fn check(&self) -> Result<()> {
        if self.interrupted() {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {
    fn stage(&self, _: &str, _: u64) {}
    fn progress(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
