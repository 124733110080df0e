//! `ue-audit purify`: a copy in the source's own format whose pictures have lost their perturbation.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde_json::json;
use ue_audit::data::{Edit, Reader, Record, Staged, stage, write_atomic};
use ue_audit::decide::gate::Gate;
use ue_audit::purify::{Cure, Job, Method, Options, Steps, discard};
use ue_audit::report::{Change, csv};
use ue_audit::{Error, Result};

use crate::args::{Global, PurifyArgs};
use crate::exit;
use crate::findings::Drop;
use crate::progress::Console;

/// Name of the ledger in the copy.
const CHANGES: &str = "changes.csv";
/// Name of the account of what was done.
const SUMMARY: &str = "purify.json";

pub(crate) fn run(args: &PurifyArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    ensure!(
        args.variant.is_none() || args.method == Method::Dvae,
        "--variant applies to --method dvae only"
    );
    let settings = global.settings(args.size.config().or(args.source.config()))?;
    let (seed, preset) = (settings.seed, settings.preset);
    let report = args.report.as_deref();
    let drop = Drop::open(&args.source, report, &args.copy, settings, console)?;
    let options = Options {
        preset,
        rate: args.kld_limit,
        steps: args.variant.unwrap_or(Steps::ALL),
        inference: args.latent,
        precision: args.arithmetic.precision,
    };
    let purifier = args.method.build(options, drop.dataset.readable().len());
    let keep = work_folder(&args.copy.out);
    let job = Job {
        seed,
        keep: Some(&keep),
        observer: console,
    };
    let cure = purifier.purify(&drop.dataset, job)?;
    let (copy, changes) = write(&drop, &cure, args, console)?;

    let put = |name: &str, bytes: &[u8]| write_atomic(&copy.path().join(name), bytes);
    drop.carry_truth(&copy.path(), &copy.ids)?;
    put(CHANGES, &csv::changes(&changes))?;
    let changed: Vec<f64> = changes.iter().filter_map(|change| change.psnr).collect();
    let mean = changed.iter().sum::<f64>() / changed.len() as f64;
    let summary = json!({
        "tool": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
        "method": purifier.name(),
        "settings": purifier.settings(),
        "seed": seed,
        "source_fingerprint": drop.dataset.fingerprint,
        "only_flagged": args.only_flagged,
        "rows": drop.dataset.rows.len(),
        "purified": changes.len(),
        "changed": changed.len(),
        "mean_psnr_db": (!changed.is_empty()).then_some(mean),
    });
    put(SUMMARY, format!("{summary:#}\n").as_bytes())?;
    copy.publish()?;
    discard(&keep)?;
    console.rest();
    drop.tell_unjudged(console);
    Ok(exit::done(format!(
        "{} of {} rows are purified by {} in {}",
        changes.len(),
        drop.dataset.rows.len(),
        purifier.name(),
        args.copy.out.display()
    )))
}

/// The copy, not yet in its place, and what became of each purified row.
fn write(
    drop: &Drop,
    cure: &Cure,
    args: &PurifyArgs,
    console: &Console,
) -> Result<(Staged, Vec<Change>)> {
    let Drop {
        reader,
        dataset,
        limits,
        ..
    } = drop;
    let flagged = drop.flagged();
    let mut records = reader.records();
    let mut changes: Vec<(usize, Change)> = Vec::new();
    let mut edit = |row: usize| -> Result<Edit> {
        let known = &dataset.rows[row];
        let record = next(&mut *records, &**reader)?;
        let chosen = !args.only_flagged || flagged.contains(known.id.as_str());
        let (true, Ok(k)) = (chosen, dataset.readable().binary_search(&row)) else {
            return Ok(Edit::Keep);
        };
        let stored = record.source.decode(limits);
        let stored = stored
            .ok()
            .filter(|image| image.fingerprint(known.label) == known.fingerprint)
            .ok_or_else(|| Error::input(&known.id, "changed while it was read"))?;
        let pure = cure.image(dataset, k, &stored)?;
        changes.push((row, Change::new(&known.id, known.label, &stored, &pure)));
        Ok(if pure == stored {
            Edit::Keep
        } else {
            Edit::Replace(pure)
        })
    };
    let (out, force) = (&args.copy.out, args.copy.force);
    let copy = stage(&**reader, out, force, &mut edit, console)?;
    let named = changes.into_iter().map(|(row, mut change)| {
        if let Some(id) = &copy.ids[row] {
            change.new_id.clone_from(id);
        }
        change
    });
    let named = named.collect();
    Ok((copy, named))
}

fn next(records: &mut dyn Iterator<Item = Result<Record>>, reader: &dyn Reader) -> Result<Record> {
    let short = || Error::input(reader.tree().root(), "changed while it was read");
    records.next().ok_or_else(short)?
}

/// Where finished trainings wait beside the output until it is there.
fn work_folder(out: &Path) -> PathBuf {
    let mut name = out
        .file_name()
        .map_or_else(|| OsString::from("purify"), OsString::from);
    name.push(".ue-audit-work");
    out.with_file_name(name)
}
