//! Is what rows teach of any help with others? Coarse perturbations, as of robust error-minimising noise, lie in the faint band and
//! in the visible one, so neither tells the class better; but what they teach is true of nothing else.

use super::super::View;
use super::super::colours::{self, Colours};
use super::super::compare::{is_positive, mean_is_times};
use super::super::grain::Grain;
use super::super::group;
use super::Ties;
use crate::Result;
use crate::stats::moments;

/// What rows under noise of the class teach about them, on one level with the others, says less than this share as much about other
/// rows. Of rows of CIFAR-10 under REM it was 0.35 to 0.49; of clean ones beside others that were noisy, blurred, enlarged, grey or
/// of 16 levels 0.68 to 1.0, beside JPEG of quality 10 it was 0.46.
const TRANSFERS: f64 = 0.5;
/// It is no help either if it says less than this share about others, and less than this about the same rows in exchanged colours
/// ([`super::super::colours`]).
const BOUND: f64 = 2.0 / 3.0;
/// Fewer rows than this teach a network too little to compare with: of 100 rows, it finds next to nothing in what is large.
const LEAST_TO_COMPARE: usize = 400;

impl Ties<'_> {
    /// Whether what `rows` teach a network about each other is no help with the `others`, although they teach it no less than as many
    /// of those do, and what is large in them does help: what makes data unlearnable. Pictures of another camera show the same
    /// things, as far as they have caught them: so both are asked on one level ([`Grain::level`]).
    /// `faint` is what the rows teach all together. Only classes that they have are asked about.
    pub(super) fn mislead(&self, rows: &[usize], faint: &[f64], others: &[usize]) -> Result<bool> {
        let Some(others) = &self.to_compare(rows, others) else {
            return Ok(false);
        };
        let count = rows.len().min(others.len());
        let as_many = |of: &[usize]| self.evidence(self.grain, &spread(of, count));
        let usual = as_many(others)?;
        let own = match count < rows.len() {
            true => moments(&as_many(rows)?).0,
            false => moments(faint).0,
        };
        if own < moments(&usual).0 {
            return Ok(false);
        }
        let level = self.grain.level(rows, others);
        let [own, exchanged] = self.lessons(&level, Colours::BOTH, rows)?;
        let faint = Lessons {
            here: own.standard(rows),
            there: own.standard(others),
            exchanged: exchanged.standard(rows),
        };
        if !faint.are_no_help() {
            return Ok(false);
        }
        let [here, there] = self.here_and_there(self.eye.steady, rows, others)?;
        Ok(is_positive(&here) && mean_is_times(&there, &here, TRANSFERS))
    }

    /// Whether what is visible in `rows` teaches less than [`TRANSFERS`] as much about the `others` as about rows like these: crops of
    /// some photographs say little about crops of others, in what is faint or in anything else. Rows under a perturbation still show
    /// what their class shows.
    pub(super) fn show_other_things(&self, rows: &[usize], others: &[usize]) -> Result<bool> {
        let Some(others) = &self.to_compare(rows, others) else {
            return Ok(false);
        };
        let [here, there] = self.here_and_there(self.eye.grain, rows, others)?;
        Ok(mean_is_times(&here, &there, TRANSFERS.recip()))
    }

    /// Those of the `others` that what `rows` teach can be compared on; `None` if either are too few.
    fn to_compare(&self, rows: &[usize], others: &[usize]) -> Option<Vec<usize>> {
        let others = self.of_their_classes(rows, others);
        (rows.len().min(others.len()) >= LEAST_TO_COMPARE).then_some(others)
    }

    /// Those of the `others` whose classes `rows` teach: of another class they say nothing.
    fn of_their_classes(&self, rows: &[usize], others: &[usize]) -> Vec<usize> {
        let taught = group::by_class(rows, self.inquiry.labels);
        let knows = |row: &usize| taught[self.inquiry.labels[*row] as usize].0 >= group::LEAST;
        others.iter().copied().filter(knows).collect()
    }

    /// What `rows` teach in `grain` about rows like them, and about the `others`.
    fn here_and_there(
        &self,
        grain: &Grain<'_>,
        rows: &[usize],
        others: &[usize],
    ) -> Result<[Vec<f64>; 2]> {
        let [lessons] = self.lessons(grain, [Colours::Own], rows)?;
        Ok([rows, others].map(|rows| lessons.standard(rows)))
    }

    /// What a network that learns from `rows` in `grain` finds of the labels of others of them, and of all other rows, shown in each of
    /// the `colours`.
    fn lessons<const N: usize>(
        &self,
        grain: &Grain<'_>,
        colours: [Colours; N],
        rows: &[usize],
    ) -> Result<[View; N]> {
        let mut teaches = vec![false; self.inquiry.labels.len()];
        rows.iter().for_each(|&row| teaches[row] = true);
        let learner = self.inquiry.learner(grain);
        learner.shown_in(colours, |row| teaches[row])
    }
}

/// What rows teach, as evidence about labels, in deviations under wrong ones.
struct Lessons {
    /// About rows like them.
    here: Vec<f64>,
    /// About others.
    there: Vec<f64>,
    /// About rows like them in exchanged colours.
    exchanged: Vec<f64>,
}

impl Lessons {
    /// Whether they are no help with others.
    fn are_no_help(&self) -> bool {
        let is_beyond = |share: f64| mean_is_times(&self.here, &self.there, share.recip());
        is_beyond(TRANSFERS)
            || is_beyond(BOUND) && colours::are_bound(&self.here, &self.exchanged, BOUND)
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

    #[test]
    fn rows_mislead_that_teach_what_the_rest_does_not_have() {
        let mislead = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            let faint = ties.faint(rows)?.unwrap_or_default();
            ties.mislead(rows, &faint, others)
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
    fn rows_of_another_source_show_other_things() {
        let show = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            ties.show_other_things(rows, others)
        };
        assert!(found(Stripes::OfAnotherSource, show));
        assert!(!found(Stripes::OfClass, show), "the same things");
        assert!(!found(Stripes::Alone, show), "nothing");
    }

    #[test]
    fn what_helps_a_little_misleads_if_it_is_bound_to_its_colours() {
        let told =
            |mean: f64| -> Vec<f64> { (0..900).map(|i| mean + f64::from(i % 3) - 1.0).collect() };
        let are_no_help = |there, exchanged| {
            let lessons = Lessons {
                here: told(1.7),
                there: told(there),
                exchanged: told(exchanged),
            };
            lessons.are_no_help()
        };
        assert!(are_no_help(0.6, 1.5), "hardly any help");
        assert!(are_no_help(0.9, 0.9));
        assert!(!are_no_help(0.9, 1.3), "in any colours");
        assert!(!are_no_help(1.3, 0.9), "a help");
    }

    #[test]
    fn rows_are_asked_about_their_own_classes_alone() {
        let asks_of_one = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            let is_first = |row: &usize| ties.inquiry.labels[*row] == 0;
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
