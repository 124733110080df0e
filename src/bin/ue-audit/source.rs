//! What all commands that read data do first: threads, reader, rows.

use std::path::Path;

use anyhow::{Context, ensure};
use ue_audit::data::{LoadOptions, Reader, open, real_path};
use ue_audit::kernel::keep_freed_memory;
use ue_audit::settings::Settings;

use crate::args::SourceArgs;

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

/// Refuses to write an audit to `out` within the data.
pub(crate) fn outside(out: &Path, data: &Path) -> anyhow::Result<()> {
    ensure!(
        !real_path(out)?.starts_with(real_path(data)?),
        "--out {} lies inside the data: the next scan would read the audit as pictures",
        out.display()
    );
    Ok(())
}
