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
    purifier(defense, preset, drop.readable().len())
        .map(|purifier| cured(drop, &*purifier, seed, observer))
        .transpose()
}

/// All that [`purified`] does to so many `rows` depends on, but for the data and the seed; null where it does nothing.
pub(super) fn settings(defense: &str, preset: Preset, rows: usize) -> serde_json::Value {
    purifier(defense, preset, rows).map_or(serde_json::Value::Null, |purifier| purifier.settings())
}

fn purifier(defense: &str, preset: Preset, rows: usize) -> Option<Box<dyn Purifier>> {
    let (method, steps) = method(defense)?;
    let options = Options {
        preset,
        steps,
        ..Options::default()
    };
    Some(method.build(options, rows))
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

    #[test]
    fn settings_tell_every_part_of_a_method() {
        let of = |name| settings(name, Preset::Fast, 100);
        assert_ne!(of("dvae"), of("dvae-5"));
        assert_ne!(of("dvae"), settings("dvae", Preset::Paper, 100));
        assert!(of("none").is_null() && !of("jpeg").is_null());
    }
}
