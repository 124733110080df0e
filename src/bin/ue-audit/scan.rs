//! `ue-audit scan`: the main job.

use ue_audit::data::read_truth;
use ue_audit::decide::gate::Gate;
use ue_audit::settings::Config;

use crate::args::{Global, ScanArgs};
use crate::pipeline::audit;
use crate::progress::Console;
use crate::publish::{Known, publish};
use crate::source;

pub(crate) fn run(args: &ScanArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let images = Config {
        max_images: args.max_images,
        ..Config::default()
    };
    let settings = global.settings(args.judge.config().or(args.source.config()).or(images))?;
    let (dataset, loading) = source::to_audit(&args.source, &args.output, &settings, console)?;
    let truth = match &args.truth {
        Some(path) => Some(read_truth(
            path,
            dataset.rows.iter().map(|row| row.id.as_str()),
        )?),
        None => None,
    };
    let (model, save_model) = (args.model.as_deref(), args.save_model.as_deref());
    let by = (args.detector(), model);
    let mut audit = audit(dataset, &settings, by, save_model, console)?;
    audit.seconds.insert(0, ("load".into(), loading));
    let report = publish(
        &audit,
        Known {
            truth: truth.as_deref(),
            ..Known::default()
        },
        &settings,
        &args.output,
        args.json,
        (global, console),
    )?;
    Ok(report.gate)
}
