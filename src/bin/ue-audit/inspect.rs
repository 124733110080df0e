//! `ue-audit inspect`: what a path holds, without training.

use std::fmt::Write;

use ue_audit::data::{Inventory, inspect};
use ue_audit::decide::gate::Gate;
use ue_audit::report::terminal::{printable, table};
use ue_audit::settings::Config;

use crate::args::{Global, InspectArgs};
use crate::progress::Console;
use crate::{exit, output, source};

pub(crate) fn run(args: &InspectArgs, global: &Global, console: &Console) -> anyhow::Result<Gate> {
    let images = Config {
        max_images: args.max_images,
        ..Config::default()
    };
    let settings = global.settings(args.source.config().or(images))?;
    source::use_threads(&settings)?;
    let reader = source::reader(&args.source, &settings)?;
    let inventory = inspect(&*reader, &source::load_options(&settings), console)?;
    console.rest();
    if !console.is_quiet() {
        output::stdout(&render(&inventory))?;
    }
    if args.json {
        output::json(&inventory)?;
    }
    let reason = format!(
        "{} of {} rows can be read",
        inventory.readable,
        inventory.rows - inventory.skipped
    );
    Ok(match inventory.readable {
        0 => exit::unanswered(reason),
        _ => exit::done(reason),
    })
}

fn render(inventory: &Inventory) -> String {
    let mut text = format!(
        "format: {}\nrule: {}\nrows: {} ({} readable, {} not looked at), files that hold no rows: {}\n\n",
        inventory.format,
        inventory.rule,
        inventory.rows,
        inventory.readable,
        inventory.skipped,
        inventory.ignored_files
    );
    let mut classes = table(&["class", "rows", "unreadable"]);
    for class in &inventory.classes {
        classes.add_row([
            printable(&class.name),
            class.rows.to_string(),
            class.unreadable.to_string(),
        ]);
    }
    let mut sizes = table(&["height x width", "pictures"]);
    for size in &inventory.sizes {
        sizes.add_row([
            format!("{} x {}", size.height, size.width),
            size.rows.to_string(),
        ]);
    }
    let _ = write!(text, "{classes}\n\n{sizes}");
    for group in &inventory.unreadable {
        let _ = write!(text, "\n\n{}: {} rows", group.defect, group.rows);
        for example in &group.examples {
            let _ = write!(text, "\n  {}", printable(example));
        }
    }
    text
}
