//! Errors, by whose fault they are: each says what went wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// The result of every fallible call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the work could not be completed. A single bad row is never an error: it is a row with a reason
/// ([`crate::data::Status`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data as a whole cannot be used: not a recognised format, inconsistent labels, a broken container.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// One file of rows cannot be read. Beside others that can, it is set aside ([`crate::data::Defect::BrokenFile`]).
    #[error("{}: {problem}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// There is nothing to scan: no image at all was found.
    #[error("{}: nothing to scan: {problem}", path.display())]
    Empty {
        /// The file or folder that was searched.
        path: PathBuf,
        /// What was looked for.
        problem: String,
    },
    /// A setting is out of its range or contradicts another.
    #[error("setting {name}: {problem}")]
    Settings {
        /// The setting as the user writes it.
        name: &'static str,
        /// What is wrong and which values are allowed.
        problem: String,
    },
    /// A saved model or report cannot be used with this data or this version.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file at fault.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// The output would overwrite something.
    #[error("{}: already exists and is not empty; choose another folder or pass --force", path.display())]
    Exists {
        /// The folder in the way.
        path: PathBuf,
    },
    /// The arithmetic failed: a loss that is not finite, a matrix that cannot be factored.
    #[error("numeric failure in {stage}: {problem}")]
    Numeric {
        /// The step that failed.
        stage: &'static str,
        /// What happened.
        problem: String,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The tensor library refused: a defect in this program, not in the data.
    #[error("tensor library: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An [`Error::Io`] for `path`; use with `map_err`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// An [`Error::Input`] for `path`.
    pub fn input(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Input {
            path: path.as_ref().to_path_buf(),
            problem: problem.into(),
        }
    }

    /// An [`Error::Broken`] for `path`.
    pub fn broken(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Broken {
            path: path.as_ref().to_path_buf(),
            problem: problem.into(),
        }
    }
}
