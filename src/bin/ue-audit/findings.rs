//! A scan's findings with the data that they are about, for the commands that act on them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use ue_audit::data::{
    Dataset, Limits, Reader, RowMap, TRUTH_FILE, check_target, load, read_truth, write_truth,
};
use ue_audit::report::{Report, SCHEMA};
use ue_audit::settings::Settings;
use ue_audit::{Error, Result};

use crate::args::{CopyArgs, SourceArgs};
use crate::progress::Console;
use crate::source;

/// A drop that is about to be copied.
pub(crate) struct Drop {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) dataset: Dataset,
    /// Under which it was read.
    pub(crate) limits: Limits,
    /// What a scan said of it, if one was asked.
    report: Option<Report>,
}

impl Drop {
    /// Reads the data, all rows or those that the scan with this `report` saw. What can be refused is refused at once.
    pub(crate) fn open(
        args: &SourceArgs,
        report: Option<&Path>,
        copy: &CopyArgs,
        mut settings: Settings,
        console: &Console,
    ) -> anyhow::Result<Self> {
        let found = report.map(read_report).transpose()?;
        settings.max_images = None;
        if let Some(report) = &found {
            as_scanned(&mut settings, report);
        }
        source::use_threads(&settings)?;
        let reader = source::reader(args, &settings)?;
        check_target(&*reader, &copy.out, copy.force)?;
        let dataset = load(&*reader, &source::load_options(&settings), console)?;
        if let (Some(found), Some(path)) = (&found, report) {
            ensure_same(&dataset, found, (path, args))?;
        }
        Ok(Self {
            reader,
            dataset,
            limits: settings.limits,
            report: found,
        })
    }

    /// Ids of the flagged rows.
    pub(crate) fn flagged(&self) -> BTreeSet<&str> {
        self.report.as_ref().map(flagged_ids).unwrap_or_default()
    }

    /// Tells of rows on which the scan has no word.
    pub(crate) fn tell_unjudged(&self, console: &Console) {
        let Some(Report { data, .. }) = &self.report else {
            return;
        };
        if data.skipped + data.unreadable > 0 {
            console.say(&format!(
                "{} rows that were not scanned and {} that could not be read are not judged: they are in the copy \
                 wherever they could be copied",
                data.skipped, data.unreadable
            ));
        }
    }

    /// Where rows are numbered, dropping some renames others, and so does another way to store a picture: a truth in the
    /// source would name the wrong ones in the copy.
    pub(crate) fn carry_truth(&self, copy: &Path, new_ids: &RowMap) -> Result<()> {
        let truth = self.reader.tree().root().join(TRUTH_FILE);
        if !truth.is_file() {
            return Ok(());
        }
        let truth = read_truth(&truth, self.dataset.rows.iter().map(|row| row.id.as_str()))?;
        let kept = new_ids.iter().zip(truth);
        let kept = kept.filter_map(|(id, poisoned)| Some((id.as_deref()?, poisoned)));
        write_truth(&copy.join(TRUTH_FILE), kept)
    }
}

/// The rows that the scan with this `report`, which lies at `path`, saw.
pub(crate) fn scanned(
    args: &SourceArgs,
    (path, report): (&Path, &Report),
    mut settings: Settings,
    console: &Console,
) -> anyhow::Result<Dataset> {
    as_scanned(&mut settings, report);
    let reader = source::reader(args, &settings)?;
    let dataset = load(&*reader, &source::load_options(&settings), console)?;
    ensure_same(&dataset, report, (path, args))?;
    Ok(dataset)
}

/// The fingerprint is of the rows as the scan saw them.
fn as_scanned(settings: &mut Settings, report: &Report) {
    settings.max_images = report.settings.max_images;
    settings.limits = report.settings.limits;
}

fn ensure_same(
    dataset: &Dataset,
    report: &Report,
    (path, args): (&Path, &SourceArgs),
) -> anyhow::Result<()> {
    ensure!(
        dataset.fingerprint == report.data.fingerprint,
        "{} is not a report on {}: the fingerprints of the data differ; scan it again",
        path.display(),
        args.path.display()
    );
    Ok(())
}

/// Ids of the rows that the scan with this `report` has flagged.
pub(crate) fn flagged_ids(report: &Report) -> BTreeSet<&str> {
    report.flagged.iter().map(String::as_str).collect()
}

/// The results.json of a scan.
pub(crate) fn read_report(path: &Path) -> anyhow::Result<Report> {
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
