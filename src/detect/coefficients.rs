//! Cosine coefficients of all rows about their mean, one row or chunk at a time: of a large drop, the pixels fit in
//! memory, but not several copies of them as real numbers.

use rayon::prelude::*;

use super::cosine::Cosine;
use super::linalg::{CHUNK, Rows};

/// Variance below which a coefficient or a direction is dead (a constant border, a grey picture): well under that of 8-bit
/// rounding, (1/255)^2 / 12 = 1.3e-6, in [0,1] pixel units.
pub(super) const DEAD: f64 = 1e-6;

/// Reads row `i` as `[height, width, 3]` real numbers.
type Read<'a> = dyn Fn(usize, &mut [f32]) + Sync + 'a;

/// The coefficients of `count` rows.
pub(super) struct Coefficients<'a> {
    count: usize,
    cosine: Cosine,
    read: &'a Read<'a>,
    mean: Vec<f32>,
    /// Variance of each coefficient over the drop.
    pub(super) variance: Vec<f64>,
}

impl<'a> Coefficients<'a> {
    /// Of `count` rows of `size`, height and width, that `read` gives.
    pub(super) fn of(count: usize, size: (usize, usize), read: &'a Read<'a>) -> Self {
        let dim = size.0 * size.1 * 3;
        let mut coefficients = Self {
            count,
            cosine: Cosine::new(size),
            read,
            mean: vec![0.0; dim],
            variance: vec![0.0; dim],
        };
        let all = coefficients.moments(&coefficients.all(), |_| ());
        let n = count.max(1) as f64;
        coefficients.mean = all.sum.iter().map(|sum| (sum / n) as f32).collect();
        let variance = |(sum, square): (&f64, &f64)| (square / n - (sum / n).powi(2)).max(0.0);
        coefficients.variance = all.sum.iter().zip(&all.square).map(variance).collect();
        coefficients
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Coefficients of a row.
    pub(super) fn dim(&self) -> usize {
        self.variance.len()
    }

    pub(super) fn cosine(&self) -> &Cosine {
        &self.cosine
    }

    /// Writes the centred coefficients of row `i`.
    pub(super) fn write(&self, i: usize, out: &mut [f32]) {
        (self.read)(i, out);
        self.cosine.transform(out);
        out.iter_mut().zip(&self.mean).for_each(|(v, m)| *v -= m);
    }

    /// The centred coefficients of some rows.
    pub(super) fn rows(&self, index: &[usize]) -> Rows {
        let dim = self.dim();
        let mut values = vec![0f32; index.len() * dim];
        values
            .par_chunks_exact_mut(dim)
            .zip(index)
            .for_each(|(out, &i)| self.write(i, out));
        Rows { values, dim }
    }

    /// The numbers of all rows.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.count).collect()
    }

    /// Mean squares over some rows of what `change` makes of their coefficients.
    pub(super) fn mean_squares(
        &self,
        rows: &[usize],
        change: impl Fn(&mut [f32]) + Sync,
    ) -> Vec<f64> {
        let n = rows.len().max(1) as f64;
        let squares = self.moments(rows, change).square.into_iter();
        squares.map(|square| square / n).collect()
    }

    /// Sums over some rows of what `change` makes of their coefficients.
    fn moments(&self, rows: &[usize], change: impl Fn(&mut [f32]) + Sync) -> Moments {
        let of_chunk = |rows: &[usize]| {
            let mut moments = Moments::new(self.dim());
            let mut row = vec![0f32; self.dim()];
            for &i in rows {
                self.write(i, &mut row);
                change(&mut row);
                moments.note(&row);
            }
            moments
        };
        let chunks: Vec<Moments> = rows.par_chunks(CHUNK).map(of_chunk).collect();
        // Chunk by chunk in order, so that the sum does not depend on the number of threads.
        let mut all = Moments::new(self.dim());
        chunks.iter().for_each(|chunk| all.add(chunk));
        all
    }
}

/// Sums over rows.
struct Moments {
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Moments {
    fn new(dim: usize) -> Self {
        Self {
            sum: vec![0.0; dim],
            square: vec![0.0; dim],
        }
    }

    fn note(&mut self, row: &[f32]) {
        let sums = self.sum.iter_mut().zip(&mut self.square);
        for ((sum, square), &value) in sums.zip(row) {
            *sum += f64::from(value);
            *square += f64::from(value).powi(2);
        }
    }

    fn add(&mut self, other: &Self) {
        self.sum
            .iter_mut()
            .zip(&other.sum)
            .for_each(|(a, b)| *a += b);
        let squares = self.square.iter_mut().zip(&other.square);
        squares.for_each(|(a, b)| *a += b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_centred_and_their_variance_is_theirs() {
        let read = |i: usize, out: &mut [f32]| {
            let values = (0..48).map(|k| ((i * 48 + k) as f32 * 0.7).sin());
            out.iter_mut().zip(values).for_each(|(out, v)| *out = v);
        };
        let n = 1500;
        let coefficients = Coefficients::of(n, (4, 4), &read);
        let rows = coefficients.rows(&(0..n).collect::<Vec<_>>());
        for k in [0, 7, 47] {
            let column = (0..n).map(|i| f64::from(rows.row(i)[k]));
            let mean = column.clone().sum::<f64>() / n as f64;
            let variance = column.map(|v| v * v).sum::<f64>() / n as f64;
            assert!(mean.abs() < 1e-5, "{mean}");
            assert!((variance - coefficients.variance[k]).abs() < 1e-5);
        }
    }
}
