//! `ue-audit poison`: a copy in the source's own format with a part of its rows poisoned, and the truth about it.

use anyhow::{Context, anyhow, ensure};
use serde_json::json;
use ue_audit::data::{
    Edit, Image, Limits, Reader, TRUTH_FILE, load, rewrite, write_atomic, write_truth,
};
use ue_audit::decide::gate::Gate;
use ue_audit::lab::attack::{Options, Storage, Target, apply, choose_rows, named};
use ue_audit::{Error, Result};

use crate::args::{Global, PoisonArgs, word};
use crate::progress::Console;
use crate::{exit, source};

pub(crate) fn run(args: &PoisonArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let options = Options {
        budget: args.budget,
        surrogate: args.surrogate,
        scale: word(&args.scale).map_err(|error| anyhow!("--scale {}: {error}", args.scale))?,
    };
    let storage: Storage =
        word(&args.quantize).map_err(|error| anyhow!("--quantize {}: {error}", args.quantize))?;
    let attack = named(&args.attack, options)?;
    let settings = global.settings(args.source.config())?;
    source::use_threads(&settings)?;
    let reader = source::reader(&args.source, &settings)?;
    let dataset = load(&*reader, &source::load_options(&settings), console)?;
    let readable = dataset.readable();
    let chosen: Vec<usize> = choose_rows(readable.len(), args.ratio, settings.seed)?
        .into_iter()
        .map(|k| readable[k])
        .collect();
    ensure!(
        !chosen.is_empty(),
        "--ratio is too small: it gives no row to poison"
    );
    let pictures = Pictures::read(&*reader, &chosen, &settings.limits)?;
    let labels: Vec<u32> = chosen.iter().map(|&row| dataset.rows[row].label).collect();
    let target = Target {
        height: pictures.height,
        width: pictures.width,
        labels: &labels,
        classes: dataset.class_names.len(),
        pixels: &pictures.pixels,
    };
    let perturbation = attack.perturb(&target, settings.seed, console)?;

    let mut edit = |row: usize| -> Result<Edit> {
        let Ok(k) = chosen.binary_search(&row) else {
            return Ok(Edit::Keep);
        };
        let mut rgb = target.image(k).to_vec();
        apply(&mut rgb, perturbation.row(k), attack.budget(), storage)?;
        Ok(Edit::Replace(Image {
            height: target.height,
            width: target.width,
            rgb,
        }))
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
        "surrogate": options.surrogate,
        "scale": options.scale,
        "converged": perturbation.converged,
        "storage": storage,
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

/// The chosen pictures in the size in which they are stored, which must be one for all.
struct Pictures {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Pictures {
    /// Reads the `chosen` rows, ascending, which were readable a moment ago.
    fn read(reader: &dyn Reader, chosen: &[usize], limits: &Limits) -> anyhow::Result<Self> {
        let mut pictures: Option<Self> = None;
        let mut records = reader.records().enumerate();
        for &row in chosen {
            let record = records.find(|(number, _)| *number == row);
            let (_, record) = record.context("the data end early")?;
            let record = record?;
            let id = record.id;
            let image = record.source.decode(limits);
            let image = image.map_err(|reason| {
                Error::input(&id, format!("changed while it was read: {reason}"))
            })?;
            let all = pictures.get_or_insert(Self {
                height: image.height,
                width: image.width,
                pixels: Vec::with_capacity(chosen.len() * image.rgb.len()),
            });
            ensure!(
                (image.height, image.width) == (all.height, all.width),
                "{id}: {} x {} pixels, others {} x {}; an attack needs pictures of one size",
                image.width,
                image.height,
                all.width,
                all.height
            );
            all.pixels.extend(image.rgb);
        }
        pictures.context("no row to poison")
    }
}
