//! `Config` is what the user wrote, each key optional; `Settings` is what was checked and is run.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::Limits;
use crate::decide::gate::{BadFiles, Policy};
use crate::decide::{Allowance, Severity};
use crate::{Error, Result, Seed};

/// The size of the model and the length of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A compact network of the same structure, sized for a CPU.
    #[default]
    Fast,
    /// The network and the schedule of the paper.
    Paper,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Paper => "paper",
        })
    }
}

/// Where networks are trained and applied: this build knows the processor alone, so there is nothing to choose but to be told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        match name.as_str() {
            "cpu" => Ok(Self::Cpu),
            cuda if cuda == "cuda" || cuda.starts_with("cuda:") => Err(format!(
                "{cuda}: this build runs on the processor alone; take cpu"
            )),
            _ => Err(format!("{name} is not known; take cpu")),
        }
    }
}

/// Settings as written, in flags, in the environment or in a file; keys are those of the flags. A key that is absent
/// leaves the choice to the next source.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The seed of all randomness; 0 unless given.
    pub seed: Option<u64>,
    /// The size of the model; [`Preset::Fast`] unless given.
    pub preset: Option<Preset>,
    /// Name of the data's format; recognised unless given.
    pub format: Option<String>,
    /// Threads to use; all cores unless given.
    pub threads: Option<NonZeroUsize>,
    /// Where networks run; the processor unless given.
    pub device: Option<Device>,
    /// Read at most so many rows; all unless given.
    pub max_images: Option<NonZeroUsize>,
    /// Caps on hostile files; a table `[limits]` in the file, no flags.
    pub limits: Option<Limits>,
    /// The false-discovery rate among flagged rows, in (0, 0.5]; 0.01 unless given.
    pub fdr: Option<f64>,
    /// See [`Policy::fail_on`].
    pub fail_on: Option<Severity>,
    /// See [`Policy::max_flagged`].
    pub max_flagged: Option<Allowance>,
    /// See [`Policy::on_bad_files`].
    pub on_bad_files: Option<BadFiles>,
    /// See [`Policy::max_unreadable`].
    pub max_unreadable: Option<Allowance>,
}

impl Config {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Input`] naming the key if one is unknown or has a wrong value.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        toml::from_str(&text).map_err(|error| Error::input(path, error.to_string().trim_end()))
    }

    /// This, with the gaps filled from `fallback`.
    pub fn or(self, fallback: Self) -> Self {
        Self {
            seed: self.seed.or(fallback.seed),
            preset: self.preset.or(fallback.preset),
            format: self.format.or(fallback.format),
            threads: self.threads.or(fallback.threads),
            device: self.device.or(fallback.device),
            max_images: self.max_images.or(fallback.max_images),
            limits: self.limits.or(fallback.limits),
            fdr: self.fdr.or(fallback.fdr),
            fail_on: self.fail_on.or(fallback.fail_on),
            max_flagged: self.max_flagged.or(fallback.max_flagged),
            on_bad_files: self.on_bad_files.or(fallback.on_bad_files),
            max_unreadable: self.max_unreadable.or(fallback.max_unreadable),
        }
    }

    /// Fills the gaps with the defaults and checks the ranges.
    ///
    /// # Errors
    /// [`Error::Settings`] naming the setting that is out of its range.
    pub fn check(self) -> Result<Settings> {
        let fdr = self.fdr.unwrap_or(0.01);
        if !(fdr > 0.0 && fdr <= 0.5) {
            return Err(Error::Settings {
                name: "fdr",
                problem: format!("{fdr} is not in (0, 0.5]"),
            });
        }
        let policy = Policy::default();
        Ok(Settings {
            seed: Seed(self.seed.unwrap_or(0)),
            preset: self.preset.unwrap_or_default(),
            format: self.format.unwrap_or_else(|| "auto".into()),
            max_images: self.max_images.map(NonZeroUsize::get),
            limits: self.limits.unwrap_or_default(),
            fdr,
            policy: Policy {
                fail_on: self.fail_on.unwrap_or(policy.fail_on),
                max_flagged: self.max_flagged.unwrap_or(policy.max_flagged),
                on_bad_files: self.on_bad_files.unwrap_or(policy.on_bad_files),
                max_unreadable: self.max_unreadable.unwrap_or(policy.max_unreadable),
            },
            threads: self.threads.map(NonZeroUsize::get),
        })
    }
}

/// Checked settings; made by [`Config::check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// The seed of all randomness.
    pub seed: Seed,
    /// The size of the model.
    pub preset: Preset,
    /// Name of the data's format, or `auto`.
    pub format: String,
    /// Read at most so many rows.
    pub max_images: Option<usize>,
    /// Caps on hostile files.
    pub limits: Limits,
    /// The false-discovery rate among flagged rows, in (0, 0.5].
    pub fdr: f64,
    /// What the gate tolerates.
    #[serde(flatten)]
    pub policy: Policy,
    /// Threads to use. Not part of a report: it must not change a result.
    #[serde(skip)]
    pub threads: Option<usize>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ue-audit.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let message = parse("seed = 1\nmax-flaged = 3\n").unwrap_err().to_string();
        assert!(message.contains("max-flaged"), "{message}");
    }

    #[test]
    fn a_wrong_value_is_refused() {
        for text in [
            "fail-on = \"never\"",
            "max-flagged = \"120%\"",
            "threads = 0",
            "seed = -1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = parse("seed = 1\npreset = \"paper\"\nmax-flagged = \"2%\"\n").unwrap();
        let flags = Config {
            seed: Some(7),
            ..Config::default()
        };
        let settings = flags.or(file).check().unwrap();
        assert_eq!(settings.seed, Seed(7));
        assert_eq!(settings.preset, Preset::Paper);
        assert_eq!(settings.policy.max_flagged, Allowance::Share(0.02));
        assert_eq!(settings.policy.fail_on, Severity::Medium);
    }

    #[test]
    fn a_rate_out_of_range_is_refused() {
        for fdr in [0.0, -0.1, 0.6, f64::NAN] {
            let config = Config {
                fdr: Some(fdr),
                ..Config::default()
            };
            assert!(config.check().is_err(), "{fdr}");
        }
    }

    #[test]
    fn threads_stay_out_of_the_report() {
        let settings = Config {
            threads: NonZeroUsize::new(3),
            ..Config::default()
        }
        .check()
        .unwrap();
        assert!(
            !serde_json::to_string(&settings)
                .unwrap()
                .contains("threads")
        );
    }
}
