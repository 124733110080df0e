//! Flags that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args};
use ue_audit::decide::gate::BadFiles;
use ue_audit::decide::{Allowance, Severity};
use ue_audit::nn::Precision;
use ue_audit::settings::{Config, Device, Preset, Settings};

use super::word;
use crate::output::Color;

/// Flags of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// Seed of all randomness [default: 0].
    #[arg(long, global = true, env = "UE_AUDIT_SEED", value_name = "N")]
    seed: Option<u64>,
    /// Threads to use [default: all cores]; results do not depend on it.
    #[arg(long, global = true, env = "UE_AUDIT_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Where networks run [default: cpu]; this build has nothing else.
    #[arg(long, global = true, env = "UE_AUDIT_DEVICE", value_name = "cpu", value_parser = word::<Device>)]
    device: Option<Device>,
    /// Settings file in TOML, with the names of the flags as keys.
    #[arg(long, global = true, env = "UE_AUDIT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print errors, the last line and --json only.
    #[arg(long, short, global = true, env = "UE_AUDIT_QUIET", value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,
    /// Tell more about the work.
    #[arg(long, short, global = true, env = "UE_AUDIT_VERBOSE", action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colour the output; auto asks the terminal and NO_COLOR.
    #[arg(
        long,
        global = true,
        env = "UE_AUDIT_COLOR",
        value_enum,
        default_value_t,
        value_name = "WHEN"
    )]
    pub(crate) color: Color,
}

impl Global {
    /// The settings of a command: its own flags, then the common ones, then the file, then the defaults.
    pub(crate) fn settings(&self, flags: Config) -> ue_audit::Result<Settings> {
        let common = Config {
            seed: self.seed,
            threads: self.threads,
            device: self.device,
            ..Config::default()
        };
        let file = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        flags.or(common).or(file).check()
    }
}

/// Which data to read.
#[derive(Args)]
pub(crate) struct SourceArgs {
    /// The data: a folder or one file.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Format of the data; recognised unless given.
    #[arg(long, env = "UE_AUDIT_FORMAT", value_name = "NAME")]
    format: Option<String>,
}

impl SourceArgs {
    pub(crate) fn config(&self) -> Config {
        Config {
            format: self.format.clone(),
            ..Config::default()
        }
    }
}

/// How to judge.
#[derive(Args)]
pub(crate) struct JudgeArgs {
    #[command(flatten)]
    size: SizeArgs,
    /// False-discovery rate among the flagged rows [default: 0.01].
    #[arg(long, env = "UE_AUDIT_FDR", value_name = "RATE")]
    fdr: Option<f64>,
    /// Least severity that fails a poisoned drop [default: medium].
    #[arg(long, env = "UE_AUDIT_FAIL_ON", value_name = "none|low|medium|high", value_parser = word::<Severity>)]
    fail_on: Option<Severity>,
    /// Rows of that severity that are tolerated [default: 0].
    #[arg(long, env = "UE_AUDIT_MAX_FLAGGED", value_name = "N|P%")]
    max_flagged: Option<Allowance>,
    /// What an unreadable row does [default: warn].
    #[arg(long, env = "UE_AUDIT_ON_BAD_FILES", value_name = "error|warn|skip", value_parser = word::<BadFiles>)]
    on_bad_files: Option<BadFiles>,
    /// Unreadable rows that are tolerated under `--on-bad-files warn` [default: 0.1%].
    #[arg(long, env = "UE_AUDIT_MAX_UNREADABLE", value_name = "N|P%")]
    max_unreadable: Option<Allowance>,
}

impl JudgeArgs {
    pub(crate) fn config(&self) -> Config {
        Config {
            fdr: self.fdr,
            fail_on: self.fail_on,
            max_flagged: self.max_flagged,
            on_bad_files: self.on_bad_files,
            max_unreadable: self.max_unreadable,
            ..self.size.config()
        }
    }
}

/// Where to write.
#[derive(Args)]
pub(crate) struct OutArgs {
    /// Folder to write to.
    #[arg(
        long,
        env = "UE_AUDIT_OUT",
        value_name = "DIR",
        default_value = "ue-audit-out"
    )]
    pub(crate) out: PathBuf,
    /// Overwrite what is in it.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where to write a copy.
#[derive(Args)]
pub(crate) struct CopyArgs {
    /// Folder for the copy.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// How large a D-VAE is.
#[derive(Args)]
pub(crate) struct SizeArgs {
    /// Size of the model and length of its training [default: fast].
    #[arg(long, env = "UE_AUDIT_PRESET", value_name = "fast|paper", value_parser = word::<Preset>)]
    preset: Option<Preset>,
}

impl SizeArgs {
    pub(crate) fn config(&self) -> Config {
        Config {
            preset: self.preset,
            ..Config::default()
        }
    }
}

/// What a training computes with.
#[derive(Args)]
pub(crate) struct ArithmeticArgs {
    /// What convolutions multiply in training; bf16 needs a processor with tile registers (AMX).
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = word::<Precision>)]
    pub(crate) precision: Precision,
}
