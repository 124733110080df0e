//! A drop in memory, as a purifier leaves it.

use serde::Deserialize;
use serde::de::value::{self, StrDeserializer};

use crate::data::{Dataset, Image};
use crate::observe::Observer;
use crate::purify::{Job, Method, Options, Purifier, Steps};
use crate::settings::Preset;
use crate::{Result, Seed};

/// What the purifier of the name `defense` makes of all rows of `drop`; `None` if no purifier has that name. Those that train
/// do so by `preset`.
///
/// # Errors
/// Those of the purification.
pub(super) fn purified(
    drop: &Dataset,
    defense: &str,
    preset: Preset,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<Dataset>> {
    let Some((method, steps)) = method(defense) else {
        return Ok(None);
    };
    let options = Options {
        preset,
        steps,
        ..Options::default()
    };
    let purifier = method.build(options, drop.readable().len());
    cured(drop, &*purifier, seed, observer).map(Some)
}

/// What `purifier` makes of all rows of `drop`.
///
/// # Errors
/// Those of the purification.
pub(super) fn cured(
    drop: &Dataset,
    purifier: &dyn Purifier,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Dataset> {
    let job = Job {
        seed,
        keep: None,
        observer,
    };
    let cure = purifier.purify(drop, job)?;
    let mut pixels = Vec::with_capacity(drop.pixels().len());
    for k in 0..drop.readable().len() {
        let stored = Image {
            height: drop.height,
            width: drop.width,
            rgb: drop.image(k).to_vec(),
        };
        pixels.extend(cure.image(drop, k, &stored)?.rgb);
    }
    Ok(drop.with_pixels(pixels))
}

/// The purifier of that name, or the variant of the two-stage method: `dvae-3`.
pub(super) fn method(name: &str) -> Option<(Method, Steps)> {
    if let Some(number) = name.strip_prefix("dvae-") {
        return Some((Method::Dvae, Steps::variant(number.parse().ok()?)?));
    }
    let name = StrDeserializer::<value::Error>::new(name);
    Some((Method::deserialize(name).ok()?, Steps::ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_have_a_number() {
        assert_eq!(method("dvae-3").map(|(_, steps)| steps), Steps::variant(3));
        assert!(method("dvae-x").is_none() && method("none").is_none());
    }
}
