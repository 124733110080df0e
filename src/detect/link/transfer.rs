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

/// What rows under noise of the class teach about them, on one level with the others, says less than this share as much about other
/// rows. Of rows of CIFAR-10 under REM it was 0.35 to 0.49; of clean ones beside others that were noisy, blurred, enlarged, grey or
/// of 16 levels 0.68 to 1.0, beside JPEG of quality 10 it was 0.46.
const TRANSFERS: f64 = 0.5;
/// Fewer rows than this teach a network too little to compare with: of 100 rows, it finds next to nothing in what is large.
const LEAST_TO_COMPARE: usize = 400;

impl Ties<'_> {
    /// Whether what `rows` teach a network about each other is no help with the `others`, although they teach it no less than as many
    /// of those do, and what is large in them does help: what makes data unlearnable. Pictures of another camera show the same
    /// things, as far as they have caught them: so both are asked on one level ([`Grain::level`]).
    /// `faint` is what the rows teach all together. Only classes that they have are asked about.
    pub(super) fn mislead(
        &self,
        rows: &[usize],
        faint: &[f64],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let others = &self.of_their_classes(rows, others)[..];
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
        let level = self.grain.level(rows, others);
        let (here, there) = self.lessons(&level, rows, others, observer)?;
        if !mean_is_times(&here, &there, TRANSFERS.recip()) {
            return Ok(false);
        }
        let (here, there) = self.lessons(self.eye.steady, rows, others, observer)?;
        Ok(is_positive(&here) && mean_is_times(&there, &here, TRANSFERS))
    }

    /// Those of the `others` whose classes `rows` teach: of another class they say nothing.
    fn of_their_classes(&self, rows: &[usize], others: &[usize]) -> Vec<usize> {
        let taught = self.by_class(rows.iter().copied());
        let knows = |row: &usize| taught[self.labels[*row] as usize] >= group::LEAST;
        others.iter().copied().filter(knows).collect()
    }

    /// What a network that learns from `rows` in `grain` finds of the labels of others of them, and of those of the `others`.
    fn lessons(
        &self,
        grain: &Grain<'_>,
        rows: &[usize],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut teaches = vec![false; self.labels.len()];
        rows.iter().for_each(|&row| teaches[row] = true);
        let view = net::taught(
            grain,
            self.labels,
            |row| teaches[row],
            self.folds,
            self.seed,
            observer,
        )?;
        Ok((view.standard(rows), view.standard(others)))
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
        assert!(
            !found(Stripes::Blurred, mislead),
            "the rest has lost most of it"
        );
    }

    #[test]
    fn rows_are_asked_about_their_own_classes_alone() {
        let asks_of_one = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            let is_first = |row: &usize| ties.labels[*row] == 0;
            let of_first: Vec<usize> = rows.iter().copied().filter(is_first).collect();
            let asked = ties.of_their_classes(&of_first, others);
            Ok(
                asked.len() == others.iter().filter(|row| is_first(row)).count()
                    && asked.iter().all(is_first),
            )
        };
        assert!(found(Stripes::OfClass, asks_of_one));
    }
}
