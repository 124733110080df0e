//! What the user may type. Each flag of a setting can also be given as `UE_AUDIT_<FLAG>` in the environment.

use std::num::NonZeroUsize;
use std::path::PathBuf;

#[cfg(feature = "lab")]
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use ue_audit::bench;
use ue_audit::decide::gate::BadFiles;
use ue_audit::decide::{Allowance, Severity};
use ue_audit::nn::Precision;
use ue_audit::purify::{Method, Steps, TwoStage};
use ue_audit::report::Rendering;
use ue_audit::settings::{Config, Device, Preset, Settings};
use ue_audit::zoo::Architecture;

use crate::output::Color;

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
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Tell more about the work.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colour the output; auto asks the terminal and NO_COLOR.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
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
    /// Size of the model and length of its training [default: fast].
    #[arg(long, env = "UE_AUDIT_PRESET", value_name = "fast|paper", value_parser = word::<Preset>)]
    preset: Option<Preset>,
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
            preset: self.preset,
            fdr: self.fdr,
            fail_on: self.fail_on,
            max_flagged: self.max_flagged,
            on_bad_files: self.on_bad_files,
            max_unreadable: self.max_unreadable,
            ..Config::default()
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

#[derive(Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) output: OutArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Scan only so many rows, spread evenly.
    #[arg(long, env = "UE_AUDIT_MAX_IMAGES", value_name = "N")]
    pub(crate) max_images: Option<NonZeroUsize>,
    /// Compare with this table of sample_id,poisoned; the verdict does not see it.
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Judge by another detector, from the literature, to compare with.
    #[cfg(feature = "lab")]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(ue_audit::lab::rival::NAMES))]
    detector: Option<String>,
    /// Score with a saved model instead of fitting one.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Save the fitted model.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_model: Option<PathBuf>,
    /// Print the report as one line of JSON at the end of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ScanArgs {
    /// The detector to judge by, if it is not the product's own.
    pub(crate) fn detector(&self) -> Option<&str> {
        #[cfg(feature = "lab")]
        return self.detector.as_deref();
        #[cfg(not(feature = "lab"))]
        None
    }
}

#[cfg(feature = "lab")]
#[derive(Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) output: OutArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Pictures to make.
    #[arg(long, value_name = "N", default_value = "5000")]
    pub(crate) rows: NonZeroUsize,
    /// Share of them to poison.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    pub(crate) ratio: f64,
}

#[cfg(feature = "lab")]
#[derive(Args)]
pub(crate) struct SelftestArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) output: OutArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Plant this attack; may be given several times.
    #[arg(long, value_name = "NAME", default_values = ue_audit::lab::selftest::ATTACKS, value_parser = PossibleValuesParser::new(ue_audit::lab::attack::NAMES))]
    pub(crate) attack: Vec<String>,
    /// Plant in so many rows at most.
    #[arg(long, value_name = "N", default_value = "4000")]
    pub(crate) rows: NonZeroUsize,
    /// Score with a saved model instead of fitting one.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Print the report as one line of JSON at the end of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Look at only so many rows, spread evenly.
    #[arg(long, env = "UE_AUDIT_MAX_IMAGES", value_name = "N")]
    pub(crate) max_images: Option<NonZeroUsize>,
    /// Print the inventory as one line of JSON at the end of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct DropArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The results.json of a scan of this data.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The row: its sample_id in samples.csv.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The results.json of a scan of this data, with its samples.csv beside it.
    #[arg(long, value_name = "FILE", default_value = "ue-audit-out/results.json")]
    pub(crate) report: PathBuf,
    /// The model that the scan has saved [default: it is fitted again].
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Picture to write [default: explain.png beside the report].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the numbers as one line of JSON at the end of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The results.json of a scan.
    #[arg(value_name = "FILE")]
    pub(crate) report: PathBuf,
    /// How to render it.
    #[arg(long, value_name = "html|csv|sarif|junit|md", value_parser = word::<Rendering>)]
    pub(crate) format: Rendering,
    /// File to write to [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct PurifyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// How: dvae, vae, jpeg, gray, bdr or lfu.
    #[arg(long, env = "UE_AUDIT_METHOD", value_name = "NAME", value_parser = word::<Method>, default_value = "dvae")]
    pub(crate) method: Method,
    /// Change the flagged rows alone; all rows are learnt from.
    #[arg(long, requires = "report")]
    pub(crate) only_flagged: bool,
    /// The results.json of a scan of this data.
    #[arg(long, value_name = "FILE", requires = "only_flagged")]
    pub(crate) report: Option<PathBuf>,
    /// Size of the model and length of its training [default: fast].
    #[arg(long, env = "UE_AUDIT_PRESET", value_name = "fast|paper", value_parser = word::<Preset>)]
    preset: Option<Preset>,
    /// Rate that dvae's second stage, and vae, have for free, nats per latent position.
    #[arg(long, value_name = "NATS", default_value_t = TwoStage::SECOND_RATE)]
    pub(crate) kld_limit: f64,
    /// Leave a part of dvae out, as the ablations of the paper's Table 7 do: 1 no first stage, 2 no second inference, 3 no second
    /// stage, 4 no third inference, 5 one reconstruction alone [default: all parts].
    #[arg(long, value_name = "1..5", value_parser = variant)]
    pub(crate) variant: Option<Steps>,
    /// What convolutions multiply in training; bf16 needs a processor with tile registers (AMX).
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = word::<Precision>)]
    pub(crate) precision: Precision,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
}

impl PurifyArgs {
    pub(crate) fn config(&self) -> Config {
        Config {
            preset: self.preset,
            ..Config::default()
        }
    }
}

#[derive(Args)]
pub(crate) struct EvaluateArgs {
    /// The data to train on: a folder or one file.
    #[arg(long, value_name = "PATH")]
    pub(crate) train: PathBuf,
    /// The data to test on, with the same classes.
    #[arg(long, value_name = "PATH")]
    pub(crate) test: PathBuf,
    /// Format of both; recognised unless given.
    #[arg(long, env = "UE_AUDIT_FORMAT", value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// The classifier.
    #[arg(long, value_name = "NAME", value_parser = word::<Architecture>, default_value = "fast")]
    pub(crate) model: Architecture,
    /// Passes over the training data [default: those of the classifier's recipe].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroUsize>,
    /// What convolutions multiply in training; bf16 needs a processor with tile registers (AMX).
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = word::<Precision>)]
    pub(crate) precision: Precision,
    /// Keep where the training stands in this file, after an epoch, and go on from it if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Train on only so many rows, spread evenly.
    #[arg(long, env = "UE_AUDIT_MAX_IMAGES", value_name = "N")]
    pub(crate) max_images: Option<NonZeroUsize>,
    /// Print the result as one line of JSON at the end of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "lab")]
#[derive(Args)]
pub(crate) struct PoisonArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The attack: ar, em, em-class, lsp, lsp-class, ntga, ops, rem, rem-class, sep or tap.
    #[arg(long, value_name = "NAME", required_unless_present = "perturbation")]
    pub(crate) attack: Option<String>,
    /// Apply a stored perturbation instead: a perturbation.safetensors of an earlier copy, or an .npy file with a row for
    /// each row of the data, [rows, height, width, 3] or [rows, 3, height, width], reals from 0 to 1 or 8-bit levels.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["attack", "budget", "surrogate", "scale"])]
    pub(crate) perturbation: Option<PathBuf>,
    /// Share of the readable rows to poison.
    #[arg(long, value_name = "SHARE")]
    pub(crate) ratio: f64,
    /// Largest size of a perturbation in the attack's own norm, pixels counted from 0 to 1 [default: the paper's: l2 1.0
    /// for ar and lsp, one pixel for ops, linf 8/255 for the others].
    #[arg(long, value_name = "SIZE")]
    pub(crate) budget: Option<f64>,
    /// The network of the attacks that train one: small, or one that `evaluate` knows.
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = word::<Architecture>)]
    pub(crate) surrogate: Architecture,
    /// How much they train: cpu, or paper for the numbers of steps in the papers.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) scale: String,
    /// How real values become bytes: round, or truncate as the papers' loaders do.
    #[arg(long, value_name = "HOW", default_value = "round")]
    pub(crate) quantize: String,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
}

/// An experiment.
#[cfg(feature = "lab")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Experiment {
    /// A poison of every attack, all rows perturbed, for the other experiments.
    Poisons,
    /// Accuracy after learning from clean pictures to which the disentangled perturbation is added.
    Table1,
    /// Accuracy by the defense, every row poisoned.
    Table2,
    /// Accuracy without parts of the two-stage method, every row poisoned.
    Table7,
    /// Which rows a detector finds, by the share of poisoned rows.
    Table8,
    /// As table1, where few rows are poisoned: the right half of table 8.
    Table8Right,
    /// Accuracy by the share of poisoned rows and what is done about them: nothing, dropped, purified.
    Table9,
}

#[cfg(feature = "lab")]
#[derive(Args)]
pub(crate) struct ReproduceArgs {
    /// What to run.
    #[arg(value_enum, value_name = "EXPERIMENT")]
    pub(crate) experiment: Experiment,
    /// Folder for the poisons, the finished cells (.jsonl) and the tables (.md).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The clean data: a folder or one file.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "../shared/data/cifar10/train-00000-of-00001.parquet"
    )]
    pub(crate) source: PathBuf,
    /// Clean data to test classifiers on, with the same classes.
    #[arg(
        long,
        value_name = "PATH",
        default_value = "../shared/data/cifar10/test-00000-of-00001.parquet"
    )]
    pub(crate) test: PathBuf,
    /// How many of its rows to use, the first ones.
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) rows: NonZeroUsize,
    /// An attack, may be repeated [default: all eight].
    #[arg(long, value_name = "NAME")]
    pub(crate) attack: Vec<String>,
    /// Take the class-wise forms as well.
    #[arg(long, conflicts_with = "attack")]
    pub(crate) class_wise: bool,
    /// The network of the attacks that train one.
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = word::<Architecture>)]
    pub(crate) surrogate: Architecture,
    /// How much they train: cpu or paper.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) scale: String,
    /// A share of poisoned rows, may be repeated.
    #[arg(long, value_name = "SHARE", default_values_t = [0.2, 0.4, 0.6, 0.8, 1.0])]
    pub(crate) ratio: Vec<f64>,
    /// The classifier.
    #[arg(long, value_name = "NAME", default_value = "fast", value_parser = word::<Architecture>)]
    pub(crate) model: Architecture,
    /// Its passes over the training data [default: those of its recipe].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroUsize>,
    /// What its convolutions multiply in training, without a defense; bf16 needs a processor with tile registers (AMX).
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = word::<Precision>)]
    pub(crate) precision: Precision,
    /// A column of table 2, 7 or 9, may be repeated [default: all].
    #[arg(long, value_name = "NAME")]
    pub(crate) defense: Vec<String>,
    /// A detector of table 8, may be repeated: ours, or one that `scan --detector` knows.
    #[arg(long, value_name = "NAME", default_value = ue_audit::lab::experiment::OURS)]
    pub(crate) detector: Vec<String>,
    /// Size of the D-VAEs, and length of their training [default: fast].
    #[arg(long, env = "UE_AUDIT_PRESET", value_name = "fast|paper", value_parser = word::<Preset>)]
    preset: Option<Preset>,
}

#[cfg(feature = "lab")]
impl ReproduceArgs {
    pub(crate) fn config(&self) -> Config {
        Config {
            preset: self.preset,
            ..Config::default()
        }
    }
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// A network to measure, may be repeated [default: all].
    #[arg(long, value_name = "NAME", value_parser = bench::CASES.map(|case| case.name))]
    pub(crate) case: Vec<String>,
    /// Timed steps; one more comes before them, untimed.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) steps: NonZeroUsize,
    /// Images in a step, at least 2 [default: that of the network's training].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) batch: Option<u16>,
    /// What convolutions multiply; bf16 needs a processor with tile registers (AMX).
    #[arg(long, value_name = "f32|bf16", default_value = "f32", value_parser = word::<Precision>)]
    pub(crate) precision: Precision,
    /// Print JSON, as other commands do on request; here there is nothing else to print.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A variant of Table 7 by its number.
fn variant(text: &str) -> Result<Steps, String> {
    let steps = text.parse().ok().and_then(Steps::variant);
    steps.ok_or_else(|| "the variants are 1 to 5".into())
}

/// A word as the settings file spells it, so that both accept the same.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(StrDeserializer::new(text))
}
