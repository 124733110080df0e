//! A procedural drop made from a seed, so that the main job can be shown with nothing to download.
//!
//! Ten classes of figures, each at a random place, size and angle, in random colours, lit unevenly, partly hidden, over a
//! background whose spectrum falls as in photographs, with the noise of a sensor on top. The class is in the form alone, so
//! it has to be learnt; no pixel, colour or frequency gives it away.

mod field;
mod figure;
mod render;

use rayon::prelude::*;

use crate::Seed;
use crate::data::Dataset;

pub use figure::Figure;

/// Side of the pictures.
pub const SIDE: usize = 32;

/// A clean drop of `rows` pictures of [`SIDE`] x [`SIDE`], the classes in turn.
pub fn dataset(rows: usize, seed: Seed) -> Dataset {
    let figures = Figure::ALL;
    let pixels: Vec<u8> = (0..rows)
        .into_par_iter()
        .flat_map_iter(|row| {
            let mut rng = seed.stream("demo", row as u64);
            render::picture(figures[row % figures.len()], &mut rng)
        })
        .collect();
    let labels: Vec<u32> = (0..rows).map(|row| (row % figures.len()) as u32).collect();
    Dataset::from_pixels(
        "demo",
        "made by this program",
        figures.map(|figure| figure.name().to_string()).into(),
        (SIDE, SIDE),
        pixels,
        &labels,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_drop_with_balanced_classes() {
        let drop = dataset(100, Seed(3));
        assert_eq!(drop.fingerprint, dataset(100, Seed(3)).fingerprint);
        assert_ne!(drop.fingerprint, dataset(100, Seed(4)).fingerprint);
        for label in 0..10 {
            assert_eq!(drop.labels().iter().filter(|&&l| l == label).count(), 10);
        }
    }

    #[test]
    fn pictures_are_neither_flat_nor_saturated() {
        let drop = dataset(200, Seed(0));
        for k in 0..200 {
            let image = drop.image(k);
            let mean = image.iter().map(|&p| f64::from(p)).sum::<f64>() / image.len() as f64;
            let spread = image
                .iter()
                .map(|&p| (f64::from(p) - mean).powi(2))
                .sum::<f64>();
            let spread = (spread / image.len() as f64).sqrt();
            assert!(spread > 8.0, "row {k} is flat: {spread}");
            let extreme = image.iter().filter(|&&p| p == 0 || p == 255).count();
            assert!(extreme * 2 < image.len(), "row {k} is saturated");
        }
    }

    /// Mean squared difference of neighbours `lag` apart, over the luminance of many pictures. Where power falls as
    /// 1/f^2 it grows about linearly with the lag; white noise would keep it level and flat pictures would square it.
    #[test]
    fn the_spectrum_falls_as_in_photographs() {
        let drop = dataset(300, Seed(1));
        let structure = |lag: usize| -> f64 {
            let mut sum = 0.0;
            for k in 0..300 {
                let image = drop.image(k);
                let at = |y: usize, x: usize| f64::from(image[(y * SIDE + x) * 3 + 1]);
                for y in 0..SIDE {
                    for x in 0..SIDE - lag {
                        sum += (at(y, x) - at(y, x + lag)).powi(2);
                    }
                }
            }
            sum / (300 * SIDE * (SIDE - lag)) as f64
        };
        let slope = (structure(8) / structure(2)).log2() / 2.0;
        assert!((0.3..1.2).contains(&slope), "{slope}");
    }
}
