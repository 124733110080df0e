//! `ue-audit selftest`: a scan that also says what it would have caught.

use std::time::Instant;

use ue_audit::decide::gate::Gate;
use ue_audit::lab::selftest::Grounds;

use crate::args::{Global, SelftestArgs};
use crate::pipeline::audit;
use crate::progress::Console;
use crate::publish::{Known, publish};
use crate::{exit, source};

pub(crate) fn run(args: &SelftestArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let settings = global.settings(args.judge.config().or(args.source.config()))?;
    let (dataset, loading) = source::to_audit(&args.source, &args.output, &settings, console)?;
    let mut audit = audit(
        dataset,
        &settings,
        (None, args.model.as_deref()),
        None,
        console,
    )?;
    audit.seconds.insert(0, ("load".into(), loading));

    let begun = Instant::now();
    let selftest = match &audit.model {
        None => Vec::new(),
        Some(model) => {
            let grounds = Grounds {
                dataset: &audit.dataset,
                decision: &audit.decision,
                model,
                settings: &settings,
            };
            grounds.powers(&args.attack, args.rows.get(), console)?
        }
    };
    let tried = selftest.len();
    let caught = selftest.iter().filter(|power| power.caught.is_some());
    let caught = caught.count();
    let seconds = begun.elapsed().as_secs_f64();
    audit.seconds.push(("selftest".into(), seconds));
    let known = Known {
        selftest,
        ..Known::default()
    };
    let report = publish(
        &audit,
        known,
        &settings,
        &args.output,
        args.json,
        (global, console),
    )?;
    let scan = format!(
        "the scan itself would have ended with {}: {}",
        u8::from(report.gate.exit),
        report.gate.reason
    );
    if tried == 0 {
        return Ok(exit::unanswered(format!(
            "nothing could be planted; {scan}"
        )));
    }
    Ok(exit::done(format!(
        "{caught} of {tried} planted poisons were caught; {scan}"
    )))
}
