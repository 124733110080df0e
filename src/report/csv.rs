//! `samples.csv` and `classes.csv`: RFC 4180 with `\n`, UTF-8, decimal point, six digits.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return as a formula, and names of
//! files and classes come from whoever made the drop. Such a text gets a leading apostrophe, and so does one that already
//! begins with an apostrophe: taking one leading apostrophe away always gives the text back ([`unguard`]).

use std::borrow::Cow;

use super::Report;
use crate::data::{Dataset, Status};
use crate::decide::Decision;
use crate::detect::Evidence;

/// Columns of `samples.csv`.
pub const SAMPLE_COLUMNS: [&str; 13] = [
    "sample_id",
    "label",
    "label_name",
    "status",
    "reason",
    "flagged",
    "poison_score",
    "q_value",
    "severity",
    "perturbation_l2",
    "perturbation_linf",
    "evidence",
    "fingerprint",
];

/// Columns of `classes.csv`.
pub const CLASS_COLUMNS: [&str; 9] = [
    "label",
    "label_name",
    "count",
    "unreadable",
    "flagged",
    "ratio",
    "ratio_low",
    "ratio_high",
    "verdict",
];

/// Makes a text harmless to a spreadsheet.
pub fn guard(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// Gives back the text that [`guard`] was given.
pub fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// The bytes of `samples.csv`: every row of the drop in sample order. A row without pixels has empty numbers and is not
/// flagged.
///
/// # Panics
/// If `evidence` or `decision` have another number of rows than `dataset` has readable ones: a defect in the caller.
pub fn samples(dataset: &Dataset, evidence: &Evidence, decision: &Decision) -> Vec<u8> {
    assert_eq!(decision.rows.len(), dataset.readable().len());
    let mut judged = 0..decision.rows.len();
    table(&SAMPLE_COLUMNS, &dataset.rows, |row| {
        let (status, reason) = match &row.status {
            Status::Ok => ("ok", ""),
            Status::Unreadable(reason) => ("unreadable", reason.as_str()),
            Status::Skipped(reason) => ("skipped", reason.as_str()),
        };
        let class = dataset.class_names.get(row.label as usize);
        let mut cells = vec![
            guard(&row.id).into_owned(),
            row.label.to_string(),
            guard(class.map_or("", String::as_str)).into_owned(),
            status.into(),
            guard(reason).into_owned(),
        ];
        match (row.status == Status::Ok).then(|| judged.next()).flatten() {
            Some(k) => {
                let decided = &decision.rows[k];
                cells.extend([
                    u8::from(decided.flagged).to_string(),
                    number(decided.poison_score),
                    number(decided.q_value),
                    format!("{:?}", decided.severity).to_lowercase(),
                    evidence
                        .perturbation_l2
                        .get(k)
                        .map_or(String::new(), |v| number(*v)),
                    evidence
                        .perturbation_linf
                        .get(k)
                        .map_or(String::new(), |v| number(*v)),
                    guard(&evidence_cell(evidence, k)).into_owned(),
                ]);
            }
            None => cells.extend(["0", "", "", "none", "", "", ""].map(String::from)),
        }
        cells.push(row.fingerprint.clone());
        cells
    })
}

/// The bytes of `classes.csv`: a row for each class, by label.
pub fn classes(report: &Report) -> Vec<u8> {
    table(&CLASS_COLUMNS, &report.classes, |class| {
        vec![
            class.label.to_string(),
            guard(&class.name).into_owned(),
            class.count.to_string(),
            class.unreadable.to_string(),
            class.flagged.to_string(),
            number(class.ratio.estimate),
            number(class.ratio.lo95),
            number(class.ratio.hi95),
            format!("{:?}", class.verdict).to_lowercase(),
        ]
    })
}

fn evidence_cell(evidence: &Evidence, k: usize) -> String {
    let cell = |view: &crate::detect::View| format!("{}={}", view.name, number(view.scores[k]));
    let cells: Vec<String> = evidence.views.iter().map(cell).collect();
    cells.join(";")
}

fn number(value: f64) -> String {
    format!("{value:.6}")
}

/// Quotes as RFC 4180 asks, which the `csv` crate does.
fn table<T>(columns: &[&str], rows: &[T], mut cells: impl FnMut(&T) -> Vec<String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    let written = writer
        .write_record(columns)
        .and_then(|()| {
            rows.iter()
                .try_for_each(|row| writer.write_record(cells(row)))
        })
        .and_then(|()| writer.flush().map_err(csv::Error::from));
    drop(writer);
    // Memory takes every byte and every row has the cells of the head, so there is nothing to report to a caller.
    assert!(written.is_ok(), "a table of equal rows");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_and_ids_come_back() {
        for text in [
            "=1+1", "+a", "-a", "@a", "\ta", "\ra", "'a", "'=a", "a=b", "", "a'b",
        ] {
            let cell = guard(text);
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{text}"
            );
            assert_eq!(unguard(&cell), text);
        }
    }
}
