//! Pictures and the perturbation that is in the making.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::super::{Perturbation, Target};
use super::{Shape, fill, to_bytes};
use crate::Seed;
use crate::zoo::{Images, Samples};

/// Pictures in [0, 1] and what is added to them, never more than `radius` a value.
pub(in super::super) struct Canvas<'a> {
    target: &'a Target<'a>,
    clean: Vec<f32>,
    delta: Vec<f32>,
    radius: f32,
}

impl<'a> Canvas<'a> {
    pub(in super::super) fn new(target: &'a Target<'a>, radius: f64) -> Self {
        let clean: Vec<f32> = target
            .pixels
            .iter()
            .map(|&v| f32::from(v) / 255.0)
            .collect();
        Self {
            delta: vec![0.0; clean.len()],
            target,
            clean,
            radius: radius as f32,
        }
    }

    pub(in super::super) fn rows(&self) -> usize {
        self.target.labels.len()
    }

    pub(in super::super) fn shape(&self, rows: usize) -> Shape {
        (rows, self.target.height, self.target.width, 3)
    }

    pub(in super::super) fn labels(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|&row| self.target.labels[row]).collect()
    }

    /// The perturbed pictures of some rows.
    pub(in super::super) fn pictures(&self, rows: &[usize]) -> Vec<f32> {
        let values = rows.iter().flat_map(|&row| {
            let range = self.range(row);
            self.clean[range.clone()].iter().zip(&self.delta[range])
        });
        values.map(|(clean, delta)| clean + delta).collect()
    }

    /// Starts the perturbation of some rows anew from normal noise of deviation `radius`; row `r` draws from the stream
    /// that `stream` names.
    pub(in super::super) fn start_normal(&mut self, rows: &[usize], seed: Seed, purpose: &str) {
        let radius = self.radius;
        self.start(rows, seed, purpose, |rng| {
            let value: f32 = StandardNormal.sample(rng);
            value * radius
        });
    }

    /// As [`Canvas::start_normal`], evenly within the radius.
    pub(in super::super) fn start_even(&mut self, rows: &[usize], seed: Seed, purpose: &str) {
        let radius = self.radius;
        self.start(rows, seed, purpose, |rng| {
            rng.random_range(-radius..=radius)
        });
    }

    fn start(
        &mut self,
        rows: &[usize],
        seed: Seed,
        purpose: &str,
        draw: impl Fn(&mut rand_chacha::ChaCha12Rng) -> f32,
    ) {
        for &row in rows {
            let rng = &mut seed.stream(purpose, row as u64);
            for at in self.range(row) {
                self.set(at, draw(rng));
            }
        }
    }

    /// Moves the perturbation of some rows by `step` against the sign of `gradient`, `[rows, height, width, 3]`.
    pub(in super::super) fn descend(&mut self, rows: &[usize], gradient: &[f32], step: f32) {
        let size = self.target.image_len();
        for (&row, gradient) in rows.iter().zip(gradient.chunks_exact(size)) {
            for (at, &slope) in self.range(row).zip(gradient) {
                self.set(at, self.delta[at] - step * sign(slope));
            }
        }
    }

    /// Adds the same perturbation to all of some rows.
    pub(in super::super) fn paint(&mut self, rows: &[usize], delta: &[f32]) {
        for &row in rows {
            for (at, &value) in self.range(row).zip(delta) {
                self.set(at, value);
            }
        }
    }

    /// The perturbation of a row.
    pub(in super::super) fn delta(&self, row: usize) -> &[f32] {
        &self.delta[self.range(row)]
    }

    /// Labelled pictures, perturbed, for a classifier; `pictures` are those of all rows.
    pub(in super::super) fn samples<'b>(&self, pictures: &'b [f32]) -> Samples<'b> {
        Samples {
            height: self.target.height,
            width: self.target.width,
            images: Images::Reals(pictures),
            labels: self.target.labels.to_vec(),
            classes: self.target.classes,
        }
    }

    /// The perturbation, for a work file.
    pub(in super::super) fn to_part(&self) -> Vec<u8> {
        to_bytes(&self.delta)
    }

    /// Back to what [`Canvas::to_part`] gave.
    pub(in super::super) fn restore(&mut self, part: &[u8]) {
        fill(&mut self.delta, part);
    }

    pub(in super::super) fn finish(self) -> Perturbation {
        Perturbation {
            height: self.target.height,
            width: self.target.width,
            values: self.delta,
            converged: true,
        }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let size = self.target.image_len();
        row * size..(row + 1) * size
    }

    /// Within the radius, and so that the picture stays in [0, 1].
    fn set(&mut self, at: usize, value: f32) {
        let clean = self.clean[at];
        self.delta[at] = value
            .clamp(-self.radius, self.radius)
            .clamp(-clean, 1.0 - clean);
    }
}

/// Not `signum`, which would move a pixel without a gradient.
pub(in super::super) fn sign(slope: f32) -> f32 {
    match slope {
        s if s > 0.0 => 1.0,
        s if s < 0.0 => -1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_within_the_radius_and_the_range_of_pixels() {
        let pixels = [0, 255, 100, 100, 100, 100];
        let target = Target {
            height: 1,
            width: 2,
            labels: &[0],
            classes: 2,
            pixels: &pixels,
        };
        let mut canvas = Canvas::new(&target, 0.1);
        for _ in 0..5 {
            canvas.descend(&[0], &[1.0, -1.0, 1.0, -1.0, 0.0, f32::NAN], 0.04);
        }
        let expected = [0.0, 0.0, -0.1, 0.1, 0.0, 0.0];
        let close = |(a, b): (&f32, f32)| (a - b).abs() < 1e-6;
        assert!(canvas.delta(0).iter().zip(expected).all(close));
        canvas.start_normal(&[0], Seed(0), "test");
        assert!(canvas.delta(0).iter().all(|v| v.abs() <= 0.1));
        assert!(
            canvas
                .pictures(&[0])
                .iter()
                .all(|v| (0.0..=1.0).contains(v))
        );
    }
}
