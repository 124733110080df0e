//! `ue-audit drop`: a copy without the rows that a scan has flagged.

use ue_audit::Result;
use ue_audit::data::{Edit, stage};
use ue_audit::decide::gate::Gate;

use crate::args::{DropArgs, Global};
use crate::exit;
use crate::findings::Drop;
use crate::progress::Console;

pub(crate) fn run(args: &DropArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(args.source.config())?;
    let report = Some(args.report.as_path());
    let drop = Drop::open(&args.source, report, &args.copy, settings, console)?;
    let flagged = drop.flagged();
    let mut edit = |row: usize| -> Result<Edit> {
        Ok(match flagged.contains(drop.dataset.rows[row].id.as_str()) {
            true => Edit::Drop,
            false => Edit::Keep,
        })
    };
    let (out, force) = (&args.copy.out, args.copy.force);
    let copy = stage(&*drop.reader, out, force, &mut edit, console)?;
    drop.carry_truth(&copy.path(), &copy.ids)?;
    let ids = copy.publish()?;
    console.rest();
    drop.tell_unjudged(console);
    Ok(exit::done(format!(
        "{} of {} rows are in {}",
        ids.iter().flatten().count(),
        ids.len(),
        out.display()
    )))
}
