//! `ue-audit reproduce`: the experiments of the papers at a stated scale, resumable cell by cell.

use anyhow::anyhow;
use ue_audit::decide::gate::Gate;
use ue_audit::lab::attack::{Options, named};
use ue_audit::lab::experiment::{
    Carried, Carriers, Grounds, Learner, Poisons, Repairs, Table, Table8, Table9, reproduce,
};

use crate::args::{Experiment, Global, ReproduceArgs, word};
use crate::progress::Console;
use crate::{exit, output, source};

/// What gets the line of each finished cell.
type Tell<'a> = &'a mut dyn FnMut(&str);

pub(crate) fn run(
    args: &ReproduceArgs,
    global: &Global,
    console: &Console,
) -> anyhow::Result<Gate> {
    let settings = global.settings(args.size.config())?;
    let options = Options {
        budget: None,
        surrogate: args.surrogate,
        scale: word(&args.scale).map_err(|error| anyhow!("--scale {}: {error}", args.scale))?,
    };
    let attacks = match (args.experiment, args.attack.is_empty()) {
        (_, false) => args.attack.clone(),
        (Experiment::Table5, true) => Poisons::all_large(args.class_wise),
        (_, true) => Poisons::all(args.class_wise),
    };
    for attack in &attacks {
        named(attack, options)?;
    }
    source::use_threads(&settings)?;
    let grounds = Grounds::new(
        &args.out,
        &args.source,
        args.rows.get(),
        settings.seed,
        settings.limits,
        console,
    )?;
    let mut trouble = Ok(());
    let mut tell = |line: &str| {
        if let Err(error) = output::stdout(line) {
            trouble = Err(error);
        }
    };
    let poisons = Poisons::new(&grounds, &attacks, options);
    let mut table = reproduce(&poisons, grounds.home(), console, &mut tell)?;
    let (home, mixtures) = (grounds.home(), (&attacks[..], &args.ratio[..]));
    let learner = || {
        let epochs = args.epochs.map(|epochs| epochs.get());
        let training = (args.model, epochs, args.arithmetic.precision);
        Learner::new(&grounds, &args.test, training, console)
    };
    let repairs = |columns, learner: &Learner, tell: Tell<'_>| {
        let grid = (&attacks[..], &args.defense[..]);
        let repairs = Repairs::new(&grounds, learner, columns, grid, settings.preset)?;
        reproduce(&repairs, home, console, tell)
    };
    let carried = |carriers, learner: &Learner, tell: Tell<'_>| {
        let carried = Carried::new(&grounds, learner, carriers, &attacks, settings.preset);
        reproduce(&carried, home, console, tell)
    };
    match args.experiment {
        Experiment::Poisons => {}
        Experiment::Table1 => table = carried(Carriers::TableOne, &learner()?, &mut tell)?,
        Experiment::Table2 => table = repairs(Table::Two, &learner()?, &mut tell)?,
        Experiment::Table3 => table = repairs(Table::Three, &learner()?, &mut tell)?,
        Experiment::Table4 => table = repairs(Table::Four, &learner()?, &mut tell)?,
        Experiment::Table5 => table = repairs(Table::Five, &learner()?, &mut tell)?,
        Experiment::Table6 => table = repairs(Table::Six, &learner()?, &mut tell)?,
        Experiment::Table7 => table = repairs(Table::Seven, &learner()?, &mut tell)?,
        Experiment::Table8Right => table = carried(Carriers::TableEight, &learner()?, &mut tell)?,
        Experiment::Table8 => {
            let table8 = Table8::new(&grounds, mixtures, &args.detector, settings.preset)?;
            table = reproduce(&table8, home, console, &mut tell)?;
        }
        Experiment::Table9 => {
            let learner = learner()?;
            let (remedies, preset) = (&args.defense[..], settings.preset);
            let table9 = Table9::new(&grounds, &learner, mixtures, remedies, preset)?;
            if let Some(scans) = table9.scans() {
                reproduce(scans, home, console, &mut tell)?;
            }
            table = reproduce(&table9, home, console, &mut tell)?;
        }
    }
    trouble?;
    console.rest();
    if !console.is_quiet() {
        output::stdout(&table)?;
    }
    Ok(exit::done(format!(
        "all cells are finished; see {}",
        args.out.display()
    )))
}
