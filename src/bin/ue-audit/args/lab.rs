//! The commands of the lab.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ue_audit::lab::detector::{Detector, OURS};
use ue_audit::zoo::Architecture;

use super::common::{ArithmeticArgs, CopyArgs, JudgeArgs, OutArgs, SizeArgs, SourceArgs};
use super::word;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Experiment {
    /// A poison of every attack, all rows perturbed, for the other experiments.
    Poisons,
    /// Accuracy after learning from clean pictures to which the disentangled perturbation is added.
    Table1,
    /// Accuracy by the defense, every row poisoned.
    Table2,
    /// As table2, on data of 100 classes such as CIFAR-100: give it by --source and --test.
    Table3,
    /// As table3, on a hundred classes of ImageNet.
    Table4,
    /// As table2, under attacks of larger budgets (linf 16/255, l2 4.0), named as em-large is; ops has none.
    Table5,
    /// What each defense is worth over all attacks, from the cells of table2.
    Table6,
    /// Accuracy without parts of the two-stage method, every row poisoned.
    Table7,
    /// Which rows a detector finds, by the share of poisoned rows.
    Table8,
    /// As table1, where few rows are poisoned: the right half of table 8.
    Table8Right,
    /// Accuracy by the share of poisoned rows and what is done about them: nothing, dropped, purified.
    Table9,
}

#[derive(Args)]
pub(crate) struct ReproduceArgs {
    /// What to run.
    #[arg(value_enum, value_name = "EXPERIMENT")]
    pub(crate) experiment: Experiment,
    /// Folder for the poisons, the finished cells (.jsonl) and the tables (.md).
    #[arg(long, value_name = "DIR", default_value = "ue-audit-out")]
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
    #[command(flatten)]
    pub(crate) arithmetic: ArithmeticArgs,
    /// A column of table 2, 6, 7 or 9, may be repeated [default: all].
    #[arg(long, value_name = "NAME")]
    pub(crate) defense: Vec<String>,
    /// A detector of table 8, may be repeated.
    #[arg(long, value_name = "NAME", default_value = OURS, value_parser = PossibleValuesParser::new(Detector::names()))]
    pub(crate) detector: Vec<String>,
    #[command(flatten)]
    pub(crate) size: SizeArgs,
}
