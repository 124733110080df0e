//! The grain of a picture: what is left of it when natural structure is taken away.
//!
//! Pictures are whitened as stationary ones: each coefficient of the cosine basis in units of its own deviation over the
//! drop, those that hold most of the variance left out, and the rest seen as a picture again. Natural structure is sparse
//! there, an edge here and there; a perturbation covers everything. Medians and clipped values therefore see the
//! perturbation under the structure.

use rayon::prelude::*;

use super::cosine;
use super::linalg::Rows;

/// Variance below which a coefficient is dead; see [`super::spectrum`].
const DEAD: f64 = 1e-6;
/// Share of the variance that counts as faint.
const FAINT: f64 = 0.1;
/// Quantiles of the absolute values of each colour.
const LEVELS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Side of the blocks whose energies are compared, pixels; smaller pictures are one block.
const BLOCK: usize = 4;
/// Quantiles of the energies of the blocks.
const BLOCK_LEVELS: [f64; 4] = [0.0, 0.1, 0.25, 0.5];
/// Which of them is the noise floor.
const FLOOR: usize = 1;
/// One part in this many of the coefficients, the least variant, is the last trace of natural pictures.
const FAINTEST: usize = 5;
/// Least value that has a logarithm here.
const LEAST: f32 = 1e-12;

/// Which coefficients of the cosine basis are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Band {
    /// Those that together hold a tenth of the variance, the least variant ones.
    Faint,
    /// All others: what people see.
    Visible,
}

/// The whitened rows of one band, in opponent colours, and how loud they are.
pub(super) struct Grain {
    /// `[n, height, width, 3]`, about unit variance over the drop.
    pub(super) pictures: Vec<f32>,
    /// Log mean square of each row's least variant coefficients.
    pub(super) energies: Vec<f64>,
    height: usize,
    width: usize,
}

impl Grain {
    /// Of `pixels` in \[0, 1\], `[n, height, width, 3]`.
    pub(super) fn new(mut pixels: Vec<f32>, (height, width): (usize, usize), band: Band) -> Self {
        let dim = height * width * 3;
        cosine::transform(&mut pixels, height, width);
        let moments = Moments::of(&pixels, dim);
        let scale = moments.scale(band);
        let faintest = moments.faintest(dim / FAINTEST);
        let energies = pixels
            .par_chunks_exact_mut(dim)
            .map(|row| {
                for ((v, mean), scale) in row.iter_mut().zip(&moments.mean).zip(&scale) {
                    *v = (*v - *mean as f32) * scale;
                }
                let sum: f32 = faintest.iter().map(|&at| row[at] * row[at]).sum();
                f64::from(log(sum / faintest.len().max(1) as f32))
            })
            .collect();
        cosine::back(&mut pixels, height, width);
        Self {
            pictures: pixels,
            energies,
            height,
            width,
        }
    }

    /// Width of the pictures.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The rows, `[height, width, 3]` each.
    pub(super) fn rows(&self) -> rayon::slice::ChunksExact<'_, f32> {
        self.pictures.par_chunks_exact(self.height * self.width * 3)
    }

    /// How much noise lies under the structure of each row, logarithms: quantiles of each colour, of the blocks'
    /// energies, and the energy.
    pub(super) fn levels(&self) -> Rows {
        let levels: Vec<Vec<f32>> = self
            .rows()
            .zip(&self.energies)
            .map(|(row, &energy)| {
                let colours = (0..3).flat_map(|colour| quantiles_of_colour(row, colour));
                let blocks = self.blocks(row);
                let blocks = BLOCK_LEVELS.map(|level| log(at(&blocks, level)));
                colours.chain(blocks).chain([energy as f32]).collect()
            })
            .collect();
        let dim = levels.first().map_or(1, Vec::len);
        Rows {
            values: levels.concat(),
            dim,
        }
    }

    /// The noise floor of each row: log mean square of its quiet blocks.
    pub(super) fn floor(&self) -> Vec<f64> {
        let floor = |row| f64::from(log(at(&self.blocks(row), BLOCK_LEVELS[FLOOR])));
        self.rows().map(floor).collect()
    }

    /// Mean square of each block, ascending.
    fn blocks(&self, row: &[f32]) -> Vec<f32> {
        let (high, wide) = (BLOCK.min(self.height), BLOCK.min(self.width));
        let mut blocks = Vec::new();
        for top in (0..=self.height - high).step_by(high) {
            for left in (0..=self.width - wide).step_by(wide) {
                let lines =
                    (top..top + high).flat_map(|y| &row[(y * self.width + left) * 3..][..wide * 3]);
                blocks.push(lines.map(|v| v * v).sum::<f32>() / (high * wide * 3) as f32);
            }
        }
        blocks.sort_by(f32::total_cmp);
        blocks
    }
}

fn quantiles_of_colour(row: &[f32], colour: usize) -> [f32; LEVELS.len()] {
    let mut values: Vec<f32> = row[colour..].iter().step_by(3).map(|v| v.abs()).collect();
    values.sort_by(f32::total_cmp);
    LEVELS.map(|level| log(at(&values, level)))
}

/// The value at `level` in \[0, 1\] of ascending values, at least one.
fn at(sorted: &[f32], level: f64) -> f32 {
    sorted[(level * (sorted.len() - 1) as f64) as usize]
}

fn log(value: f32) -> f32 {
    value.max(LEAST).ln()
}

/// Mean and variance of each coefficient over the drop.
struct Moments {
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Moments {
    fn of(coefficients: &[f32], dim: usize) -> Self {
        let n = (coefficients.len() / dim).max(1) as f64;
        let (mut mean, mut square) = (vec![0f64; dim], vec![0f64; dim]);
        for row in coefficients.chunks_exact(dim) {
            for ((mean, square), &value) in mean.iter_mut().zip(&mut square).zip(row) {
                *mean += f64::from(value);
                *square += f64::from(value).powi(2);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= n);
        let variance = mean
            .iter()
            .zip(&square)
            .map(|(m, s)| (s / n - m * m).max(0.0));
        Self {
            variance: variance.collect(),
            mean,
        }
    }

    /// Coefficients, the least variant first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.variance.len()).collect();
        order.sort_by(|&a, &b| {
            self.variance[a]
                .total_cmp(&self.variance[b])
                .then(a.cmp(&b))
        });
        order
    }

    /// One over the deviation of each coefficient of `band`, zero for all others.
    fn scale(&self, band: Band) -> Vec<f32> {
        let limit = FAINT * self.variance.iter().sum::<f64>();
        let mut held = 0.0;
        let mut scale = vec![0.0; self.variance.len()];
        for at in self.order() {
            held += self.variance[at];
            if (held <= limit) == (band == Band::Faint) {
                scale[at] = (1.0 / (self.variance[at] + DEAD).sqrt()) as f32;
            }
        }
        scale
    }

    /// The `count` least variant coefficients that live.
    fn faintest(&self, count: usize) -> Vec<usize> {
        let lives = |&at: &usize| self.variance[at] > DEAD;
        self.order().into_iter().filter(lives).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    const SIZE: (usize, usize) = (16, 16);

    /// Slopes of brightness with a square on them; every fourth one under dense noise of 4 levels.
    fn pictures(n: usize) -> Vec<f32> {
        let rng = &mut crate::Seed(2).stream("grain", 0);
        let mut pixels = Vec::new();
        for row in 0..n {
            let mut draw = || -> f32 { StandardNormal.sample(rng) };
            let (slope, bright) = (draw() / 40.0, 0.5 + draw() / 10.0);
            for y in 0..16 {
                for x in 0..16 {
                    let square = if (4..10).contains(&x) && (4..10).contains(&y) {
                        0.2
                    } else {
                        0.0
                    };
                    for _ in 0..3 {
                        let noise = if row % 4 == 0 {
                            4.0 / 255.0
                        } else {
                            1.0 / 255.0
                        };
                        pixels.push(bright + slope * (x + y) as f32 + square + noise * draw());
                    }
                }
            }
        }
        pixels
    }

    #[test]
    fn dense_noise_lifts_the_floor_and_the_energy() {
        let grain = Grain::new(pictures(400), SIZE, Band::Faint);
        for values in [grain.floor(), grain.energies.clone()] {
            let least = (0..400)
                .step_by(4)
                .map(|i| values[i])
                .fold(f64::MAX, f64::min);
            let most = (0..400)
                .filter(|i| i % 4 != 0)
                .map(|i| values[i])
                .fold(f64::MIN, f64::max);
            assert!(least > most, "{least} {most}");
        }
        assert_eq!(
            grain.levels().dim,
            3 * LEVELS.len() + BLOCK_LEVELS.len() + 1
        );
    }

    #[test]
    fn the_two_bands_share_no_coefficient_and_leave_none_out() {
        let mut pixels = pictures(200);
        cosine::transform(&mut pixels, SIZE.0, SIZE.1);
        let moments = Moments::of(&pixels, 768);
        let (faint, visible) = (moments.scale(Band::Faint), moments.scale(Band::Visible));
        assert!(
            faint
                .iter()
                .zip(&visible)
                .all(|(f, v)| (*f > 0.0) != (*v > 0.0))
        );
    }
}
