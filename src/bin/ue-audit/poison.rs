//! `ue-audit poison`: a copy in the source's own format with a part of its rows poisoned, and the truth about it.

use anyhow::anyhow;
use serde_json::json;
use ue_audit::decide::gate::Gate;
use ue_audit::lab::attack::{Options, Storage, Stored, named};
use ue_audit::lab::poison::{Means, Poison};

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
    let attack = args.attack.as_deref().map(|name| named(name, options));
    let attack = attack.transpose()?;
    let stored = args.perturbation.as_deref().map(Stored::read).transpose()?;
    let means = match (&attack, &stored) {
        (_, Some(stored)) => Means::Stored(stored),
        (Some(attack), None) => Means::Attack(&**attack),
        (None, None) => return Err(anyhow!("--attack or --perturbation is needed")),
    };
    let settings = global.settings(args.source.config())?;
    source::use_threads(&settings)?;
    let reader = source::reader(&args.source, &settings)?;
    let poison = Poison {
        means,
        ratio: args.ratio,
        seed: settings.seed,
        storage,
        options: &match stored {
            None => json!(options),
            Some(_) => json!(null),
        },
        limits: settings.limits,
    };
    let summary = poison.write(&*reader, &args.copy.out, args.copy.force, console)?;
    console.rest();
    if !summary.converged {
        console.say("warning: the attack gave up before its rule was met; see poison.json");
    }
    Ok(exit::done(format!(
        "{} of {} rows are poisoned in {}",
        summary.poisoned,
        summary.rows,
        args.copy.out.display()
    )))
}
