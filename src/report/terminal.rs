//! The summary for a person at a terminal.

use std::fmt::Write;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::rendering::percent;
use super::{Explanation, Report, Timing, folder, shortcut};
use crate::decide::Verdict;

/// Classes shown; `classes.csv` has them all.
const CLASSES: usize = 20;

/// How the summary may look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Colour the verdict.
    pub color: bool,
}

/// The summary of `report`, whose audit folder is `folder`.
pub fn render(report: &Report, folder: &Path, style: Style) -> String {
    let mut text = banner(report, style);
    let data = &report.data;
    let _ = writeln!(
        text,
        "{} rows read as {}: {} scored, {} unreadable, {} skipped, {} classes, {} x {} pixels{}",
        data.rows,
        printable(&data.format),
        data.readable,
        data.unreadable,
        data.skipped,
        report.classes.len(),
        data.height,
        data.width,
        match data.resized {
            0 => String::new(),
            rows => format!(" ({rows} rows resized to that)"),
        }
    );
    for group in &report.bad_files {
        let examples: Vec<String> = group.examples.iter().map(|id| printable(id)).collect();
        let _ = writeln!(
            text,
            "  {}: {} rows, such as {}",
            printable(&group.reason),
            group.rows,
            examples.join(", ")
        );
    }
    let _ = writeln!(text, "\n{}", classes(report));
    if report.classes.len() > CLASSES {
        let rest = report.classes.len() - CLASSES;
        let _ = writeln!(
            text,
            "and {rest} classes more in {}",
            super::folder::CLASSES
        );
    }
    if let Some(table) = metrics(report) {
        let _ = writeln!(text, "\n{table}");
    }
    if !report.selftest.is_empty() {
        let _ = writeln!(text, "\n{}", powers(report));
    }
    if let Timing::Inline(timings) = &report.timings {
        let _ = write!(text, "\n{:.1} s", timings.total_seconds);
        if let Some(memory) = timings.peak_memory_mib {
            let _ = write!(text, ", at most {memory:.0} MiB");
        }
        let _ = writeln!(text);
    }
    let _ = writeln!(
        text,
        "audit: {} ({})",
        folder.display(),
        files(report).join(", ")
    );
    text
}

/// What `explain` prints.
pub fn explanation(row: &Explanation) -> String {
    let mut text = format!(
        "{}: label {} ({}), {}",
        printable(&row.sample_id),
        row.label,
        printable(&row.label_name),
        match (row.flagged, row.status.as_str()) {
            (true, _) => format!("flagged, severity {}", row.severity),
            (false, "ok") => "not flagged".into(),
            (false, status) => format!("{status}: {}", printable(&row.reason)),
        }
    );
    if !row.standings.is_empty() {
        let head = [
            "measurement",
            "this row",
            "median, not flagged",
            "median, flagged",
            "rows of the class below it",
        ];
        let mut table = table(&head);
        for standing in &row.standings {
            table.add_row([
                printable(&standing.name),
                share(Some(standing.value)),
                standing
                    .unflagged_median
                    .map_or("-".into(), |v| share(Some(v))),
                standing
                    .flagged_median
                    .map_or("-".into(), |v| share(Some(v))),
                percent(standing.above),
            ]);
        }
        let _ = write!(text, "\n\n{table}");
    }
    text
}

/// What lies in the audit folder.
fn files(report: &Report) -> Vec<&'static str> {
    let shared = report
        .classes
        .iter()
        .any(|class| class.flagged >= shortcut::LEAST);
    let mut files = vec![
        folder::RESULTS,
        folder::SAMPLES,
        folder::CLASSES,
        folder::SHEET,
    ];
    files.extend(shared.then_some(folder::SHORTCUTS));
    files.push(folder::TIMINGS);
    files
}

/// Text from the drop with its control characters escaped: a name must not be able to steer the terminal.
pub fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn banner(report: &Report, style: Style) -> String {
    let (word, code) = match report.verdict {
        Verdict::Clean => ("CLEAN", 32),
        Verdict::Suspect => ("SUSPECT", 33),
        Verdict::Poisoned => ("POISONED", 31),
        Verdict::Inconclusive => ("INCONCLUSIVE", 35),
    };
    let word = match style.color {
        true => format!("\x1b[1;{code}m{word}\x1b[0m"),
        false => word.into(),
    };
    let ratio = &report.poison_ratio;
    format!(
        "{word}: {}\n{} of {} rows flagged; poisoned share {} (95 %: {} to {})\n",
        printable(&report.reason),
        report.flagged.len(),
        report.data.readable,
        percent(ratio.estimate),
        percent(ratio.lo95),
        percent(ratio.hi95)
    )
}

fn classes(report: &Report) -> Table {
    let mut table = table(&[
        "class",
        "rows",
        "unreadable",
        "flagged",
        "poisoned share",
        "verdict",
    ]);
    let mut worst: Vec<_> = report.classes.iter().collect();
    if worst.len() > CLASSES {
        worst.sort_by(|a, b| b.ratio.estimate.total_cmp(&a.ratio.estimate));
    }
    for class in worst.into_iter().take(CLASSES) {
        let ratio = &class.ratio;
        table.add_row([
            printable(&class.name),
            class.count.to_string(),
            class.unreadable.to_string(),
            class.flagged.to_string(),
            format!(
                "{} ({} to {})",
                percent(ratio.estimate),
                percent(ratio.lo95),
                percent(ratio.hi95)
            ),
            class.verdict.to_string(),
        ]);
    }
    table
}

fn metrics(report: &Report) -> Option<Table> {
    let truth = report.metrics.as_ref()?;
    let mut table = table(&["against the truth", "value"]);
    for (name, value) in truth.detection.named() {
        table.add_row([name.into(), share(value)]);
    }
    for view in &truth.auc_by_view {
        table.add_row([format!("AUC of {} alone", view.name), share(view.auc)]);
    }
    Some(table)
}

fn powers(report: &Report) -> Table {
    let mut table = table(&[
        "planted poison",
        "rows",
        "smallest share caught",
        "not caught",
    ]);
    for power in &report.selftest {
        let missed = power.trials.iter().rev();
        let missed = missed.filter(|trial| trial.verdict != Verdict::Poisoned);
        let missed: Vec<String> = missed
            .map(|trial| format!("{} ({})", percent(trial.ratio), trial.verdict))
            .collect();
        let caught = match &power.problem {
            Some(problem) => format!("not tried: {problem}"),
            None => power.caught.map_or("none".into(), percent),
        };
        table.add_row([
            power.attack.clone(),
            power.rows.to_string(),
            caught,
            missed.join(", "),
        ]);
    }
    table
}

/// An empty table with this head, as wide as the terminal allows; columns after the first hold numbers.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn share(value: Option<f64>) -> String {
    value.map_or("undefined".into(), |value| format!("{value:.4}"))
}
