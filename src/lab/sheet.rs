//! Picture sheets of what is done to some rows: three pictures of each, such as clean, poisoned and the difference.

use image::Rgb;

use crate::Result;
use crate::report::panels::{Strip, amplified, draw, panel};

/// Strips in a column.
const ROWS: usize = 10;
const RED: Rgb<u8> = Rgb([200, 30, 30]);

/// The rows that a sheet shows of labelled ones: each class in turn, as many of each as there is room for.
pub(super) fn rows_to_show(labels: &[u32]) -> Vec<usize> {
    let mut seen = std::collections::BTreeMap::new();
    let mut ranked: Vec<(usize, u32, usize)> = labels
        .iter()
        .enumerate()
        .map(|(row, &label)| {
            let rank = seen.entry(label).or_insert(0);
            *rank += 1;
            (*rank, label, row)
        })
        .collect();
    ranked.sort_unstable();
    ranked.truncate(2 * ROWS);
    ranked.into_iter().map(|(_, _, row)| row).collect()
}

/// What was added to a `clean` picture, magnified.
pub(super) fn difference(clean: &[u8], poisoned: &[u8]) -> Vec<u8> {
    let levels = clean.iter().zip(poisoned);
    let change = levels.map(|(&old, &new)| (f32::from(new) - f32::from(old)) / 255.0);
    amplified(&change.collect::<Vec<_>>())
}

/// The bytes of the sheet, a PNG, of pictures of `size`, three of each row.
pub(super) fn render(rows: &[[Vec<u8>; 3]], size: (usize, usize)) -> Result<Vec<u8>> {
    let strip = |pictures: &[Vec<u8>; 3]| Strip {
        colour: RED,
        panels: pictures.iter().map(|rgb| panel(size, rgb)).collect(),
    };
    let strips: Vec<Strip> = rows.iter().map(strip).collect();
    let (left, right) = strips.split_at(strips.len().min(ROWS));
    draw([left, right], size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_shown_before_any_is_shown_twice() {
        assert_eq!(rows_to_show(&[1, 1, 0, 1, 0]), [2, 0, 4, 1, 3]);
        assert_eq!(rows_to_show(&[0; 50]).len(), 2 * ROWS);
    }
}
