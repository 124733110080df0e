//! `ue-audit scan`: the main job.

use std::time::Instant;

use ue_audit::data::{load, read_truth};
use ue_audit::decide::gate::Gate;
use ue_audit::report::folder;
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
    // Everything that can be refused is refused before the work, not after it.
    let reader = source::reader(&args.source, &settings)?;
    folder::check(&args.output.out, args.output.force)?;
    source::outside(&args.output.out, &args.source.path)?;
    source::use_threads(&settings)?;

    let begun = Instant::now();
    let dataset = load(&*reader, &source::load_options(&settings), console)?;
    let truth = match &args.truth {
        Some(path) => Some(read_truth(
            path,
            dataset.rows.iter().map(|row| row.id.as_str()),
        )?),
        None => None,
    };
    let loading = ("load".to_string(), begun.elapsed().as_secs_f64());
    let (model, save_model) = (args.model.as_deref(), args.save_model.as_deref());
    let by = (args.detector(), model);
    let mut audit = audit(dataset, &settings, by, save_model, console)?;
    audit.seconds.insert(0, loading);
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
