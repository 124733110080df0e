//! LSP: linearly separable synthetic noise, "Availability Attacks Create Shortcuts" (Yu et al., KDD 2022), section 4.
//!
//! A class is a cluster of colour mosaics: `v = A_c g + m_c` with `m_c` a vertex of `{-10, 10}^d` of its own, `A_c` uniform on
//! (-1, 1) and `g` normal; `d` is three colours of each cell. A mosaic is enlarged to the picture, cropped, and scaled to
//! the radius exactly.

use std::collections::BTreeSet;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Attack, Budget, Perturbation, Target, WorkFile};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Side of a cell, in pixels.
const CELL: usize = 8;
/// How far each coordinate of a vertex is from 0.
const SEPARATION: f32 = 10.0;

/// The attack, with its radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lsp {
    /// Euclidean norm of each perturbation, in [0, 1] pixel units: 1.0 in the tables of the D-VAE paper.
    radius: f64,
    /// Whether the rows of a class share one draw.
    class_wise: bool,
}

impl Lsp {
    /// A draw for each row, of this Euclidean norm in [0, 1] pixel units: 1.0 in the tables of the D-VAE paper.
    pub fn sample_wise(radius: f64) -> Self {
        Self {
            radius,
            class_wise: false,
        }
    }

    /// One draw for all rows of a class.
    pub fn class_wise(radius: f64) -> Self {
        Self {
            radius,
            class_wise: true,
        }
    }
}

impl Default for Lsp {
    fn default() -> Self {
        Self::sample_wise(1.0)
    }
}

/// One class's cluster of mosaics.
struct Cluster {
    vertex: Vec<f32>,
    /// `[d, d]`, row-major.
    spread: Vec<f32>,
}

impl Cluster {
    fn draw(&self, rng: &mut impl Rng) -> Vec<f32> {
        let mut mosaic = self.vertex.clone();
        for row in self.spread.chunks_exact(mosaic.len()) {
            let weight: f32 = StandardNormal.sample(rng);
            for (value, entry) in mosaic.iter_mut().zip(row) {
                *value += weight * entry;
            }
        }
        mosaic
    }
}

impl Attack for Lsp {
    fn name(&self) -> &'static str {
        if self.class_wise { "lsp-class" } else { "lsp" }
    }

    fn budget(&self) -> Budget {
        Budget::L2(self.radius)
    }

    fn settings(&self) -> Value {
        json!({ "cell": CELL, "separation": SEPARATION, "class_wise": self.class_wise })
    }

    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        seed: Seed,
        _: &mut WorkFile,
        _: &dyn Observer,
    ) -> Result<Perturbation> {
        let (height, width) = (target.height, target.width);
        let cells = (height.div_ceil(CELL), width.div_ceil(CELL));
        let vertices = vertices(target.classes, cells.0 * cells.1 * 3, seed)?;
        let clusters: Vec<Cluster> = vertices
            .into_iter()
            .enumerate()
            .map(|(class, vertex)| {
                let mut rng = seed.stream("lsp.spread", class as u64);
                let entries = vertex.len() * vertex.len();
                let spread = (0..entries).map(|_| rng.random_range(-1.0..1.0)).collect();
                Cluster { vertex, spread }
            })
            .collect();
        let values = target
            .labels
            .par_iter()
            .enumerate()
            .flat_map_iter(|(row, &label)| {
                let draw = if self.class_wise { label as usize } else { row };
                let mut rng = seed.stream("lsp.draw", draw as u64);
                let mosaic = clusters[label as usize].draw(&mut rng);
                scaled(enlarge(&mosaic, cells.1, height, width), self.radius)
            })
            .collect();
        Ok(Perturbation {
            height,
            width,
            values,
            converged: true,
        })
    }
}

/// A vertex of the cube for each class, no two alike.
fn vertices(classes: usize, dimension: usize, seed: Seed) -> Result<Vec<Vec<f32>>> {
    let room = 1_usize.checked_shl(dimension.min(64) as u32);
    if room.is_some_and(|room| room < classes) {
        return Err(Error::Settings {
            name: "attack",
            problem: format!(
                "lsp has no {classes} clusters to give in pictures of {dimension} cells"
            ),
        });
    }
    let mut rng = seed.stream("lsp.vertex", 0);
    let mut taken = BTreeSet::new();
    let mut chosen = Vec::with_capacity(classes);
    while chosen.len() < classes {
        let signs: Vec<bool> = (0..dimension).map(|_| rng.random()).collect();
        if taken.insert(signs.clone()) {
            let coordinate = |sign| if sign { SEPARATION } else { -SEPARATION };
            chosen.push(signs.into_iter().map(coordinate).collect());
        }
    }
    Ok(chosen)
}

/// Repeats each cell of a mosaic with `columns` columns over its square of pixels, cropped to the picture.
fn enlarge(mosaic: &[f32], columns: usize, height: usize, width: usize) -> Vec<f32> {
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    pixels
        .flat_map(|(y, x)| {
            let cell = ((y / CELL) * columns + x / CELL) * 3;
            [mosaic[cell], mosaic[cell + 1], mosaic[cell + 2]]
        })
        .collect()
}

fn scaled(mut values: Vec<f32>, radius: f64) -> Vec<f32> {
    let norm = values
        .iter()
        .map(|&v| f64::from(v).powi(2))
        .sum::<f64>()
        .sqrt();
    for value in &mut values {
        *value = (f64::from(*value) * radius / norm) as f32;
    }
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::Silent;

    fn noise(
        lsp: Lsp,
        (height, width): (usize, usize),
        labels: &[u32],
        classes: usize,
    ) -> Perturbation {
        let target = Target {
            height,
            width,
            labels,
            classes,
            pixels: &[],
        };
        lsp.perturb(&target, Seed(1), &Silent).unwrap()
    }

    fn labels(rows: usize, classes: usize) -> Vec<u32> {
        (0..rows).map(|row| (row % classes) as u32).collect()
    }

    #[test]
    fn every_row_has_the_radius_and_is_constant_in_each_cell() {
        // Six levels in every value: the default of the reference implementation.
        let radius = ((6.0_f64 / 255.0).powi(2) * 3072.0).sqrt();
        assert!((radius - 1.304).abs() < 1e-3);
        for size in [(32, 32), (28, 20), (8, 8)] {
            let noise = noise(Lsp::sample_wise(radius), size, &labels(20, 5), 5);
            for k in 0..20 {
                let row = noise.row(k);
                let norm = row
                    .iter()
                    .map(|&v| f64::from(v).powi(2))
                    .sum::<f64>()
                    .sqrt();
                assert!((norm - radius).abs() < 1e-5, "{norm}");
                for (y, x, c) in (0..size.0)
                    .flat_map(|y| (0..size.1).flat_map(move |x| (0..3).map(move |c| (y, x, c))))
                {
                    let at = |y, x| row[(y * size.1 + x) * 3 + c];
                    assert_eq!(at(y, x), at(y - y % CELL, x - x % CELL));
                }
            }
        }
    }

    #[test]
    fn the_nearest_class_mean_finds_every_label() {
        let (rows, classes) = (2000, 10);
        let labels = labels(rows, classes);
        let noise = noise(Lsp::default(), (32, 32), &labels, classes);
        let mut means = vec![vec![0.0; 3072]; classes];
        for (k, &label) in labels.iter().enumerate() {
            for (mean, &value) in means[label as usize].iter_mut().zip(noise.row(k)) {
                *mean += value * classes as f32 / rows as f32;
            }
        }
        for (k, &label) in labels.iter().enumerate() {
            let distance = |mean: &Vec<f32>| -> f32 {
                noise
                    .row(k)
                    .iter()
                    .zip(mean)
                    .map(|(a, b)| (a - b).powi(2))
                    .sum()
            };
            let nearest = (0..classes)
                .min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b])))
                .unwrap();
            assert_eq!(nearest, label as usize);
        }
    }

    #[test]
    fn rows_of_a_class_differ_unless_the_class_shares_one_draw() {
        let noises = |lsp| noise(lsp, (32, 32), &[0, 0, 1], 2);
        let noise = noises(Lsp::default());
        assert_ne!(noise.row(0), noise.row(1));
        let noise = noises(Lsp::class_wise(1.0));
        assert_eq!(noise.row(0), noise.row(1));
        assert_ne!(noise.row(0), noise.row(2));
    }

    #[test]
    fn more_classes_than_vertices_are_refused() {
        let target = Target {
            height: 8,
            width: 8,
            labels: &[0],
            classes: 9,
            pixels: &[],
        };
        assert!(Lsp::default().perturb(&target, Seed(0), &Silent).is_err());
    }
}
