//! `samples.csv`, `classes.csv` and `changes.csv`: RFC 4180 with `\n`, UTF-8, decimal point, six digits.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return as a formula, and names of
//! files and classes come from whoever made the drop. Such a text gets a leading apostrophe, and so does one that already
//! begins with an apostrophe: taking one leading apostrophe away always gives the text back ([`unguard`]).

use std::borrow::Cow;

use super::{Change, Report};
use crate::data::{Dataset, Status};
use crate::decide::{Decision, Ratio, Verdict};
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

/// Columns of `changes.csv`.
pub const CHANGE_COLUMNS: [&str; 6] = [
    "sample_id",
    "new_id",
    "old_fingerprint",
    "new_fingerprint",
    "psnr_db",
    "largest_change",
];

/// Columns of the table of findings.
pub const FINDING_COLUMNS: [&str; 9] = [
    "kind",
    "name",
    "rows",
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
            class.verdict.to_string(),
        ]
    })
}

/// What a report says, as one table: a line of the kind `drop`, one `class` each, and one `row` for each flagged one, which
/// has no numbers.
pub fn findings(report: &Report) -> Vec<u8> {
    let share = |ratio: &Ratio| [ratio.estimate, ratio.lo95, ratio.hi95].map(number);
    let counts = |kind: &str, name: &str, counts: [usize; 3], ratio, verdict: Verdict| {
        let mut cells = vec![kind.to_owned(), guard(name).into_owned()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend(share(ratio));
        cells.push(verdict.to_string());
        cells
    };
    let data = &report.data;
    let of_drop = [data.rows, data.unreadable, report.flagged.len()];
    let mut rows = vec![counts(
        "drop",
        "",
        of_drop,
        &report.poison_ratio,
        report.verdict,
    )];
    rows.extend(report.classes.iter().map(|class| {
        let numbers = [class.count, class.unreadable, class.flagged];
        counts("class", &class.name, numbers, &class.ratio, class.verdict)
    }));
    rows.extend(report.flagged.iter().map(|id| {
        let mut cells = vec!["row".to_owned(), guard(id).into_owned()];
        cells.extend(["", "", "1", "", "", "", ""].map(String::from));
        cells
    }));
    table(&FINDING_COLUMNS, &rows, Vec::clone)
}

/// The bytes of `changes.csv`: a row for each picture that was to be purified, in sample order.
pub fn changes(changes: &[Change]) -> Vec<u8> {
    table(&CHANGE_COLUMNS, changes, |change| {
        vec![
            guard(&change.id).into_owned(),
            guard(&change.new_id).into_owned(),
            change.old_fingerprint.clone(),
            change.new_fingerprint.clone(),
            change.psnr.map_or(String::new(), number),
            change.largest.to_string(),
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
