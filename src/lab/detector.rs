//! What audits a drop in an experiment: the product, the product without a part of its evidence, or a rival.

use super::rival::{self, Rival};
use crate::audit::{Audit, run_without};
use crate::data::Dataset;
use crate::detect::Part;
use crate::dvae::Dvae;
use crate::observe::Observer;
use crate::{Error, Result, Settings};

/// The product's own evidence and rule.
pub const OURS: &str = "ours";
/// It without one part.
fn without(part: Part) -> &'static str {
    match part {
        Part::Dvae => "without-dvae",
        Part::Loudness => "without-loudness",
        Part::Template => "without-template",
        Part::Texture => "without-texture",
        Part::Pixel => "without-pixel",
        Part::Net => "without-net",
        Part::Exact => "without-exact",
    }
}

/// Audits a drop.
pub enum Detector {
    /// The product, without one part of its evidence if there is one: an ablation.
    Ours(Option<Part>),
    /// Another one, from the literature.
    Rival(Box<dyn Rival>),
}

impl Detector {
    /// Names of all, as on the command line.
    pub fn names() -> Vec<&'static str> {
        [&[OURS], &rival::NAMES[..], &Part::ALL.map(without)].concat()
    }

    /// The one called `name`.
    ///
    /// # Errors
    /// [`Error::Settings`] for an unknown name.
    pub fn named(name: &str) -> Result<Self> {
        if name == OURS {
            return Ok(Self::Ours(None));
        }
        let part = Part::ALL.into_iter().find(|part| without(*part) == name);
        if part.is_some() {
            return Ok(Self::Ours(part));
        }
        let rival = rival::named(name).map(Self::Rival);
        rival.ok_or_else(|| Error::Settings {
            name: "detector",
            problem: format!("{name} is none of {}", Self::names().join(", ")),
        })
    }

    /// Audits `dataset`, with `model` if there is one, by the D-VAE that `settings` ask for if one is needed.
    ///
    /// # Errors
    /// As [`crate::audit::run`].
    pub fn audit(
        &self,
        dataset: Dataset,
        settings: &Settings,
        model: Option<Dvae>,
        observer: &dyn Observer,
    ) -> Result<Audit> {
        match self {
            Self::Ours(part) => run_without(*part, dataset, settings, model, observer),
            Self::Rival(rival) => rival::audit(dataset, &**rival, settings, model, observer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_detector() {
        for name in Detector::names() {
            let named = Detector::named(name);
            let right = match &named {
                Ok(Detector::Ours(part)) => part.is_none() == (name == OURS),
                Ok(Detector::Rival(rival)) => rival.name() == name,
                Err(_) => false,
            };
            assert!(right, "{name}");
        }
        for unknown in ["", "without-", "without-spectral", "Ours"] {
            assert!(Detector::named(unknown).is_err(), "{unknown}");
        }
    }
}
