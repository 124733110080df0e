//! The command line of `ue-audit`: parses, dispatches, and ends with the exit code. It sees only the public library.

mod args;
mod bench;
mod drop;
mod evaluate;
mod exit;
mod explain;
mod findings;
mod inspect;
mod output;
mod pipeline;
mod progress;
mod publish;
mod purify;
mod report;
mod scan;
mod source;

#[cfg(feature = "lab")]
mod demo;
#[cfg(feature = "lab")]
mod poison;
#[cfg(feature = "lab")]
mod reproduce;
#[cfg(feature = "lab")]
mod selftest;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use ue_audit::decide::gate::Gate;

use args::{Cli, Command};
use progress::Console;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&cli)));
    let ending = match outcome {
        Ok(Ok(gate)) => gate,
        Ok(Err(error)) => exit::of_error(&error),
        Err(_) => exit::of_panic(),
    };
    output::stderr(&format!(
        "exit {}: {}",
        u8::from(ending.exit),
        ending.reason
    ));
    u8::from(ending.exit).into()
}

fn run(cli: &Cli) -> anyhow::Result<Gate> {
    let console = Console::new(&cli.global)?;
    match &cli.command {
        Command::Scan(args) => scan::run(args, &cli.global, &console),
        Command::Inspect(args) => inspect::run(args, &cli.global, &console),
        Command::Bench(args) => bench::run(args, &cli.global, &console),
        Command::Drop(args) => drop::run(args, &cli.global, &console),
        Command::Explain(args) => explain::run(args, &cli.global, &console),
        Command::Report(args) => report::run(args),
        Command::Purify(args) => purify::run(args, &cli.global, &console),
        Command::Evaluate(args) => evaluate::run(args, &cli.global, &console),
        #[cfg(feature = "lab")]
        Command::Demo(args) => demo::run(args, &cli.global, &console),
        #[cfg(feature = "lab")]
        Command::Poison(args) => poison::run(args, &cli.global, &console),
        #[cfg(feature = "lab")]
        Command::Selftest(args) => selftest::run(args, &cli.global, &console),
        #[cfg(feature = "lab")]
        Command::Reproduce(args) => reproduce::run(args, &cli.global, &console),
    }
}
