//! The one place that multiplies matrices: a safe face on the `gemm` crate, whose entry point takes raw pointers.

/// A matrix inside a slice: element `(r, c)` is `data[r * row_stride + c * column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` x `columns`, row after row.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "matrix fills its slice");
        Self {
            data,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// The same numbers with rows and columns swapped.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `destination = left * right`, or `destination += left * right` when accumulating; `destination` is row after row.
/// Runs on the calling thread: callers spread whole images over threads instead, which keeps sums in one order.
///
/// # Panics
/// If the shapes do not fit: a defect in the caller.
pub(crate) fn matmul(
    destination: &mut [f32],
    left: Matrix<'_>,
    right: Matrix<'_>,
    accumulate: bool,
) {
    let (rows, depth, width) = (left.rows, left.columns, right.columns);
    assert_eq!(depth, right.rows, "inner sizes agree");
    assert_eq!(destination.len(), rows * width, "product fills its slice");
    // SAFETY: `Matrix` spans exactly its slice (checked in `new`, kept by `transposed`), the destination holds
    // rows * width numbers, and it is borrowed mutably and so overlaps neither operand.
    unsafe {
        gemm::gemm(
            rows,
            width,
            depth,
            destination.as_mut_ptr(),
            1,
            width as isize,
            accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(left: Matrix<'_>, right: Matrix<'_>) -> Vec<f32> {
        let at = |m: Matrix<'_>, r: usize, c: usize| {
            f64::from(m.data[r * m.row_stride + c * m.column_stride])
        };
        (0..left.rows)
            .flat_map(|r| (0..right.columns).map(move |c| (r, c)))
            .map(|(r, c)| {
                (0..left.columns)
                    .map(|k| at(left, r, k) * at(right, k, c))
                    .sum::<f64>() as f32
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_definition_in_all_orientations() {
        for (m, k, n) in [
            (1, 1, 1),
            (5, 7, 3),
            (64, 27, 16),
            (33, 130, 65),
            (2, 600, 1),
        ] {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.61).cos()).collect();
            let lefts = [Matrix::new(&a, m, k), Matrix::new(&a, k, m).transposed()];
            let rights = [Matrix::new(&b, k, n), Matrix::new(&b, n, k).transposed()];
            for left in lefts {
                for right in rights {
                    let expected = reference(left, right);
                    let mut actual = vec![f32::NAN; m * n];
                    matmul(&mut actual, left, right, false);
                    matmul(&mut actual, left, right, true);
                    for (a, e) in actual.iter().zip(&expected) {
                        assert!((a - 2.0 * e).abs() < 1e-4, "{m}x{k}x{n}: {a} {e}");
                    }
                }
            }
        }
    }
}
