//! What all commands that read data do first: threads, reader, rows.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use ue_audit::data::{Dataset, LoadOptions, Reader, load, open, real_path};
use ue_audit::kernel::keep_freed_memory;
use ue_audit::report::folder;
use ue_audit::settings::Settings;

use crate::args::{OutArgs, SourceArgs};
use crate::progress::Console;

/// Starts the thread pool on which all the work runs, and keeps its memory between steps. This thread is one of the pool: from
/// outside, each operator would be handed over and waited for, which takes as long as a small one runs.
pub(crate) fn use_threads(settings: &Settings) -> anyhow::Result<()> {
    keep_freed_memory();
    rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads.unwrap_or(0))
        .use_current_thread()
        .build_global()
        .context("cannot start the threads")
}

/// Opens the data.
pub(crate) fn reader(
    source: &SourceArgs,
    settings: &Settings,
) -> ue_audit::Result<Box<dyn Reader>> {
    open(&source.path, &settings.format, &settings.limits)
}

/// Which rows to load, under which caps.
pub(crate) fn load_options(settings: &Settings) -> LoadOptions {
    LoadOptions {
        limits: settings.limits,
        max_rows: settings.max_images,
    }
}

/// The rows of a drop that is about to be audited, and the seconds that took. Whatever can be refused is refused before the work,
/// not after it.
pub(crate) fn to_audit(
    source: &SourceArgs,
    output: &OutArgs,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<(Dataset, f64)> {
    let reader = reader(source, settings)?;
    folder::check(&output.out, output.force)?;
    outside(&output.out, &source.path)?;
    use_threads(settings)?;
    let begun = Instant::now();
    let dataset = load(&*reader, &load_options(settings), console)?;
    Ok((dataset, begun.elapsed().as_secs_f64()))
}

/// Refuses to write an audit to `out` within the data.
fn outside(out: &Path, data: &Path) -> anyhow::Result<()> {
    ensure!(
        !real_path(out)?.starts_with(real_path(data)?),
        "--out {} lies inside the data: the next scan would read the audit as pictures",
        out.display()
    );
    Ok(())
}
