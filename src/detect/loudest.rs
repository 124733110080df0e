//! The loud end of the rows, as far as one direction goes through all of it.
//!
//! Where few rows carry a weak pattern, they lie among the loudest natural ones, and self-training that asks for a gap from its
//! first round on drifts to those. What few rows share is a direction, though, and loud natural rows are loud in many. So a number
//! of rows is held until they have settled, by all features. Of 100 under NTGA in 10,000, 18 were among the 100 loudest, and 80 to
//! 90 among the 100 farthest of those that it ended on.

use super::View;
use super::discriminant::Profile;
use super::group::{Group, SAME};
use super::net;
use super::self_training::{highest, settled};
use crate::Result;

/// One in so many rows is held...
const HELD: usize = 50;
/// ...and no fewer than teach a network by their farthest half.
const LEAST: usize = 2 * net::LEAST;

/// The rows that this ends on from where each of the `loud` traces is largest.
pub(super) fn groups(profile: &Profile, loud: &[&View]) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for trace in loud {
        let rows = trace.scores.len();
        let count = (rows / HELD).max(LEAST).min(rows);
        let carries = settled(profile, highest(&trace.scores, count), count)?;
        groups.push(Group::new(profile.scores(&carries)?, carries));
    }
    Ok(Group::distinct(groups.into_iter(), SAME))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::folds::Folds;
    use super::super::linalg::Rows;
    use super::*;
    use crate::{Labels, Seed};
    use rand_distr::{Distribution, StandardNormal};

    const ROWS: usize = 4000;
    const DIM: usize = 20;

    fn carries(row: usize) -> bool {
        row % 40 == 7
    }

    /// Of the rows that score highest, as many as carry, how many do.
    fn right(scores: &[f64]) -> usize {
        let highest = highest(scores, ROWS / 40);
        (0..ROWS)
            .filter(|&row| carries(row) && highest[row] > 0.5)
            .count()
    }

    #[test]
    fn what_few_rows_share_is_found_among_rows_that_are_louder() {
        let rng = &mut Seed(8).stream("loudest", 0);
        let values = StandardNormal.sample_iter(rng);
        let mut values: Vec<f32> = values.take(ROWS * DIM).collect();
        for (row, values) in values.chunks_exact_mut(DIM).enumerate() {
            if carries(row) {
                values[0] += 3.0;
                values[1..9].iter_mut().for_each(|v| *v += 1.5);
            } else if row % 40 == 3 {
                // Louder, but each in a direction of its own.
                values[0] += 4.0;
                values[9 + row / 40 % 11] += if row % 80 == 3 { 6.0 } else { -6.0 };
            }
        }
        let rows = Rows { values, dim: DIM };
        let loud = View {
            name: "loud",
            scores: (0..ROWS).map(|row| f64::from(rows.row(row)[0])).collect(),
            null: Vec::new(),
        };
        assert!(right(&loud.scores) < 40, "{}", right(&loud.scores));
        let labels: Vec<u32> = (0..ROWS as u32).map(|row| row % 4).collect();
        let folds = Folds::draw(Labels::new(&labels, 4), Seed(0));
        let groups = groups(&Profile::new(&rows, &folds), &[&loud, &loud]).unwrap();
        assert_eq!(groups.len(), 1);
        let held = groups[0].sides().0;
        assert_eq!(held.len(), LEAST);
        let found = held.into_iter().filter(|row| carries(*row)).count();
        assert!(found >= 95, "{found}");
        let farthest = right(&groups[0].scores);
        assert!(farthest >= 65, "{farthest}");
    }
}
