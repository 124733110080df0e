//! How many rows a policy tolerates: a count, or a share of the rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A tolerated number of rows, written `12` or `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub enum Allowance {
    /// At most so many rows.
    Rows(usize),
    /// At most this share of the rows, in [0, 1].
    Share(f64),
}

impl Allowance {
    /// Whether `rows` of `total` are tolerated.
    pub fn covers(self, rows: usize, total: usize) -> bool {
        match self {
            Self::Rows(limit) => rows <= limit,
            Self::Share(limit) => rows as f64 <= limit * total as f64,
        }
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is neither a count such as 12 nor a share such as 0.5%");
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Rows).map_err(|_| refused()),
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Share(percent / 100.0)),
                _ => Err(refused()),
            },
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows}"),
            // Ten digits undo the rounding of the division by 100.
            Self::Share(share) => write!(f, "{}%", (share * 1e12).round() / 1e10),
        }
    }
}

/// Both spellings a settings file may use: `max-flagged = 12` and `max-flagged = "0.5%"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(usize),
    Text(String),
}

impl TryFrom<Written> for Allowance {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(rows) => Ok(Self::Rows(rows)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Allowance> for String {
    fn from(allowance: Allowance) -> Self {
        allowance.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_spellings_survive_a_round_trip() {
        for text in ["0", "12", "0.1%", "0.5%", "100%", "33.3%"] {
            assert_eq!(text.parse::<Allowance>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "-1", "1.5", "101%", "-1%", "NaN%", "%", "many"] {
            assert!(text.parse::<Allowance>().is_err(), "{text}");
        }
    }

    #[test]
    fn covers_up_to_and_including_the_limit() {
        assert!(Allowance::Rows(3).covers(3, 10));
        assert!(!Allowance::Rows(3).covers(4, 10));
        assert!(Allowance::Share(0.1).covers(1, 10));
        assert!(!Allowance::Share(0.1).covers(2, 10));
        assert!(Allowance::Share(0.0).covers(0, 0));
    }
}
