//! `ue-audit demo`: the main job with nothing to download.

use ue_audit::data::Dataset;
use ue_audit::decide::gate::Gate;
use ue_audit::lab::attack::{Attack, Lsp, Storage, Target, apply, choose_rows};
use ue_audit::observe::Silent;
use ue_audit::report::folder;
use ue_audit::{Result, Seed, demo};

use crate::args::{DemoArgs, Global};
use crate::pipeline::audit;
use crate::progress::Console;
use crate::publish::publish;
use crate::{exit, source};

pub(crate) fn run(args: &DemoArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(args.judge.config())?;
    folder::check(&args.output.out, args.output.force)?;
    source::use_threads(&settings)?;
    let clean = demo::dataset(args.rows.get(), settings.seed);
    let chosen = choose_rows(clean.rows.len(), args.ratio, settings.seed)?;
    console.say(&format!(
        "{} pictures of {} classes made, {} of them poisoned with lsp",
        clean.rows.len(),
        clean.class_names.len(),
        chosen.len()
    ));
    let dataset = poisoned(&clean, &chosen, settings.seed)?;
    let mut truth = vec![false; dataset.rows.len()];
    for row in chosen {
        truth[row] = true;
    }
    let audit = audit(dataset, &settings, None, None, console)?;
    let report = publish(
        &audit,
        Some(&truth),
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

/// The drop with the `chosen` rows poisoned.
fn poisoned(clean: &Dataset, chosen: &[usize], seed: Seed) -> Result<Dataset> {
    let labels = clean.labels();
    let attack = Lsp::default();
    let size = clean.height * clean.width * 3;
    let mut pixels = clean.pixels().to_vec();
    let pictures = chosen
        .iter()
        .flat_map(|&row| &pixels[row * size..(row + 1) * size]);
    let target = Target {
        height: clean.height,
        width: clean.width,
        labels: &chosen.iter().map(|&row| labels[row]).collect::<Vec<_>>(),
        classes: clean.class_names.len(),
        pixels: &pictures.copied().collect::<Vec<_>>(),
    };
    let perturbation = attack.perturb(&target, seed, &Silent)?;
    for (k, &row) in chosen.iter().enumerate() {
        let rgb = &mut pixels[row * size..(row + 1) * size];
        apply(rgb, perturbation.row(k), attack.budget(), Storage::Round)?;
    }
    Ok(Dataset::from_pixels(
        &clean.format,
        &clean.rule,
        clean.class_names.clone(),
        (clean.height, clean.width),
        pixels,
        &labels,
    ))
}
