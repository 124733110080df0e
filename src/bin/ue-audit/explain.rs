//! `ue-audit explain`: what an audit says of one row, in numbers and as a picture.

use ue_audit::audit::fit;
use ue_audit::data::write_atomic;
use ue_audit::decide::Verdict;
use ue_audit::decide::gate::Gate;
use ue_audit::dvae::Dvae;
use ue_audit::report::shortcut::Shortcut;
use ue_audit::report::{Explanation, explain, folder, terminal};

use crate::args::{ExplainArgs, Global};
use crate::findings::{flagged_ids, read_report, scanned};
use crate::pipeline::take_apart;
use crate::progress::Console;
use crate::{exit, output, source};

/// Name of the picture beside the report unless another is given.
const PICTURE: &str = "explain.png";

pub(crate) fn run(args: &ExplainArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let report = read_report(&args.report)?;
    let explanation = Explanation::read(&args.report.with_file_name(folder::SAMPLES), &args.id)?;
    let picture = match &args.out {
        Some(path) => path.clone(),
        None => args.report.with_file_name(PICTURE),
    };
    output::refuse_existing(&picture, args.force)?;
    // What the scan was told decides what is fitted again; only the threads are this command's own.
    let mut settings = global.settings(args.source.config())?;
    settings.seed = report.settings.seed;
    settings.preset = report.settings.preset;
    source::use_threads(&settings)?;
    let of = (args.report.as_path(), &report);
    let dataset = scanned(&args.source, of, settings.clone(), console)?;

    let row = dataset
        .readable()
        .iter()
        .position(|&row| dataset.rows[row].id == args.id);
    let drawn = match row.filter(|_| report.verdict != Verdict::Inconclusive) {
        None => false,
        Some(row) => {
            let model = match &args.model {
                Some(path) => Dvae::load(path)?,
                None => fit(&dataset, &settings, console)?,
            };
            if model.provenance().data != dataset.fingerprint {
                console.say("the model was fitted to other data; a scan without --model has seen other reconstructions");
            }
            let take_apart = take_apart(&model, &dataset);
            let ids = flagged_ids(&report);
            let flagged = dataset.readable().iter();
            let flagged: Vec<bool> = flagged
                .map(|&row| ids.contains(dataset.rows[row].id.as_str()))
                .collect();
            let label = explanation.label;
            let shortcut = Shortcut::of(label, &dataset, &flagged, &take_apart)?;
            let of_row = (row, flagged[row]);
            let bytes = explain::render(&dataset, of_row, &take_apart, shortcut.as_ref())?;
            write_atomic(&picture, &bytes)?;
            true
        }
    };
    console.rest();
    if !console.is_quiet() {
        output::stdout(&terminal::explanation(&explanation))?;
    }
    if args.json {
        output::json(&explanation)?;
    }
    Ok(exit::done(match drawn {
        true => format!("the picture is in {}", picture.display()),
        false => "there is no picture: the row was not scored, or no model was fitted".into(),
    }))
}
