//! `ue-audit report`: one result in another form.

use ue_audit::data::write_atomic;
use ue_audit::decide::gate::Gate;

use crate::args::ReportArgs;
use crate::findings::read_report;
use crate::{exit, output};

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<Gate> {
    let report = read_report(&args.report)?;
    let bytes = args.format.render(&report)?;
    let Some(path) = &args.out else {
        output::stdout(String::from_utf8(bytes)?.trim_end_matches('\n'))?;
        return Ok(exit::done("the report is on standard output"));
    };
    output::refuse_existing(path, args.force)?;
    write_atomic(path, &bytes)?;
    Ok(exit::done(format!("the report is in {}", path.display())))
}
