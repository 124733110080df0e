//! One perturbation for all rows of a class.

use rand::RngExt;

use super::super::Target;
use super::canvas::sign;
use super::{Canvas, fill, to_bytes};
use crate::Seed;

/// A perturbation for each class, never more than `radius` a value; the range of pixels binds only where a row takes it.
pub(in super::super) struct Shared {
    radius: f32,
    size: usize,
    members: Vec<Vec<usize>>,
    /// `[classes, height, width, 3]`.
    delta: Vec<f32>,
}

impl Shared {
    /// Even noise within the radius; each class draws from its stream of `purpose`.
    pub(in super::super) fn start_even(
        target: &Target<'_>,
        radius: f64,
        seed: Seed,
        purpose: &str,
    ) -> Self {
        let (radius, size) = (radius as f32, target.image_len());
        let delta = (0..target.classes).flat_map(|class| {
            let mut rng = seed.stream(purpose, class as u64);
            (0..size).map(move |_| rng.random_range(-radius..=radius))
        });
        Self {
            delta: delta.collect(),
            members: target.members(),
            radius,
            size,
        }
    }

    /// Moves the perturbations of the classes among `labels` by `step` against the sign of their rows' summed `gradient`,
    /// `[rows, height, width, 3]`.
    pub(in super::super) fn descend(&mut self, labels: &[u32], gradient: &[f32], step: f32) {
        for (class, delta) in self.delta.chunks_exact_mut(self.size).enumerate() {
            let mut sum = vec![0.0; delta.len()];
            let rows = labels.iter().zip(gradient.chunks_exact(self.size));
            for (_, gradient) in rows.filter(|(label, _)| **label as usize == class) {
                sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g);
            }
            for (value, slope) in delta.iter_mut().zip(sum) {
                *value = (*value - step * sign(slope)).clamp(-self.radius, self.radius);
            }
        }
    }

    /// Gives some rows, which have these `labels`, the perturbations of their classes.
    pub(in super::super) fn paint(&self, canvas: &mut Canvas<'_>, rows: &[usize], labels: &[u32]) {
        for (row, &label) in rows.iter().zip(labels) {
            let at = label as usize * self.size;
            canvas.paint(&[*row], &self.delta[at..at + self.size]);
        }
    }

    /// Gives all rows those of their classes.
    pub(in super::super) fn paint_all(&self, canvas: &mut Canvas<'_>) {
        for (members, delta) in self.members.iter().zip(self.delta.chunks_exact(self.size)) {
            canvas.paint(members, delta);
        }
    }

    /// For a work file.
    pub(in super::super) fn to_part(&self) -> Vec<u8> {
        to_bytes(&self.delta)
    }

    /// Back to what [`Shared::to_part`] gave.
    pub(in super::super) fn restore(&mut self, part: &[u8]) {
        fill(&mut self.delta, part);
    }
}
