//! Where a long attack stands, on file, so that it can go on after it was killed.
//!
//! A work file belongs to one attack with one set of numbers, one seed and one set of pictures; any other's is not used. What
//! a resumed attack gives is what an uninterrupted one gives, byte for byte.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::{Attack, Target};
use crate::data::write_atomic;
use crate::file::remove;
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Time between two saves: short beside what a kill would lose, long beside the writing of a hundred megabytes.
const PAUSE: Duration = Duration::from_secs(60);
/// Name of the one entry of the file's metadata: whose work it is, and how far it is.
const HEADER: &str = "work";

/// The file, or none.
#[derive(Debug)]
pub struct WorkFile {
    path: Option<PathBuf>,
    pause: Duration,
    saved: Instant,
    owner: String,
}

/// An attack half-way.
pub(super) struct State {
    /// Steps that are done.
    pub(super) done: usize,
    /// Whatever the attack asked to be kept, in its order.
    pub(super) parts: Vec<Vec<u8>>,
}

impl WorkFile {
    /// No file: a killed attack starts anew.
    pub fn none() -> Self {
        Self {
            path: None,
            pause: PAUSE,
            saved: Instant::now(),
            owner: String::new(),
        }
    }

    /// A file at `path`, written every minute or so.
    pub fn at(path: &Path) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::none()
        }
    }

    /// With another time between two saves; none is after every step.
    #[must_use]
    pub fn every(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Claims the file for an attack, and reads how far the same attack came in an earlier run.
    pub(super) fn begin(
        &mut self,
        attack: &dyn Attack,
        target: &Target<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Option<State> {
        let path = self.path.as_ref()?;
        self.owner = owner(attack, target, seed);
        self.saved = Instant::now();
        let bytes = std::fs::read(path).ok()?;
        let state = read(&bytes, &self.owner);
        observer.note(&match &state {
            Some(state) => format!("going on after step {} of {}", state.done, path.display()),
            None => format!("{} is of other work and is not used", path.display()),
        });
        state
    }

    /// Saves, if it is time to.
    pub(super) fn save(
        &mut self,
        done: usize,
        parts: impl FnOnce() -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        if self.saved.elapsed() < self.pause {
            return Ok(());
        }
        self.save_now(done, parts)
    }

    /// Saves: what came before was long.
    pub(super) fn save_now(
        &mut self,
        done: usize,
        parts: impl FnOnce() -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        if let Some(path) = &self.path {
            write_atomic(path, &written(&self.owner, done, &parts()?)?)?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Removes the file: the work is done.
    ///
    /// # Errors
    /// [`Error::Io`] if it is there and cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match &self.path {
            Some(path) => remove(path),
            None => Ok(()),
        }
    }
}

/// What tells this work from any other.
fn owner(attack: &dyn Attack, target: &Target<'_>, seed: Seed) -> String {
    let mut hasher = blake3::Hasher::new();
    let sizes = [target.height, target.width, target.classes];
    let words = format!(
        "{} {} {sizes:?} {}",
        attack.name(),
        attack.settings(),
        seed.0
    );
    hasher.update(words.as_bytes());
    for label in target.labels {
        hasher.update(&label.to_le_bytes());
    }
    hasher.update(target.pixels).finalize().to_hex().to_string()
}

fn written(owner: &str, done: usize, parts: &[Vec<u8>]) -> Result<Vec<u8>> {
    let header = [(HEADER.to_owned(), format!("{owner} {done}"))]
        .into_iter()
        .collect();
    let views = parts.iter().enumerate().map(|(number, part)| {
        let view = TensorView::new(Dtype::U8, vec![part.len()], part);
        Ok((format!("{number:06}"), view?))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    views
        .and_then(|views| safetensors::serialize(views, Some(header)))
        .map_err(|error| Error::Numeric {
            stage: "work file",
            problem: error.to_string(),
        })
}

/// The state in a file of `owner`'s.
fn read(bytes: &[u8], owner: &str) -> Option<State> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let (whose, done) = metadata.metadata().as_ref()?.get(HEADER)?.split_once(' ')?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let parts = (0..file.len()).map(|number| {
        let view = file.tensor(&format!("{number:06}"));
        Some(view.ok()?.data().to_vec())
    });
    let state = State {
        done: done.parse().ok()?,
        parts: parts.collect::<Option<_>>()?,
    };
    (whose == owner).then_some(state)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_holds_its_state_for_its_owner_alone() {
        let parts = vec![vec![1, 2, 3], vec![], vec![9]];
        let bytes = written("me", 7, &parts).unwrap();
        let state = read(&bytes, "me").unwrap();
        assert_eq!((state.done, state.parts), (7, parts));
        assert!(read(&bytes, "you").is_none());
        assert!(read(&bytes[..bytes.len() - 1], "me").is_none());
    }
}
