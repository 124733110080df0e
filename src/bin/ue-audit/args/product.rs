//! The commands of the product.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "lab")]
use clap::builder::PossibleValuesParser;
use ue_audit::bench;
use ue_audit::purify::{Inference, Method, Steps, TwoStage};
use ue_audit::report::Rendering;
use ue_audit::zoo::Architecture;

use super::common::{ArithmeticArgs, CopyArgs, JudgeArgs, OutArgs, SizeArgs, SourceArgs};
use super::word;

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
    #[arg(long, env = "UE_AUDIT_TRUTH", value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Judge by another detector, from the literature, or without a part of the evidence, to compare with.
    #[cfg(feature = "lab")]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(ue_audit::lab::detector::Detector::names()))]
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
    #[command(flatten)]
    pub(crate) size: SizeArgs,
    /// Rate that dvae's second stage, and vae, have for free, nats per latent position.
    #[arg(long, value_name = "NATS", default_value_t = TwoStage::SECOND_RATE)]
    pub(crate) kld_limit: f64,
    /// Leave a part of dvae out, as the ablations of the paper's Table 7 do: 1 no first stage, 2 no second inference, 3 no second
    /// stage, 4 no third inference, 5 one reconstruction alone [default: all parts].
    #[arg(long, value_name = "1..5", value_parser = variant)]
    pub(crate) variant: Option<Steps>,
    /// Which latents dvae and vae decode: their means, or samples as the published code does [default: mean, with --preset paper
    /// sampled].
    #[arg(long, value_name = "mean|sampled", value_parser = word::<Inference>)]
    pub(crate) latent: Option<Inference>,
    #[command(flatten)]
    pub(crate) arithmetic: ArithmeticArgs,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
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
    #[command(flatten)]
    pub(crate) arithmetic: ArithmeticArgs,
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
    #[command(flatten)]
    pub(crate) arithmetic: ArithmeticArgs,
    /// Print JSON, as other commands do on request; here there is nothing else to print.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A variant of Table 7 by its number.
fn variant(text: &str) -> Result<Steps, String> {
    let steps = text.parse().ok().and_then(Steps::variant);
    steps.ok_or_else(|| "the variants are 1 to 5".into())
}
