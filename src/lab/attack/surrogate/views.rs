//! Random views of pictures, and the way of a gradient back through them.

use rayon::prelude::*;

use crate::Seed;
use crate::nn::augment::{Augment, Border, View};

/// The views that the attacks on augmented training take: crops of pictures with a black border of 4, and mirror images.
const AUGMENT: Augment = Augment {
    padding: 4,
    border: Border::Zero,
    flip: true,
};

/// One view of each picture of a batch.
pub(in super::super) struct Views {
    views: Vec<View>,
    size: (usize, usize),
}

impl Views {
    /// For some rows of pictures of `size`, height and width; each row draws from a stream of its own.
    pub(in super::super) fn draw(
        rows: &[usize],
        size: (usize, usize),
        seed: Seed,
        purpose: &str,
    ) -> Self {
        let view = |&row: &usize| AUGMENT.draw(&mut seed.stream(purpose, row as u64));
        Self {
            views: rows.iter().map(view).collect(),
            size,
        }
    }

    /// Which views there are, for people.
    pub(in super::super) fn describe() -> String {
        format!("{AUGMENT:?}")
    }

    /// What the views show of `pictures`, `[rows, height, width, 3]`.
    pub(in super::super) fn show(&self, pictures: &[f32]) -> Vec<f32> {
        self.carry(pictures, |shown, picture, at, from| {
            shown[at..at + 3].copy_from_slice(&picture[from..from + 3]);
        })
    }

    /// The gradient in the pictures, from that in their views: the adjoint of [`Views::show`].
    pub(in super::super) fn pull_back(&self, gradient: &[f32]) -> Vec<f32> {
        self.carry(gradient, |pulled, gradient, at, from| {
            for colour in 0..3 {
                pulled[from + colour] += gradient[at + colour];
            }
        })
    }

    fn carry(
        &self,
        values: &[f32],
        place: impl Fn(&mut [f32], &[f32], usize, usize) + Sync,
    ) -> Vec<f32> {
        let (height, width) = self.size;
        let size = height * width * 3;
        let mut carried = vec![0.0; values.len()];
        carried
            .par_chunks_exact_mut(size)
            .zip(values.par_chunks_exact(size))
            .zip(&self.views)
            .for_each(|((carried, values), view)| {
                for y in 0..height {
                    for x in 0..width {
                        if let Some((from_y, from_x)) = view.source((y, x), self.size) {
                            let at = (y * width + x) * 3;
                            place(carried, values, at, (from_y * width + from_x) * 3);
                        }
                    }
                }
            });
        carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulling_back_is_the_adjoint_of_showing() {
        let rows = [3, 1, 4];
        let views = Views::draw(&rows, (7, 6), Seed(0), "test");
        let size = rows.len() * 7 * 6 * 3;
        let pictures: Vec<f32> = (0..size).map(|i| (i as f32).sin()).collect();
        let gradient: Vec<f32> = (0..size).map(|i| (i as f32 * 1.7).cos()).collect();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (there, back) = (
            dot(&views.show(&pictures), &gradient),
            dot(&pictures, &views.pull_back(&gradient)),
        );
        assert!((there - back).abs() < 1e-3, "{there} {back}");
    }
}
