//! The renderings of a report that other programs and people ask for, by name.

use serde::{Deserialize, Serialize};

use super::{Report, csv, html, junit, markdown, sarif};
use crate::Result;

/// A form in which a report can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendering {
    /// A page for people, in one file.
    Html,
    /// One table: the drop, its classes, its flagged rows.
    Csv,
    /// For code scanning.
    Sarif,
    /// For test reports.
    Junit,
    /// For the summary of a job.
    Md,
}

impl Rendering {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Html, Self::Csv, Self::Sarif, Self::Junit, Self::Md];

    /// The bytes of `report` in this form: the same report, the same bytes.
    ///
    /// # Errors
    /// [`crate::Error::Numeric`] if a library refuses to write it.
    pub fn render(self, report: &Report) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Html => html::render(report)?.into_bytes(),
            Self::Csv => csv::findings(report),
            Self::Sarif => sarif::render(report)?.into_bytes(),
            Self::Junit => junit::render(report)?.into_bytes(),
            Self::Md => markdown::render(report).into_bytes(),
        })
    }
}

/// At most so many flagged rows are listed one by one; all are counted. Code scanning shows 5,000 results of a run, and a
/// page of more is of no use to a person.
pub(super) const LISTED: usize = 1000;

/// A share in per cent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
