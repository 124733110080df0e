//! From an audit to what people get: the folder, the tables, the JSON line.

use ue_audit::report::sheet::TakeApart;
use ue_audit::report::{Power, Report, Timing, Timings, folder, terminal};
use ue_audit::settings::Settings;

use crate::args::{Global, OutArgs};
use crate::output;
use crate::pipeline::take_apart;
use crate::progress::Console;
use ue_audit::audit::Audit;

/// What is known beside the audit.
#[derive(Default)]
pub(crate) struct Known<'a> {
    /// Which rows of the drop are poisoned.
    pub(crate) truth: Option<&'a [bool]>,
    /// What a scan of the data would have caught.
    pub(crate) selftest: Vec<Power>,
}

/// Writes the audit folder, prints the summary and, with `json`, the report; gives back the report.
pub(crate) fn publish(
    audit: &Audit,
    known: Known<'_>,
    settings: &Settings,
    out: &OutArgs,
    json: bool,
    (global, console): (&Global, &Console),
) -> anyhow::Result<Report> {
    let Audit {
        dataset,
        evidence,
        decision,
        model,
        ..
    } = audit;
    let take_apart = model.as_ref().map(|model| take_apart(model, dataset));
    let mut report = Report::new(dataset, evidence, decision, settings, known.truth)?;
    report.selftest = known.selftest;
    let timings = Timings::new(&audit.seconds);
    let contents = folder::Contents {
        dataset,
        evidence,
        decision,
        take_apart: take_apart.as_ref().map(|take| take as &TakeApart<'_>),
        report: &report,
        timings: &timings,
    };
    folder::write(&out.out, out.force, &contents)?;
    console.rest();
    report.timings = Timing::Inline(timings);
    if !console.is_quiet() {
        let summary = terminal::render(&report, &out.out, global.color.style());
        output::stdout(&summary)?;
    }
    if json {
        output::json(&report)?;
    }
    Ok(report)
}
