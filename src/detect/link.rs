//! Are rows that stand apart linked to the classes? Pictures of another camera stand apart as well; only where the noise
//! says the class can a model learn the one from the other.

use super::View;
use super::eye::{BEYOND, Eye, Kind};
use super::folds::Folds;
use super::grain::Grain;
use super::group::{self, Group};
use super::net;
use crate::observe::Observer;
use crate::stats::moments;
use crate::{Result, Seed};

/// Least excess of the mean evidence under the own label over that of the rest, in deviations under wrong labels...
const EXCESS: f64 = 0.5;
/// ...and in standard errors of the difference.
const SURE: f64 = 4.0;
/// Where people see rows to be of their class better than the rest of it, the faint part says it so many times as well, or what is
/// seen is what it says. Of 257 horses that stand alike it was 2.0 times, of the rows of nine classes under LSP 5 to 60.
const MUCH: f64 = 2.0 * BEYOND;
/// What rows under noise of the class teach about them says less than this share as much about other rows. Of 2,000 rows of CIFAR-10 under REM
/// it was 0.22 to 0.27; of as many clean ones that were blurred, compressed, sharpened, made smaller or noisy 0.63 to 0.87.
const TRANSFERS: f64 = 0.5;
/// Fewer rows than this teach a network too little to compare with: of 100 rows, it finds next to nothing in what is large.
const LEAST_TO_COMPARE: usize = 400;

/// What links are looked for in.
pub(super) struct Ties<'a> {
    /// Evidence about labels.
    pub(super) views: &'a [&'a View],
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    /// What they see.
    pub(super) eye: &'a Eye<'a>,
    pub(super) labels: &'a [u32],
    pub(super) folds: &'a Folds,
    pub(super) seed: Seed,
}

impl Ties<'_> {
    /// Whether the labels of `rows` say more about them than those of the `others` do, or are [`Ties::taught`] by their faint
    /// part, or [`Ties::mislead`].
    pub(super) fn hold(
        &self,
        rows: &[usize],
        others: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let excess = |view: &&&View| {
            let deviation = moments(&view.null).1.max(1e-9);
            let pick = |rows: &[usize]| -> Vec<f64> {
                rows.iter().map(|&i| view.scores[i] / deviation).collect()
            };
            exceeds(&pick(rows), &pick(others))
        };
        for view in self.views.iter().filter(excess) {
            if self.beyond(view, Kind::Place, rows, observer)? {
                return Ok(true);
            }
        }
        let Some(faint) = self.faint(rows, observer)? else {
            return Ok(false);
        };
        Ok(self.is_taught(rows, &faint, observer)?
            || self.mislead(rows, &faint, others, observer)?)
    }

    /// Whether `view`, which looks for this `kind` of thing, says more about the labels of `rows` than what people see does.
    pub(super) fn beyond(
        &self,
        view: &View,
        kind: Kind,
        rows: &[usize],
        observer: &dyn Observer,
    ) -> Result<bool> {
        let (faint, seen) = self.beside(view, kind, observer)?;
        let pick = |scores: &[f64]| -> Vec<f64> { rows.iter().map(|&i| scores[i]).collect() };
        let faint = pick(&faint);
        Ok(seen
            .iter()
            .all(|seen| is_beyond(&faint, &pick(seen), BEYOND)))
    }

    /// `group` without the classes whose rows in it people see to be of their class better than the rest of it, if they do not see it
    /// much less well than `view` says it, which looks for this `kind` of thing: horses that stand alike have the edges of their
    /// legs in one place.
    pub(super) fn unseen(
        &self,
        group: Group,
        view: &View,
        kind: Kind,
        observer: &dyn Observer,
    ) -> Result<Group> {
        let (faint, seen) = self.beside(view, kind, observer)?;
        Ok(without_seen(
            group,
            &faint,
            seen,
            self.labels,
            self.folds.classes,
        ))
    }

    /// Evidence about the labels of all rows by `view`, which looks for this `kind` of thing, and what people see to compare it with.
    fn beside(
        &self,
        view: &View,
        kind: Kind,
        observer: &dyn Observer,
    ) -> Result<(Vec<f64>, [&[f64]; 2])> {
        let all: Vec<usize> = (0..self.labels.len()).collect();
        let seen = self.eye.look(observer)?.beside(kind);
        Ok((view.standard(&all), seen))
    }

    /// Whether a network that sees `rows` alone finds their labels in the faint part of the pictures rather than in the
    /// visible one, or in what is large in the faint part: drawn shapes differ in their edges alone.
    pub(super) fn taught(&self, rows: &[usize], observer: &dyn Observer) -> Result<bool> {
        match self.faint(rows, observer)? {
            Some(faint) => self.is_taught(rows, &faint, observer),
            None => Ok(false),
        }
    }

    fn is_taught(&self, rows: &[usize], faint: &[f64], observer: &dyn Observer) -> Result<bool> {
        for what_is_seen in [self.eye.grain, self.eye.contrast] {
            let seen = self.evidence(what_is_seen, rows, observer)?;
            if !is_beyond(faint, &seen, BEYOND) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether what `rows` teach a network about each other is no help with the `others`, although they teach it no less than as many
    /// of those do, and what is large in them does help: what makes data unlearnable. Pictures of another camera show the same
    /// things. Coarse perturbations, as of robust error-minimising noise, lie in both bands, which [`Ties::taught`] compares.
    /// `faint` is what the rows teach all together.
    fn mislead(
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
        if !is_above(&here, &there, TRANSFERS.recip()) {
            return Ok(false);
        }
        let (here, there) = self.lessons(self.eye.steady, rows, others, observer)?;
        let is_seen = excess(&here, &[]).0 >= 0.0;
        Ok(is_seen && is_above(&there, &here, TRANSFERS))
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

    /// What a network finds of the labels of `rows` in their faint part; `None` if they are too few to teach it.
    fn faint(&self, rows: &[usize], observer: &dyn Observer) -> Result<Option<Vec<f64>>> {
        let enough = rows.len() >= net::LEAST;
        enough
            .then(|| self.evidence(self.grain, rows, observer))
            .transpose()
    }

    /// What a network that sees `rows` alone finds of their labels in `grain`.
    fn evidence(
        &self,
        grain: &Grain<'_>,
        rows: &[usize],
        observer: &dyn Observer,
    ) -> Result<Vec<f64>> {
        let folds = self.folds.within(rows);
        let view = net::view(grain, self.labels, &folds, self.seed, observer)?;
        Ok(view.standard(rows))
    }
}

/// `group` without the classes of which more is `seen` in its rows than in the others, unless the `faint` evidence is [`MUCH`] times
/// as much.
fn without_seen(
    group: Group,
    faint: &[f64],
    seen: [&[f64]; 2],
    labels: &[u32],
    classes: usize,
) -> Group {
    let (inside, outside) = group.sides();
    let is_seen = |class: usize| {
        let pick = |rows: &[usize], scores: &[f64]| -> Vec<f64> {
            let of_class = rows.iter().filter(|&&i| labels[i] as usize == class);
            of_class.map(|&i| scores[i]).collect()
        };
        let faint = moments(&pick(&inside, faint)).0;
        seen.iter().any(|seen| {
            let (seen, rest) = (pick(&inside, seen), pick(&outside, seen));
            exceeds(&seen, &rest) && faint < MUCH * moments(&seen).0
        })
    };
    let is_seen: Vec<bool> = (0..classes).map(is_seen).collect();
    group.without_classes(labels, &is_seen)
}

/// `count` of the `rows`, evenly.
fn spread(rows: &[usize], count: usize) -> Vec<usize> {
    (0..count)
        .map(|k| rows[k * rows.len() / count.max(1)])
        .collect()
}

/// Whether the `faint` evidence of some rows is more than so many `times` what is `seen` of them, on the mean and by more than
/// chance. It must be more than nothing as well: what is seen may be below zero, and must not speak for the faint part then.
fn is_beyond(faint: &[f64], seen: &[f64], times: f64) -> bool {
    [0.0, times].iter().all(|times| {
        let pairs = faint.iter().zip(seen);
        let beyond: Vec<f64> = pairs.map(|(faint, seen)| faint - times * seen).collect();
        let (mean, deviation) = moments(&beyond);
        mean >= SURE * deviation / (beyond.len() as f64).sqrt()
    })
}

/// Whether the mean of `one` is at least so many `times` that of the `other`, by more than chance.
fn is_above(one: &[f64], other: &[f64], times: f64) -> bool {
    let other: Vec<f64> = other.iter().map(|value| times * value).collect();
    excess(one, &other).0 >= 0.0
}

fn exceeds(one: &[f64], other: &[f64]) -> bool {
    let (beyond_chance, excess) = excess(one, other);
    excess >= EXCESS && beyond_chance >= 0.0
}

/// By how much the mean of `one` exceeds that of the `other`, less what chance may do, and as it is.
fn excess(one: &[f64], other: &[f64]) -> (f64, f64) {
    let ((mean, deviation), (rest, spread)) = (moments(one), moments(other));
    let error = |deviation: f64, rows: &[f64]| deviation.powi(2) / rows.len().max(1) as f64;
    let excess = mean - rest;
    let sure = SURE * (error(deviation, one) + error(spread, other)).sqrt();
    (excess - sure, excess)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::coefficients::Coefficients;
    use super::super::grain::Band;
    use super::super::spectrum::Spectrum;
    use super::super::striped::{DIM, SIZE, smooth_pictures};
    use super::*;
    use crate::observe::Silent;
    use rand::RngExt;

    /// Which rows are under stripes, and of what.
    #[derive(Clone, Copy, PartialEq)]
    enum Stripes {
        /// Every other row, of its class.
        OfClass,
        /// Every other row, drawn at random.
        Drawn,
        /// All rows, of their class.
        Everywhere,
        /// Every other one, of its class; in the rest it is the other class that is darker above.
        OfAnotherSource,
    }

    /// What `linked` says of every other one of some smooth pictures of two classes, one of them darker above, beside the rest.
    fn found(of: Stripes, linked: impl Fn(&Ties<'_>, &[usize], &[usize]) -> Result<bool>) -> bool {
        let n = 800;
        let labels: Vec<u32> = (0..n as u32).map(|i| i / 2 % 2).collect();
        let rng = &mut Seed(9).stream("stripes", 0);
        let drawn: Vec<bool> = (0..n).map(|_| rng.random()).collect();
        let stripes = |i: usize| {
            let upright = match of {
                Stripes::Drawn => drawn[i],
                _ => labels[i] == 0,
            };
            (i.is_multiple_of(2) || of == Stripes::Everywhere).then_some(upright)
        };
        let mut pixels = smooth_pictures(n, stripes);
        for (i, picture) in pixels.chunks_exact_mut(DIM).enumerate() {
            let swapped = of == Stripes::OfAnotherSource && i % 2 == 1;
            if (labels[i] == 1) != swapped {
                picture[..DIM / 2].iter_mut().for_each(|v| *v -= 0.3);
            }
        }
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(n, SIZE, &read);
        let [grain, visible] =
            [Band::Faint, Band::Visible].map(|band| Grain::new(&coefficients, band));
        let steady = Grain::steady(&coefficients, Seed(0));
        let contrast = Grain::contrast(&coefficients);
        let folds = &Folds::draw(&labels, 2, Seed(0));
        let spectrum = Spectrum::new(&coefficients).unwrap();
        let ties = Ties {
            views: &[],
            grain: &grain,
            eye: &Eye::new(
                &spectrum,
                [&visible, &steady, &contrast],
                &labels,
                folds,
                Seed(0),
            ),
            labels: &labels,
            folds,
            seed: Seed(0),
        };
        let (rows, others): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % 2 == 0);
        linked(&ties, &rows, &others).unwrap()
    }

    #[test]
    fn rows_are_linked_if_their_noise_tells_the_class() {
        let hold =
            |ties: &Ties<'_>, rows: &[usize], others: &[usize]| ties.hold(rows, others, &Silent);
        assert!(found(Stripes::OfClass, hold));
        assert!(!found(Stripes::Drawn, hold));
    }

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

    #[test]
    fn a_class_that_people_see_in_its_rows_leaves_the_group() {
        let labels: Vec<u32> = (0..80).map(|i| i % 2).collect();
        let members = (0..80).map(|i| f64::from(u8::from(i < 40))).collect();
        let group = Group::new(vec![0.0; 80], members);
        // What is seen of the second class, in the rows of the group and in the others.
        let left = |inside: f64, outside: f64| {
            let own = |i: usize| if i < 40 { inside } else { outside };
            let seen: Vec<f64> = (0..80).map(|i| own(i) * (i % 2) as f64).collect();
            let nothing = [0.0; 80];
            let group = group.clone();
            without_seen(group, &[6.0; 80], [&nothing, &seen], &labels, 2)
        };
        let rows = |step: usize| -> Vec<usize> { (0..40).step_by(step).collect() };
        assert_eq!(left(3.0, 1.0).sides().0, rows(2));
        assert_eq!(
            left(3.0, 3.0).sides().0,
            rows(1),
            "no more than in the rest"
        );
        assert_eq!(
            left(1.5, 0.5).sides().0,
            rows(1),
            "faint evidence is much more"
        );
    }

    #[test]
    fn what_is_seen_as_well_is_no_link() {
        let draw = |mean: f64, step: usize| -> Vec<f64> {
            (0..200)
                .step_by(2)
                .map(|i| mean + (i * step % 7) as f64 - 3.0)
                .collect()
        };
        assert!(is_beyond(&draw(5.0, 3), &draw(1.0, 5), BEYOND));
        assert!(!is_beyond(&draw(5.0, 3), &draw(4.0, 5), BEYOND));
        assert!(
            !is_beyond(&draw(1.6, 3), &draw(1.0, 5), BEYOND),
            "by chance"
        );
        assert!(!is_beyond(&draw(0.0, 3), &draw(-5.0, 5), BEYOND), "nothing");
    }
}
