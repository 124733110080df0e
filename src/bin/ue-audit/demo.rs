//! `ue-audit demo`: the main job with nothing to download.

use ue_audit::decide::gate::Gate;
use ue_audit::demo;
use ue_audit::lab::attack::Lsp;
use ue_audit::lab::planting::Planting;
use ue_audit::observe::Silent;
use ue_audit::report::folder;

use crate::args::{DemoArgs, Global};
use crate::pipeline::audit;
use crate::progress::Console;
use crate::publish::{Known, publish};
use crate::{exit, source};

pub(crate) fn run(args: &DemoArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(args.judge.config())?;
    folder::check(&args.output.out, args.output.force)?;
    source::use_threads(&settings)?;
    let clean = demo::dataset(args.rows.get(), settings.seed);
    let planting = Planting::new(&Lsp::default(), &clean, args.ratio, settings.seed, &Silent)?;
    let chosen = planting.rows(usize::MAX);
    console.say(&format!(
        "{} pictures of {} classes made, {} of them poisoned with lsp",
        clean.rows.len(),
        clean.class_names.len(),
        chosen.len()
    ));
    let dataset = planting.plant(chosen.len())?;
    let truth = planting.truth(chosen.len());
    let audit = audit(dataset, &settings, (None, None), None, console)?;
    let report = publish(
        &audit,
        Known {
            truth: Some(&truth),
            ..Known::default()
        },
        &settings,
        &args.output,
        false,
        (global, console),
    )?;
    Ok(exit::done(format!(
        "the demo is done; a scan would have ended with {}: {}",
        u8::from(report.gate.exit),
        report.gate.reason
    )))
}
