//! The dense linear algebra of the evidence views: `faer` inside, fixed work units outside, so that results do not
//! depend on the number of threads.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::{Error, Result};

/// Rows of one work unit: large enough for a matrix product to run at full speed.
pub(super) const CHUNK: usize = 512;

/// `n` rows of `dim` values, row-major.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) values: Vec<f32>,
    pub(super) dim: usize,
}

impl Rows {
    /// Of rows of equal length.
    pub(super) fn from_rows(rows: Vec<Vec<f32>>) -> Self {
        Self {
            dim: rows.first().map_or(1, Vec::len),
            values: rows.concat(),
        }
    }

    /// One value a row.
    pub(super) fn column(values: &[f64]) -> Self {
        let values = values.iter().map(|&v| v as f32).collect();
        Self { values, dim: 1 }
    }

    /// As many that say nothing.
    pub(super) fn blank(mut self) -> Self {
        self.values.fill(0.0);
        self
    }

    /// These with one more value a row.
    pub(super) fn with_column(&self, column: &[f32]) -> Self {
        let rows = (0..self.len()).zip(column);
        let values = rows
            .flat_map(|(i, v)| self.row(i).iter().chain([v]))
            .copied();
        Self {
            values: values.collect(),
            dim: self.dim + 1,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The rows with numbers `index`, in that order.
    pub(super) fn select(&self, index: &[usize]) -> Self {
        let values = index.iter().flat_map(|&i| self.row(i)).copied().collect();
        Self {
            values,
            dim: self.dim,
        }
    }

    /// `X^T W X` of some rows with weights `W`, at least 0: dim x dim.
    pub(super) fn weighted_gram(
        &self,
        rows: Range<usize>,
        weight: impl Fn(usize) -> f64,
    ) -> Mat<f32> {
        let scaled = rows.flat_map(|at| {
            let root = weight(at).sqrt() as f32;
            self.row(at).iter().map(move |v| v * root)
        });
        let values = scaled.collect();
        let dim = self.dim;
        Self { values, dim }.all().gram()
    }

    /// Centred, turned to the rows' principal directions and scaled to unit variance there, `floor` added to each variance
    /// in units of the features' own.
    pub(super) fn sphered(mut self, floor: f64) -> Result<Self> {
        let (n, dim) = (self.len().max(1) as f64, self.dim);
        let (mut mean, mut square) = (vec![0f64; dim], vec![0f64; dim]);
        for row in self.values.chunks_exact(dim) {
            for ((m, s), v) in mean.iter_mut().zip(&mut square).zip(row) {
                *m += f64::from(*v);
                *s += f64::from(*v).powi(2);
            }
        }
        let scale: Vec<(f64, f64)> = mean
            .iter()
            .zip(&square)
            .map(|(m, s)| (m / n, 1.0 / (s / n - (m / n).powi(2)).max(1e-12).sqrt()))
            .collect();
        for row in self.values.chunks_exact_mut(dim) {
            for (v, (m, s)) in row.iter_mut().zip(&scale) {
                *v = ((f64::from(*v) - m) * s) as f32;
            }
        }
        let gram = self.all().gram();
        let (values, vectors) = eigen(&Mat::from_fn(dim, dim, |i, j| f64::from(gram[(i, j)]) / n))?;
        let turn = Mat::from_fn(dim, dim, |i, j| {
            (vectors[(i, j)] / (values[j] + floor).sqrt()) as f32
        });
        Ok(self.times(turn.as_ref()))
    }

    /// All rows.
    pub(super) fn all(&self) -> Slab<'_> {
        self.slab(0..self.len())
    }

    /// Some rows that lie together.
    pub(super) fn slab(&self, rows: Range<usize>) -> Slab<'_> {
        Slab {
            values: &self.values[rows.start * self.dim..rows.end * self.dim],
            dim: self.dim,
        }
    }

    /// `X M`: each row times `matrix` (dim x k).
    pub(super) fn times(&self, matrix: MatRef<'_, f32>) -> Self {
        let (dim, k) = (self.dim, matrix.ncols());
        let mut values = vec![0f32; self.len() * k];
        values
            .par_chunks_mut(CHUNK * k)
            .zip(self.values.par_chunks(CHUNK * dim))
            .for_each(|(out, values)| Slab { values, dim }.times_into(matrix, out));
        Self { values, dim: k }
    }
}

/// Rows of a matrix that lie together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slab<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Slab<'a> {
    pub(super) fn as_mat(self) -> MatRef<'a, f32> {
        MatRef::from_row_major_slice(self.values, self.values.len() / self.dim, self.dim)
    }

    /// `X^T X`, dim x dim.
    pub(super) fn gram(self) -> Mat<f32> {
        let mut gram = Mat::zeros(self.dim, self.dim);
        self.add_gram(&mut gram);
        for j in 0..self.dim {
            for i in 0..j {
                gram[(i, j)] = gram[(j, i)];
            }
        }
        gram
    }

    /// Adds the lower half of `X^T X` to `gram`. One work unit an output tile, each summed over all rows in order.
    pub(super) fn add_gram(self, gram: &mut Mat<f32>) {
        let x = self.as_mat();
        let tile = CHUNK.min(self.dim);
        gram.as_mut()
            .par_col_chunks_mut(tile)
            .enumerate()
            .for_each(|(j, columns)| {
                let (first, below) = (j * tile, self.dim - j * tile);
                let right = x.subcols(first, columns.ncols());
                let left = x.subcols(first, below).transpose();
                let out = columns.subrows_mut(first, below);
                matmul(out, Accum::Add, left, right, 1.0, Par::Seq);
            });
    }

    /// Writes `X M`, row-major.
    pub(super) fn times_into(self, matrix: MatRef<'_, f32>, out: &mut [f32]) {
        let x = self.as_mat();
        let out = MatMut::from_row_major_slice_mut(out, x.nrows(), matrix.ncols());
        matmul(out, Accum::Replace, x, matrix, 1.0, Par::Seq);
    }

    /// `X^T T` for targets `T` (n x k): dim x k.
    pub(super) fn transpose_times(self, targets: MatRef<'_, f32>) -> Mat<f32> {
        let mut product = Mat::zeros(self.dim, targets.ncols());
        let x = self.as_mat().transpose();
        matmul(product.as_mut(), Accum::Replace, x, targets, 1.0, Par::Seq);
        product
    }
}

/// Eigenvalues (ascending, clamped at zero) and eigenvectors (columns) of a symmetric matrix, in double precision: the
/// least-variant directions of pictures lie seven orders of magnitude below the first.
pub(super) fn eigen(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    faer::set_global_parallelism(Par::Seq);
    let eigen = matrix
        .self_adjoint_eigen(Side::Lower)
        .map_err(|problem| Error::Numeric {
            stage: "eigenvectors",
            problem: format!("{problem:?}"),
        })?;
    let values = eigen.S().column_vector().iter().map(|v| v.max(0.0));
    Ok((values.collect(), eigen.U().to_owned()))
}

/// A factored symmetric positive definite matrix.
pub(super) struct Factor(Llt<f32>);

impl Factor {
    pub(super) fn new(matrix: &Mat<f32>) -> Result<Self> {
        faer::set_global_parallelism(Par::Seq);
        let factor = matrix.llt(Side::Lower).map_err(|problem| Error::Numeric {
            stage: "ridge regression",
            problem: format!("the normal matrix is not positive definite: {problem:?}"),
        })?;
        Ok(Self(factor))
    }

    pub(super) fn solve(&self, right: &Mat<f32>) -> Mat<f32> {
        self.0.solve(right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows(n: usize, dim: usize) -> Rows {
        let values = (0..n * dim)
            .map(|i| ((i * 37 % 101) as f32).sin())
            .collect();
        Rows { values, dim }
    }

    #[test]
    fn products_match_their_definitions() {
        let x = rows(1100, 3);
        let gram = x.all().gram();
        let direct: f32 = (0..1100).map(|i| x.row(i)[0] * x.row(i)[2]).sum();
        assert!(
            (gram[(0, 2)] - direct).abs() < 1e-2,
            "{} {direct}",
            gram[(0, 2)]
        );
        let twice = x.times((Mat::<f32>::identity(3, 3) * faer::Scale(2.0)).as_ref());
        assert_eq!(twice.row(1050)[1], 2.0 * x.row(1050)[1]);
    }

    #[test]
    fn one_and_two_threads_give_the_same_bits() {
        let x = rows(1300, 640);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let mut gram = x.all().gram();
                let coordinates = x.times(gram.as_ref());
                for i in 0..640 {
                    gram[(i, i)] += 1e4;
                }
                let solved = Factor::new(&gram).unwrap().solve(&gram);
                (coordinates.values, solved)
            })
        };
        let (one, two) = (run(1), run(2));
        assert!(one.0 == two.0 && one.1 == two.1);
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_an_error() {
        let matrix = Mat::<f32>::identity(3, 3) * faer::Scale(-1.0);
        assert!(matches!(Factor::new(&matrix), Err(Error::Numeric { .. })));
    }
}
