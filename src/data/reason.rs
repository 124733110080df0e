//! Why a row has no pixels: a word that programs can count and a detail that people can read.

use std::fmt;

/// The kind of defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// The bytes end early.
    Truncated,
    /// A picture, but of a kind that is not decoded.
    Unsupported,
    /// Above one of the [`Limits`](super::Limits).
    TooLarge,
    /// The bytes are no picture.
    NotAnImage,
    /// The decoder panicked.
    DecodePanic,
    /// The bytes contradict their format.
    Corrupt,
    /// There is nothing at the named place.
    Missing,
    /// There are no bytes.
    Empty,
    /// A whole file of rows cannot be read; how many it holds is unknown.
    BrokenFile,
    /// The label is absent or names no class.
    BadLabel,
}

impl Defect {
    /// The word as it stands in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too-large",
            Self::NotAnImage => "not-an-image",
            Self::DecodePanic => "decode-panic",
            Self::Corrupt => "corrupt",
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::BrokenFile => "broken-file",
            Self::BadLabel => "bad-label",
        }
    }

    /// The reason that starts with this word. Details may quote the data, so they are kept to one short line.
    pub fn because(self, detail: impl fmt::Display) -> Reason {
        let detail = detail.to_string();
        let line = detail.lines().next().unwrap_or_default();
        Reason {
            defect: self,
            detail: line.chars().take(Reason::MAX_DETAIL).collect(),
        }
    }
}

/// A defect with its detail; displays as `word: detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The kind of defect.
    pub defect: Defect,
    /// One line for a person.
    pub detail: String,
}

impl Reason {
    /// Characters kept of a detail.
    const MAX_DETAIL: usize = 160;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.defect.word(), self.detail)
    }
}
