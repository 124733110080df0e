//! Rows of two sources, neither of which is the louder one in a trace of a perturbation, as blurred ones among sharp.
//!
//! Where a trace is largest, most rows are of one group, and self-training may ask for a gap from its first round on. The main
//! directions in which rows differ hold a little more of the group at one of their ends, and no gap. So the number of rows is held
//! until they have settled. Honest drops hold two sources as well: only a link to the classes makes one of them poison.

use rayon::prelude::*;

use super::discriminant::Profile;
use super::group::Group;
use super::linalg::Rows;
use super::net;
use super::self_training::{highest, refine, settled};
use super::split::Gap;
use crate::mixture::Anchor;
use crate::{Labels, Result};

/// Main directions of the levels, from both of whose ends a search starts.
const DIRECTIONS: usize = 4;
/// Shares of the rows that it starts from, and holds at first.
const SHARES: [f64; 4] = [0.05, 0.1, 0.2, 0.4];
/// What may be the other source once the share is free. It need not be as far away as what a trace shows, where natural rows have a
/// slope.
const ANCHOR: Anchor = Anchor {
    gap: 3.0,
    ..Anchor::FAR
};
/// Between two sources. Of 5,000 clean rows of CIFAR-10, split in this way, a tenth of the rows and more was in doubt, but for groups
/// too small to teach a network; of 1,000 rows under a blur of the class among them 4 %, at 5 deviations.
const GAP: Gap = Gap {
    separation: 4.0,
    doubt: 0.05,
};

/// The surest group of rows that may be of another source; the last columns of `levels` are the main directions.
pub(super) fn apart(profile: &Profile, levels: &Rows, labels: Labels<'_>) -> Result<Option<Group>> {
    let columns = levels.dim.saturating_sub(DIRECTIONS)..levels.dim;
    let ends = columns.flat_map(|column| [(column, 1.0), (column, -1.0)]);
    let starts: Vec<_> = ends
        .flat_map(|end| SHARES.map(|share| (end, share)))
        .collect();
    let split = |((column, sign), share): ((usize, f64), f64)| {
        let scores = (0..levels.len()).map(|i| sign * f64::from(levels.row(i)[column]));
        let scores: Vec<f64> = scores.collect();
        let count = (share * scores.len() as f64) as usize;
        let carries = settled(profile, highest(&scores, count), count)?;
        refine(profile, carries, ANCHOR, labels)
    };
    let splits: Vec<_> = starts.into_par_iter().map(split).collect::<Result<_>>()?;
    let groups = splits
        .iter()
        .filter_map(|split| split.apart_by(&GAP, labels));
    let teaches = |group: &Group| {
        let (inside, outside) = group.sides();
        inside.len().min(outside.len()) >= net::LEAST
    };
    Ok(groups
        .filter(teaches)
        .min_by(|a, b| a.doubt.total_cmp(&b.doubt)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::View;
    use super::super::folds::Folds;
    use super::super::self_training::{Ends, Start};
    use super::*;
    use crate::Seed;
    use rand_distr::{Distribution, StandardNormal};

    const ROWS: usize = 2000;
    const DIM: usize = 30;
    const CLASSES: usize = 4;

    /// Normal rows, a fifth of them moved by so much in most features, two thirds of it in one main direction, and none in the
    /// others.
    fn rows(moved_by: f32) -> Rows {
        let rng = &mut Seed(6).stream("sources", 0);
        let values = StandardNormal.sample_iter(rng);
        let mut values: Vec<f32> = values.take(ROWS * DIM).collect();
        for row in (0..ROWS).filter(|&row| is_moved(row)) {
            let row = &mut values[row * DIM..][..DIM];
            row[..DIM - DIRECTIONS]
                .iter_mut()
                .for_each(|v| *v += moved_by);
            row[DIM - 2] += moved_by * 2.0 / 3.0;
        }
        Rows { values, dim: DIM }
    }

    fn is_moved(row: usize) -> bool {
        row / CLASSES % 5 == 2
    }

    fn labels() -> Vec<u32> {
        (0..ROWS).map(|row| (row % CLASSES) as u32).collect()
    }

    fn profile(rows: &Rows) -> Profile {
        Profile::new(rows, &Folds::draw(Labels::new(&labels(), CLASSES), Seed(0)))
    }

    fn found(rows: &Rows) -> Option<Group> {
        apart(&profile(rows), rows, Labels::new(&labels(), CLASSES)).unwrap()
    }

    #[test]
    fn what_is_thin_at_every_end_is_found_by_holding_its_share() {
        let rows = rows(1.2);
        let found = found(&rows).unwrap();
        let inside = |group: &Group, row: usize| group.members[row] > 0.5;
        let wrong = (0..ROWS).filter(|&row| inside(&found, row) != is_moved(row));
        assert!(wrong.count() < ROWS / 100);
        // Not by asking for a gap from the first round on.
        let trace = View {
            name: "trace",
            scores: (0..ROWS)
                .map(|row| f64::from(rows.row(row)[DIM - 2]))
                .collect(),
            null: Vec::new(),
        };
        let (profile, labels) = ([profile(&rows)], labels());
        let ends = Ends::find(
            &profile,
            &[&trace],
            Start::Most,
            Labels::new(&labels, CLASSES),
        )
        .unwrap();
        assert_eq!(ends.apart(), []);
    }

    #[test]
    fn rows_of_one_source_are_not_split() {
        let rows = rows(0.0);
        assert_eq!(found(&rows), None);
    }
}
