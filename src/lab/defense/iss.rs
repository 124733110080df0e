//! ISS: image shortcut squeezing (Liu et al., ICML 2023), the best of three squeezes in each row of a table: JPEG, grey,
//! two bits. The best is known only from the clean test set, so the column is what a user could reach who knew which
//! squeeze to take, in the paper's tables as in ours.

use crate::data::{Dataset, Image};
use crate::observe::Observer;
use crate::purify::{Job, Method};
use crate::settings::Preset;
use crate::zoo::{Architecture, Recipe, Samples, train};
use crate::{Result, Seed};

/// What training on a squeezed drop gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Squeezed {
    /// The squeeze.
    pub method: &'static str,
    /// Share of the test set that is right; absent for an empty one.
    pub accuracy: Option<f64>,
}

/// Trains on `data` under each of the three squeezes, and tests on `test`.
///
/// # Errors
/// Those of the training and of the test.
pub fn squeeze(
    data: &Dataset,
    test: &Samples<'_>,
    architecture: Architecture,
    recipe: &Recipe,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Vec<Squeezed>> {
    let size = data.height * data.width * 3;
    let job = Job {
        seed,
        keep: None,
        observer,
    };
    let squeezed = |method: Method| {
        let purifier = method.build(Preset::Fast, 0.0);
        let cure = purifier.purify(data, job)?;
        let mut pixels = Vec::with_capacity(data.pixels().len());
        for (k, rgb) in data.pixels().chunks_exact(size.max(1)).enumerate() {
            let image = Image {
                height: data.height,
                width: data.width,
                rgb: rgb.to_vec(),
            };
            pixels.extend(cure.image(data, k, &image)?.rgb);
        }
        let names = data.class_names.clone();
        let (side, labels) = ((data.height, data.width), data.labels());
        let pure = Dataset::from_pixels(purifier.name(), "", names, side, pixels, &labels);
        let trained = train(&Samples::from(&pure), architecture, recipe, seed, observer)?;
        Ok(Squeezed {
            method: purifier.name(),
            accuracy: trained.test(test, observer)?.accuracy(),
        })
    };
    [Method::Jpeg, Method::Gray, Method::Bdr]
        .map(squeezed)
        .into_iter()
        .collect()
}

/// The squeeze with the highest accuracy, the first of equals.
pub fn best(squeezed: &[Squeezed]) -> Option<&Squeezed> {
    let rank = |squeezed: &Squeezed| squeezed.accuracy.unwrap_or(-1.0);
    squeezed.iter().reduce(|best, other| {
        if rank(other) > rank(best) {
            other
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::demo;
    use crate::observe::Silent;

    #[test]
    fn three_squeezes_are_tried_and_the_best_is_told() {
        let (data, test) = (demo::dataset(40, Seed(0)), demo::dataset(20, Seed(1)));
        let recipe = Recipe {
            epochs: 1,
            batch: 20,
            ..Recipe::fast()
        };
        let samples = Samples::from(&test);
        let small = Architecture::Small;
        let all = squeeze(&data, &samples, small, &recipe, Seed(0), &Silent).unwrap();
        let names: Vec<_> = all.iter().map(|squeezed| squeezed.method).collect();
        assert_eq!(names, ["jpeg", "gray", "bdr"]);
        let most = all
            .iter()
            .filter_map(|squeezed| squeezed.accuracy)
            .fold(0.0, f64::max);
        assert_eq!(best(&all).unwrap().accuracy, Some(most));
        assert!(best(&[]).is_none());
    }
}
