//! What the user may type. Each flag of a setting can also be given as `UE_AUDIT_<FLAG>` in the environment.

mod common;
#[cfg(feature = "lab")]
mod lab;
mod product;

use clap::{Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

pub(crate) use common::{CopyArgs, Global, OutArgs, SourceArgs};
#[cfg(feature = "lab")]
pub(crate) use lab::{DemoArgs, Experiment, PoisonArgs, ReproduceArgs, SelftestArgs};
pub(crate) use product::{
    BenchArgs, DropArgs, EvaluateArgs, ExplainArgs, InspectArgs, PurifyArgs, ReportArgs, ScanArgs,
};

/// Audits image data sets for unlearnable examples.
///
/// Exit codes: 0 passed, 1 the gate failed, 2 could not complete, 3 nothing to scan, 4 inconclusive, 130 interrupted.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Fit, score and judge a drop; write the audit; exit by the verdict.
    Scan(ScanArgs),
    /// Make a small drop inside the program, poison a part of it, scan it, and compare with the truth.
    #[cfg(feature = "lab")]
    Demo(DemoArgs),
    /// Say what a path holds and by which rule it was recognised; no training.
    Inspect(InspectArgs),
    /// Show one row of a scan beside its class: numbers, and a picture of what it carries.
    Explain(ExplainArgs),
    /// Render the results.json of a scan for other readers.
    Report(ReportArgs),
    /// Copy a drop without the rows that a scan has flagged.
    Drop(DropArgs),
    /// Copy a drop with its pictures freed from perturbations.
    Purify(PurifyArgs),
    /// Train a classifier on one data set and say how much of another it gets right.
    Evaluate(EvaluateArgs),
    /// Copy a drop with a part of its rows poisoned, to test an audit on.
    #[cfg(feature = "lab")]
    Poison(PoisonArgs),
    /// Scan, then plant known poisons in rows that passed, and say what share of each would have been caught.
    #[cfg(feature = "lab")]
    Selftest(SelftestArgs),
    /// Run an experiment of the papers at a stated scale; what is finished is not run again.
    #[cfg(feature = "lab")]
    Reproduce(ReproduceArgs),
    /// Measure the speed of training on this machine; prints JSON.
    Bench(BenchArgs),
}

/// A word as the settings file spells it, so that both accept the same.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(StrDeserializer::new(text))
}
