//! Views `energy` and `floor`, and the levels of each row: how much noise lies under the structure?
//!
//! - Looks at: quantiles of the grain ([`Grain`]) of each colour, of the energies of its blocks, and the energy of the
//!   least variant coefficients.
//! - Catches: dense noise (EM, REM, TAP, SEP, NTGA), by rows, whatever the label.
//! - Misses: patterns in few pixels. Other cameras and encoders are louder or quieter too: no proof of poison by itself.
//! - Source: measured here.

use super::grain::Grain;
use super::linalg::Rows;

/// Quantiles of the absolute values of each colour.
const LEVELS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Side of the blocks whose energies are compared, pixels; smaller pictures are one block.
const BLOCK: usize = 4;
/// Quantiles of the energies of the blocks.
const BLOCK_LEVELS: [f64; 4] = [0.0, 0.1, 0.25, 0.5];
/// Place of the noise floor, the energy of the quiet blocks, among the levels.
const FLOOR: usize = 3 * LEVELS.len() + 1;
/// Least value that has a logarithm here.
const LEAST: f32 = 1e-12;

/// Levels of a row, logarithms: quantiles of each colour, of the blocks' energies, and the energy.
pub(super) fn levels(picture: &[f32], energy: f32, (height, width): (usize, usize)) -> Vec<f32> {
    let blocks = blocks(picture, (height, width));
    let mut levels = Vec::with_capacity(FLOOR + BLOCK_LEVELS.len());
    levels.extend((0..3).flat_map(|colour| quantiles_of_colour(picture, colour)));
    levels.extend(BLOCK_LEVELS.map(|level| log(at(&blocks, level))));
    levels.push(log(energy));
    levels
}

/// The noise floor of each row.
pub(super) fn floor(levels: &Rows) -> Vec<f64> {
    (0..levels.len())
        .map(|i| f64::from(levels.row(i)[FLOOR]))
        .collect()
}

/// The energy of each row's least variant coefficients.
pub(super) fn energy(levels: &Rows) -> Vec<f64> {
    let last = levels.dim - 1;
    (0..levels.len())
        .map(|i| f64::from(levels.row(i)[last]))
        .collect()
}

/// Mean square of each block, ascending.
fn blocks(picture: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let (high, wide) = (BLOCK.min(height), BLOCK.min(width));
    let mut blocks = Vec::new();
    for top in (0..=height - high).step_by(high) {
        for left in (0..=width - wide).step_by(wide) {
            let lines =
                (top..top + high).flat_map(|y| &picture[(y * width + left) * 3..][..wide * 3]);
            blocks.push(lines.map(|v| v * v).sum::<f32>() / (high * wide * 3) as f32);
        }
    }
    blocks.sort_by(f32::total_cmp);
    blocks
}

fn quantiles_of_colour(picture: &[f32], colour: usize) -> [f32; LEVELS.len()] {
    let mut values: Vec<f32> = picture[colour..]
        .iter()
        .step_by(3)
        .map(|v| v.abs())
        .collect();
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

/// The levels of all rows.
pub(super) fn all(grain: &Grain<'_>) -> Rows {
    let size = grain.size();
    Rows::from_rows(grain.map(|picture, energy| levels(picture, energy, size)))
}

#[cfg(test)]
mod tests {
    use super::super::coefficients::Coefficients;
    use super::super::lens::Band;
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    const SIZE: (usize, usize) = (16, 16);
    const DIM: usize = 768;

    /// Slopes of brightness with a square on them; every fourth one under dense noise of 4 levels.
    fn pictures(n: usize) -> Vec<f32> {
        let rng = &mut crate::Seed(2).stream("grain", 0);
        let mut pixels = Vec::new();
        for row in 0..n {
            let mut draw = || -> f32 { StandardNormal.sample(rng) };
            let (slope, bright) = (draw() / 40.0, 0.5 + draw() / 10.0);
            let noise = if row % 4 == 0 { 4.0 } else { 1.0 } / 255.0;
            for at in 0..256 {
                let (y, x) = (at / 16, at % 16);
                let square = f32::from((4..10).contains(&x) && (4..10).contains(&y));
                let value = bright + slope * (x + y) as f32 + 0.2 * square;
                pixels.extend([(); 3].map(|()| value + noise * draw()));
            }
        }
        pixels
    }

    #[test]
    fn dense_noise_lifts_the_floor_and_the_energy() {
        let pixels = pictures(400);
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(400, SIZE, &read);
        let levels = all(&Grain::new(&coefficients, Band::Faint));
        assert_eq!(levels.dim, 3 * LEVELS.len() + BLOCK_LEVELS.len() + 1);
        for values in [floor(&levels), energy(&levels)] {
            let noisy = (0..400).step_by(4).map(|i| values[i]);
            let quiet = (0..400).filter(|i| i % 4 != 0).map(|i| values[i]);
            let (least, most) = (
                noisy.fold(f64::MAX, f64::min),
                quiet.fold(f64::MIN, f64::max),
            );
            assert!(least > most, "{least} {most}");
        }
    }
}
