//! OPS: the one-pixel shortcut (Wu et al., ICLR 2023), algorithm 1.
//!
//! Each class gets a pixel and a corner colour of its own, chosen so that the change is large and much the same in every
//! picture of the class: the largest mean over standard deviation of `|colour - pixel|`.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Attack, Budget, Perturbation, Target, WorkFile};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Corners of the colour cube.
const CORNERS: usize = 8;
/// Least standard deviation, in [0, 1] pixel units: a constant pixel is the best of shortcuts, not a division by zero.
const LEAST_DEVIATION: f64 = 1e-6;

/// The attack. It draws nothing: the pictures decide.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ops;

/// A pixel, row by row, and a corner of the colour cube: bit `c` is the value of colour `c`.
type Mark = (usize, usize);

impl Attack for Ops {
    fn name(&self) -> &'static str {
        "ops"
    }

    fn budget(&self) -> Budget {
        Budget::L0(1)
    }

    fn settings(&self) -> Value {
        json!({ "class_wise": true, "least_deviation": LEAST_DEVIATION })
    }

    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        _: Seed,
        _: &mut WorkFile,
        _: &dyn Observer,
    ) -> Result<Perturbation> {
        let room = target.height * target.width * CORNERS;
        if room < target.classes {
            return Err(Error::Settings {
                name: "attack",
                problem: format!(
                    "ops has {room} marks in such pictures, not {}",
                    target.classes
                ),
            });
        }
        let mut taken = BTreeSet::new();
        let marks: Vec<Mark> = (0..target.classes)
            .map(|class| {
                let mark = search(target, class as u32, &taken);
                taken.insert(mark);
                mark
            })
            .collect();
        let size = target.image_len();
        let mut values = vec![0.0; target.labels.len() * size];
        for (k, delta) in values.chunks_exact_mut(size).enumerate() {
            let (pixel, corner) = marks[target.labels[k] as usize];
            for colour in 0..3 {
                let at = pixel * 3 + colour;
                delta[at] = f32::from(bit(corner, colour)) - f32::from(target.image(k)[at]) / 255.0;
            }
        }
        Ok(Perturbation {
            height: target.height,
            width: target.width,
            values,
            converged: true,
        })
    }
}

/// The best mark for the pictures of `class` that no other class has. The first one left where the class has no pictures.
fn search(target: &Target<'_>, class: u32, taken: &BTreeSet<Mark>) -> Mark {
    let rows = target.labels.iter().enumerate();
    let members: Vec<usize> = rows
        .filter(|(_, label)| **label == class)
        .map(|(k, _)| k)
        .collect();
    let score = |(pixel, corner): Mark| {
        let (mut sum, mut squares) = (0.0, 0.0);
        for &k in &members {
            for colour in 0..3 {
                let value = f64::from(target.image(k)[pixel * 3 + colour]) / 255.0;
                let change = (f64::from(bit(corner, colour)) - value).abs();
                sum += change;
                squares += change * change;
            }
        }
        let count = (3 * members.len()).max(1) as f64;
        let mean = sum / count;
        let deviation = (squares / count - mean * mean).max(0.0).sqrt();
        mean / deviation.max(LEAST_DEVIATION)
    };
    let scored: Vec<(Mark, f64)> = (0..target.height * target.width * CORNERS)
        .into_par_iter()
        .map(|index| (index / CORNERS, index % CORNERS))
        .filter(|mark| !taken.contains(mark))
        .map(|mark| (mark, score(mark)))
        .collect();
    let best = scored
        .into_iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or((0, 0), |(mark, _)| mark)
}

fn bit(corner: usize, colour: usize) -> u8 {
    (corner >> colour & 1) as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Storage, apply};
    use super::*;
    use crate::observe::Silent;
    use rand::RngExt;

    #[test]
    fn one_pixel_of_a_corner_colour_tells_the_class() {
        let (height, width, rows, classes) = (6, 5, 60, 4);
        let rng = &mut Seed(2).stream("pixels", 0);
        let pixels: Vec<u8> = (0..rows * height * width * 3)
            .map(|_| rng.random())
            .collect();
        let labels: Vec<u32> = (0..rows).map(|k| (k % classes) as u32).collect();
        let target = Target {
            height,
            width,
            labels: &labels,
            classes,
            pixels: &pixels,
        };
        let noise = Ops.perturb(&target, Seed(0), &Silent).unwrap();
        let mut marks = vec![BTreeSet::new(); classes];
        for k in 0..rows {
            let mut rgb = target.image(k).to_vec();
            apply(&mut rgb, noise.row(k), Ops.budget(), Storage::Truncate).unwrap();
            let pairs = rgb.chunks_exact(3).zip(target.image(k).chunks_exact(3));
            let changed: Vec<usize> = pairs
                .enumerate()
                .filter(|(_, (new, old))| new != old)
                .map(|(pixel, _)| pixel)
                .collect();
            assert_eq!(changed.len(), 1);
            let pixel = &rgb[changed[0] * 3..changed[0] * 3 + 3];
            assert!(pixel.iter().all(|&v| v == 0 || v == 255), "{pixel:?}");
            marks[labels[k] as usize].insert((changed[0], pixel.to_vec()));
        }
        let all: BTreeSet<_> = marks.iter().flatten().collect();
        assert!(marks.iter().all(|mark| mark.len() == 1) && all.len() == classes);
    }

    #[test]
    fn the_search_finds_the_pixel_that_differs_most_evenly() {
        // Pixel 2 is always black, the others vary: white there is the largest even change.
        let (rows, pixels) = (40, 4);
        let rng = &mut Seed(3).stream("pixels", 0);
        let bytes: Vec<u8> = (0..rows * pixels * 3)
            .map(|at| {
                if at / 3 % pixels == 2 {
                    0
                } else {
                    rng.random()
                }
            })
            .collect();
        let target = Target {
            height: 2,
            width: 2,
            labels: &vec![0; rows],
            classes: 1,
            pixels: &bytes,
        };
        assert_eq!(search(&target, 0, &BTreeSet::new()), (2, 7));
    }
}
