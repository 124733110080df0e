//! Writing to people and pipes. A reader that has gone away, as in `| head`, is no failure: the exit code still tells.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;
use ue_audit::Error;
use ue_audit::report::terminal::Style;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// How to render for standard output.
    pub(crate) fn style(self) -> Style {
        let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
        Style {
            color: match self {
                Self::Auto => io::stdout().is_terminal() && unset("NO_COLOR"),
                Self::Always => true,
                Self::Never => false,
            },
        }
    }
}

/// A line on standard output.
///
/// # Errors
/// If it cannot be written, unless because nobody reads.
pub(crate) fn stdout(text: &str) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A line on standard error; where even that fails there is nobody left to tell.
pub(crate) fn stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Refuses to write the file at `path` if there is one, unless `force` is set.
///
/// # Errors
/// [`Error::Exists`].
pub(crate) fn refuse_existing(path: &Path, force: bool) -> ue_audit::Result<()> {
    match path.exists() && !force {
        true => Err(Error::Exists { path: path.into() }),
        false => Ok(()),
    }
}

/// One line of JSON on standard output.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    Ok(stdout(&serde_json::to_string(document)?)?)
}
