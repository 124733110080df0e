//! `ue-audit poison`: a copy in the source's own format with a part of its rows poisoned, and the truth about it.

use anyhow::{Context, anyhow, ensure};
use serde_json::json;
use ue_audit::data::{
    Dataset, Edit, Image, Limits, Reader, TRUTH_FILE, load, rewrite, write_atomic, write_truth,
};
use ue_audit::decide::gate::Gate;
use ue_audit::lab::attack::{Attack, Lsp, Perturbation, Storage, Target, apply, choose_rows};
use ue_audit::{Error, Result};

use crate::args::{Global, PoisonArgs};
use crate::progress::Console;
use crate::{exit, source};

pub(crate) fn run(args: &PoisonArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    ensure!(
        args.budget > 0.0 && args.budget.is_finite(),
        "--budget {}: a norm above 0 is needed",
        args.budget
    );
    let attack = Lsp {
        radius: args.budget,
    };
    let settings = global.settings(args.source.config())?;
    source::use_threads(&settings)?;
    let reader = source::reader(&args.source, &settings)?;
    let dataset = load(&*reader, &source::load_options(&settings), console)?;
    let readable = dataset.readable();
    let chosen: Vec<usize> = choose_rows(readable.len(), args.ratio, settings.seed)?
        .into_iter()
        .map(|k| readable[k])
        .collect();
    let perturbation = perturb(&attack, &*reader, &dataset, &chosen, &settings)?;

    let mut records = reader.records();
    let mut edit = |row: usize| -> Result<Edit> {
        let record = records.next().transpose()?;
        let (Ok(k), Some(record)) = (chosen.binary_search(&row), record) else {
            return Ok(Edit::Keep);
        };
        let mut image = decoded(record, &settings.limits)?;
        if (image.height, image.width) != (perturbation.height, perturbation.width) {
            let problem = "pictures of several sizes; an attack needs rows of one size";
            return Err(Error::input(&args.source.path, problem));
        }
        let delta = perturbation.row(k);
        apply(&mut image.rgb, delta, attack.budget(), Storage::Round)?;
        Ok(Edit::Replace(image))
    };
    let new_ids = rewrite(
        &*reader,
        &args.copy.out,
        args.copy.force,
        &mut edit,
        console,
    )?;

    let put = |name: &str, bytes: &[u8]| write_atomic(&args.copy.out.join(name), bytes);
    let truth = new_ids.iter().enumerate();
    let truth =
        truth.filter_map(|(row, id)| Some((id.as_deref()?, chosen.binary_search(&row).is_ok())));
    write_truth(&args.copy.out.join(TRUTH_FILE), truth)?;
    put(
        "perturbation.safetensors",
        &perturbation.to_safetensors(&chosen)?,
    )?;
    let description = json!({
        "attack": attack.name(),
        "budget": attack.budget(),
        "ratio": args.ratio,
        "seed": settings.seed,
        "storage": Storage::Round,
        "rows": dataset.rows.len(),
        "poisoned": chosen.len(),
        "source_fingerprint": dataset.fingerprint,
    });
    put("poison.json", format!("{description:#}\n").as_bytes())?;
    console.rest();
    Ok(exit::done(format!(
        "{} of {} rows are poisoned in {}",
        chosen.len(),
        dataset.rows.len(),
        args.copy.out.display()
    )))
}

/// At the size in which the pictures are stored, which the first chosen row tells.
fn perturb(
    attack: &dyn Attack,
    reader: &dyn Reader,
    dataset: &Dataset,
    chosen: &[usize],
    settings: &ue_audit::Settings,
) -> anyhow::Result<Perturbation> {
    let first = *chosen
        .first()
        .ok_or_else(|| anyhow!("--ratio is too small: it gives no row to poison"))?;
    let record = reader
        .records()
        .nth(first)
        .context("the data end early")??;
    let image = decoded(record, &settings.limits)?;
    let labels: Vec<u32> = chosen.iter().map(|&row| dataset.rows[row].label).collect();
    let target = Target {
        height: image.height,
        width: image.width,
        labels: &labels,
        classes: dataset.class_names.len(),
    };
    Ok(attack.perturb(&target, settings.seed)?)
}

/// A row that was readable a moment ago.
fn decoded(record: ue_audit::data::Record, limits: &Limits) -> Result<Image> {
    let id = record.id;
    let image = record.source.decode(limits);
    image.map_err(|reason| Error::input(&id, format!("changed while it was read: {reason}")))
}
