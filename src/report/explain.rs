//! One row of an audit beside its class: read back from `samples.csv`, shown as numbers and as a picture.

use std::path::Path;

use image::Rgb;
use serde::Serialize;

use super::csv::{SAMPLE_COLUMNS, unguard};
use super::panels::{Strip, amplified, bytes, draw, panel};
use super::sheet::TakeApart;
use super::shortcut::{Shortcut, left_over};
use crate::data::Dataset;
use crate::stats::quantiles;
use crate::{Error, Result};

const RED: Rgb<u8> = Rgb([200, 30, 30]);
const GREEN: Rgb<u8> = Rgb([30, 140, 60]);

/// What an audit says of one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Its id.
    pub sample_id: String,
    /// Its label.
    pub label: u32,
    /// The name of its class.
    pub label_name: String,
    /// `ok`, `unreadable` or `skipped`.
    pub status: String,
    /// Why it could not be read or was left out.
    pub reason: String,
    /// Whether it is flagged.
    pub flagged: bool,
    /// `none`, `low`, `medium` or `high`.
    pub severity: String,
    /// The numbers of the row beside those of its class; none for a row that was not scored.
    pub standings: Vec<Standing>,
}

/// One number of the row among those of its class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// As in the header of `samples.csv`, or in its `evidence` column.
    pub name: String,
    /// Of the row.
    pub value: f64,
    /// Median of the rows of the class that are not flagged; absent if there are none.
    pub unflagged_median: Option<f64>,
    /// Median of the flagged rows of the class; absent if there are none.
    pub flagged_median: Option<f64>,
    /// Share of the scored rows of the class with a smaller value.
    pub above: f64,
}

impl Explanation {
    /// Of the row `id` in the `samples.csv` at `path`.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such row or the table is not one of ours, [`Error::Io`].
    pub fn read(path: &Path, id: &str) -> Result<Self> {
        let malformed = |problem: String| Error::input(path, problem);
        let mut table =
            csv::Reader::from_reader(std::fs::File::open(path).map_err(Error::io(path))?);
        let header = table.headers().map_err(|e| malformed(e.to_string()))?;
        if *header != SAMPLE_COLUMNS[..] {
            return Err(malformed(
                "this is not the samples.csv of a scan by this version".into(),
            ));
        }
        let rows: Vec<Sample> = table
            .deserialize()
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| malformed(error.to_string()))?;
        let is_it = |row: &&Sample| unguard(&row.sample_id) == id;
        let row = rows.iter().find(is_it).ok_or_else(|| {
            malformed(format!(
                "no row {id:?}; ids are those of the column sample_id"
            ))
        })?;
        let class = rows.iter().filter(|other| other.label == row.label);
        let class: Vec<(bool, Vec<(&str, f64)>)> = class
            .map(|row| {
                Ok((
                    row.flagged == 1,
                    row.numbers().ok_or_else(|| malformed(row.broken()))?,
                ))
            })
            .collect::<Result<_>>()?;
        let own = row.numbers().ok_or_else(|| malformed(row.broken()))?;
        let standing = |(place, &(name, value)): (usize, &(&str, f64))| {
            let of = |wanted: &dyn Fn(bool) -> bool| -> Vec<f64> {
                let rows = class.iter().filter(|(flagged, _)| wanted(*flagged));
                rows.filter_map(|(_, numbers)| Some(numbers.get(place)?.1))
                    .collect()
            };
            let median = |flag: bool| {
                quantiles(&of(&|flagged| flagged == flag), &[0.5])
                    .first()
                    .copied()
            };
            let all = of(&|_| true);
            let smaller = all.iter().filter(|&&other| other < value).count();
            Standing {
                name: name.into(),
                value,
                unflagged_median: median(false),
                flagged_median: median(true),
                above: smaller as f64 / all.len().max(1) as f64,
            }
        };
        Ok(Self {
            sample_id: id.into(),
            label: row.label,
            label_name: unguard(&row.label_name).into(),
            status: row.status.clone(),
            reason: unguard(&row.reason).into(),
            flagged: row.flagged == 1,
            severity: row.severity.clone(),
            standings: own.iter().enumerate().map(standing).collect(),
        })
    }
}

/// A line of `samples.csv`.
#[derive(serde::Deserialize)]
struct Sample {
    sample_id: String,
    label: u32,
    label_name: String,
    status: String,
    reason: String,
    flagged: u8,
    poison_score: Option<f64>,
    q_value: Option<f64>,
    severity: String,
    perturbation_l2: Option<f64>,
    perturbation_linf: Option<f64>,
    evidence: String,
}

impl Sample {
    /// All numbers that the row has, by name, in one order for all rows; `None` where one cannot be read.
    fn numbers(&self) -> Option<Vec<(&str, f64)>> {
        let columns = [
            ("poison_score", self.poison_score),
            ("q_value", self.q_value),
            ("perturbation_l2", self.perturbation_l2),
            ("perturbation_linf", self.perturbation_linf),
        ];
        let columns = columns
            .into_iter()
            .filter_map(|(name, value)| Some(Some((name, value?))));
        let cells = unguard(&self.evidence)
            .split(';')
            .filter(|cell| !cell.is_empty());
        let views = cells.map(|cell| {
            let (name, value) = cell.split_once('=')?;
            Some((name, value.parse().ok()?))
        });
        columns.chain(views).collect()
    }

    fn broken(&self) -> String {
        format!("row {}: the evidence cannot be read", self.sample_id)
    }
}

/// The bytes of a picture of a block row, which may be flagged, a PNG: on the left the picture, its reconstruction, and p̂; on the
/// right what the reconstruction leaves of it, x - x̂, and the [`Shortcut`] of its class as template and spectrum, if it
/// has one. Differences are around mid-grey, amplified. The bar is red if the row is flagged, else green.
///
/// # Errors
/// Whatever `take_apart` returns, and [`Error::Numeric`] if the picture cannot be encoded.
pub fn render(
    dataset: &Dataset,
    (row, flagged): (usize, bool),
    take_apart: &TakeApart<'_>,
    shortcut: Option<&Shortcut>,
) -> Result<Vec<u8>> {
    let size = (dataset.height, dataset.width);
    let (reconstruction, perturbation) = take_apart(&[row])?;
    let left = left_over(dataset.image(row), &reconstruction);
    let colour = if flagged { RED } else { GREEN };
    let apart = vec![
        panel(size, dataset.image(row)),
        panel(size, &bytes(&reconstruction, 1.0, 0.0)),
        panel(size, &amplified(&perturbation)),
    ];
    let mut shared = vec![panel(size, &amplified(&left))];
    shared.extend(shortcut.iter().flat_map(|shortcut| {
        [amplified(&shortcut.template), shortcut.spectrum_rgb()].map(|rgb| panel(size, &rgb))
    }));
    let [apart, shared] = [apart, shared].map(|panels| [Strip { colour, panels }]);
    draw([&apart, &shared], size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(rows: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.csv");
        let text = format!("{}\n{}\n", SAMPLE_COLUMNS.join(","), rows.join("\n"));
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_row_stands_among_those_of_its_class() {
        let (_folder, path) = table(&[
            "a.png,0,cat,ok,,1,0.9,0.01,high,1.5,0.1,net=3.0;pixel=0.0,f",
            "'=b.png,0,cat,ok,,0,0.1,1.0,none,1.0,0.1,net=1.0;pixel=0.0,f",
            "c.png,0,cat,unreadable,truncated: 3 bytes,0,,,none,,,,",
            "d.png,0,cat,ok,,0,0.2,1.0,none,1.0,0.1,net=2.0;pixel=0.0,f",
            "e.png,1,dog,ok,,0,0.0,1.0,none,1.0,0.1,net=9.0;pixel=0.0,f",
        ]);
        let explanation = Explanation::read(&path, "a.png").unwrap();
        assert!(explanation.flagged && explanation.severity == "high");
        let net = explanation
            .standings
            .iter()
            .find(|s| s.name == "net")
            .unwrap();
        assert_eq!(
            (net.value, net.unflagged_median, net.flagged_median),
            (3.0, Some(1.5), Some(3.0))
        );
        assert!((net.above - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(explanation.standings.len(), 6);

        let guarded = Explanation::read(&path, "=b.png").unwrap();
        assert!(!guarded.flagged);
        let unread = Explanation::read(&path, "c.png").unwrap();
        assert_eq!(
            (unread.reason.as_str(), unread.standings.len()),
            ("truncated: 3 bytes", 0)
        );
        let error = Explanation::read(&path, "nowhere").unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    #[test]
    fn a_table_of_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.csv");
        std::fs::write(&path, "sample_id,poisoned\na,1\n").unwrap();
        assert!(matches!(
            Explanation::read(&path, "a"),
            Err(Error::Input { .. })
        ));
        let (_folder, path) = table(&["a,0,c,ok,,1,0.9,0.01,high,1.5,0.1,net=x,f"]);
        assert!(Explanation::read(&path, "a").is_err());
    }
}
