//! The labels of rows, with how many classes there are.

use std::ops::Deref;

/// The label of each row, below [`Labels::classes`]: a slice that knows its bound, since a class may have no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels<'a> {
    of_rows: &'a [u32],
    /// How many classes there are, those without rows included.
    pub classes: usize,
}

impl<'a> Labels<'a> {
    /// The labels `of_rows`, each below `classes`.
    pub fn new(of_rows: &'a [u32], classes: usize) -> Self {
        Self { of_rows, classes }
    }

    /// How many rows are of each class.
    pub fn counts(self) -> Vec<usize> {
        self.counts_of(0..self.len())
    }

    /// How many of the `rows` are of each class.
    pub fn counts_of(self, rows: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        let rows = rows.into_iter();
        rows.for_each(|row| counts[self.of_rows[row] as usize] += 1);
        counts
    }
}

impl Deref for Labels<'_> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.of_rows
    }
}

impl<'a> IntoIterator for Labels<'a> {
    type Item = &'a u32;
    type IntoIter = std::slice::Iter<'a, u32>;

    fn into_iter(self) -> Self::IntoIter {
        self.of_rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_rows_is_counted_as_well() {
        let labels = Labels::new(&[2, 0, 2], 4);
        assert_eq!(labels.counts(), [1, 0, 2, 0]);
        assert_eq!(labels.counts_of([0, 1]), [1, 0, 1, 0]);
    }
}
