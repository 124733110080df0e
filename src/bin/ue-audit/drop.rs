//! `ue-audit drop`: a copy without the rows that a scan has flagged.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use ue_audit::data::{Dataset, Edit, RowMap, TRUTH_FILE, load, read_truth, rewrite, write_truth};
use ue_audit::decide::gate::Gate;
use ue_audit::report::{Report, SCHEMA};
use ue_audit::{Error, Result};

use crate::args::{DropArgs, Global};
use crate::progress::Console;
use crate::{exit, source};

pub(crate) fn run(args: &DropArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let report = read_report(&args.report)?;
    let mut settings = global.settings(args.source.config())?;
    // The fingerprint is of the rows as the scan saw them.
    settings.max_images = report.settings.max_images;
    settings.limits = report.settings.limits;
    source::use_threads(&settings)?;
    let reader = source::reader(&args.source, &settings)?;
    let dataset = load(&*reader, &source::load_options(&settings), console)?;
    ensure!(
        dataset.fingerprint == report.data.fingerprint,
        "{} is not a report on {}: the fingerprints of the data differ; scan it again",
        args.report.display(),
        args.source.path.display()
    );
    let flagged: BTreeSet<&str> = report.flagged.iter().map(String::as_str).collect();
    let mut edit = |row: usize| -> Result<Edit> {
        Ok(match flagged.contains(dataset.rows[row].id.as_str()) {
            true => Edit::Drop,
            false => Edit::Keep,
        })
    };
    let new_ids = rewrite(
        &*reader,
        &args.copy.out,
        args.copy.force,
        &mut edit,
        console,
    )?;
    carry_truth(&args.source.path, &args.copy.out, &dataset, &new_ids)?;
    console.rest();
    if report.data.skipped + report.data.unreadable > 0 {
        console.say(&format!(
            "{} rows that were not scanned and {} that could not be read are not judged: they are in the copy \
             wherever they could be copied",
            report.data.skipped, report.data.unreadable
        ));
    }
    let kept = new_ids.iter().flatten().count();
    Ok(exit::done(format!(
        "{kept} of {} rows are in {}",
        new_ids.len(),
        args.copy.out.display()
    )))
}

fn read_report(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    let report: Report = serde_json::from_str(&text)
        .with_context(|| format!("{} is not the results.json of a scan", path.display()))?;
    ensure!(
        report.schema == SCHEMA,
        "{}: schema {} is not {SCHEMA}; scan again with this version",
        path.display(),
        report.schema
    );
    Ok(report)
}

/// Where rows are numbered, dropping some renames others: a truth in the source would name the wrong ones in the copy.
fn carry_truth(source: &Path, copy: &Path, dataset: &Dataset, new_ids: &RowMap) -> Result<()> {
    let truth = source.join(TRUTH_FILE);
    if !truth.is_file() {
        return Ok(());
    }
    let truth = read_truth(&truth, dataset.rows.iter().map(|row| row.id.as_str()))?;
    let kept = new_ids.iter().zip(truth);
    let kept = kept.filter_map(|(id, poisoned)| Some((id.as_deref()?, poisoned)));
    write_truth(&copy.join(TRUTH_FILE), kept)
}
