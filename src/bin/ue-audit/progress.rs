//! Progress on standard error: a bar with the time left on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use ue_audit::observe::Observer;

use crate::args::Global;
use crate::output;

/// Time between two lines where there is no bar.
const PACE: Duration = Duration::from_secs(5);

/// Watches the work and tells the user.
pub(crate) struct Console {
    quiet: bool,
    verbose: bool,
    interrupted: Arc<AtomicBool>,
    stage: Mutex<Stage>,
}

/// What is being watched.
struct Stage {
    name: String,
    total: u64,
    bar: ProgressBar,
    begun: Instant,
    told: Instant,
}

impl Console {
    /// Also takes over the interrupt key, so that the work ends in order.
    pub(crate) fn new(global: &Global) -> anyhow::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
            .context("cannot watch for interrupts")?;
        Ok(Self {
            quiet: global.quiet,
            verbose: global.verbose > 0,
            interrupted,
            stage: Mutex::new(Stage {
                name: String::new(),
                total: 0,
                bar: ProgressBar::hidden(),
                begun: Instant::now(),
                told: Instant::now(),
            }),
        })
    }

    /// Whether tables are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Tells the user something that matters at any verbosity but quiet.
    pub(crate) fn say(&self, message: &str) {
        if !self.quiet {
            self.stage().bar.suspend(|| output::stderr(message));
        }
    }

    /// The work is over: takes the bar away.
    pub(crate) fn rest(&self) {
        self.stage().bar.finish_and_clear();
    }

    /// A panic elsewhere must not silence the progress.
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Console {
    fn stage(&self, name: &str, total: u64) {
        if self.quiet {
            return;
        }
        let mut stage = self.stage();
        stage.bar.finish_and_clear();
        stage.name = name.into();
        stage.total = total;
        stage.begun = Instant::now();
        stage.told = Instant::now();
        if std::io::stderr().is_terminal() {
            let layout = "{prefix:12} [{bar:32}] {pos}/{len}, {eta} left";
            let style = ProgressStyle::with_template(layout)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            stage.bar = ProgressBar::new(total)
                .with_style(style)
                .with_prefix(name.to_string());
        } else {
            output::stderr(&format!("{name}: {total} steps"));
        }
    }

    fn progress(&self, done: u64) {
        if self.quiet {
            return;
        }
        let mut stage = self.stage();
        stage.bar.set_position(done);
        if stage.bar.is_hidden() && stage.told.elapsed() >= PACE && done > 0 {
            stage.told = Instant::now();
            let left = stage.total.saturating_sub(done) as f64 / done as f64;
            let seconds = stage.begun.elapsed().as_secs_f64() * left;
            output::stderr(&format!(
                "{}: {done} of {}, {seconds:.0} s left",
                stage.name, stage.total
            ));
        }
    }

    fn note(&self, message: &str) {
        if self.verbose {
            self.say(message);
        }
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
