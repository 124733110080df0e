//! Is what rows teach of any help with others? Coarse perturbations, as of robust error-minimising noise, lie in the faint band and
//! in the visible one, so neither tells the class better; but what they teach is true of nothing else.

use super::super::grain::Grain;
use super::super::group;
use super::super::net;
use super::Ties;
use super::compare::{is_positive, mean_is_times};
use crate::Result;
use crate::observe::Observer;
use crate::stats::moments;

/// What rows under noise of the class teach about them says less than this share as much about other rows. Of 2,000 rows of CIFAR-10 under REM
/// it was 0.22 to 0.27; of as many clean ones that were blurred, compressed, sharpened, made smaller or noisy 0.63 to 0.87.
const TRANSFERS: f64 = 0.5;
/// Fewer rows than this teach a network too little to compare with: of 100 rows, it finds next to nothing in what is large.
const LEAST_TO_COMPARE: usize = 400;

impl Ties<'_> {
    /// Whether what `rows` teach a network about each other is no help with the `others`, although they teach it no less than as many
    /// of those do, and what is large in them does help: what makes data unlearnable. Pictures of another camera show the same
    /// things. Coarse perturbations, as of robust error-minimising noise, lie in both bands, which [`Ties::taught`] compares.
    /// `faint` is what the rows teach all together.
    pub(super) fn mislead(
        &self,
        rows: &[usize],
        faint: &[f64],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let count = rows.len().min(others.len());
        if count < LEAST_TO_COMPARE {
            return Ok(false);
        }
        let as_many = |of: &[usize]| self.evidence(self.grain, &spread(of, count), observer);
        let usual = as_many(others)?;
        let own = match count < rows.len() {
            true => moments(&as_many(rows)?).0,
            false => moments(faint).0,
        };
        if own < moments(&usual).0 {
            return Ok(false);
        }
        let (here, there) = self.lessons(self.grain, rows, others, observer)?;
        if !mean_is_times(&here, &there, TRANSFERS.recip()) {
            return Ok(false);
        }
        let (here, there) = self.lessons(self.eye.steady, rows, others, observer)?;
        Ok(is_positive(&here) && mean_is_times(&there, &here, TRANSFERS))
    }

    /// What a network that learns from `rows` in `grain` finds of the labels of others of them, and of those among the `others` whose
    /// classes it was taught.
    fn lessons(
        &self,
        grain: &Grain<'_>,
        rows: &[usize],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (labels, classes) = (self.labels, self.folds.classes);
        let (mut teaches, mut taught) = (vec![false; labels.len()], vec![0; classes]);
        for &row in rows {
            teaches[row] = true;
            taught[labels[row] as usize] += 1;
        }
        let view = net::taught(
            grain,
            labels,
            |row| teaches[row],
            self.folds,
            self.seed,
            observer,
        )?;
        let knows = |row: &&usize| taught[labels[**row] as usize] >= group::LEAST;
        let others: Vec<usize> = others.iter().filter(knows).copied().collect();
        Ok((view.standard(rows), view.standard(&others)))
    }
}

/// `count` of the `rows`, evenly.
fn spread(rows: &[usize], count: usize) -> Vec<usize> {
    (0..count)
        .map(|k| rows[k * rows.len() / count.max(1)])
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::{Stripes, found};
    use super::*;
    use crate::observe::Silent;

    #[test]
    fn rows_mislead_that_teach_what_the_rest_does_not_have() {
        let mislead = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            let faint = ties.faint(rows, &Silent)?.unwrap_or_default();
            ties.mislead(rows, &faint, others, &Silent)
        };
        assert!(found(Stripes::OfClass, mislead));
        assert!(!found(Stripes::Drawn, mislead));
        assert!(!found(Stripes::Everywhere, mislead), "the rest has it too");
        assert!(!found(Stripes::OfAnotherSource, mislead), "other things");
    }
}
