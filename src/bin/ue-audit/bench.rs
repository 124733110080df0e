//! `ue-audit bench`: how fast networks train on this machine.

use ue_audit::bench::{CASES, measure};
use ue_audit::decide::gate::Gate;
use ue_audit::settings::Config;

use crate::args::{BenchArgs, Global};
use crate::progress::Console;
use crate::{exit, output, source};

pub(crate) fn run(args: &BenchArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(Config::default())?;
    source::use_threads(&settings)?;
    let wanted = |name: &str| args.case.is_empty() || args.case.iter().any(|case| case == name);
    let measured = CASES
        .iter()
        .filter(|case| wanted(case.name))
        .map(|case| {
            let batch = args.batch.map(usize::from);
            measure(
                case,
                args.steps,
                batch,
                args.arithmetic.precision,
                settings.seed,
                console,
            )
        })
        .collect::<ue_audit::Result<Vec<_>>>()?;
    console.rest();
    output::json(&measured)?;
    Ok(exit::done(format!("{} networks measured", measured.len())))
}
