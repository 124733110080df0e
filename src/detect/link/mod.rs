//! Are rows that stand apart linked to the classes? Pictures of another camera stand apart as well; only where the noise
//! says the class can a model learn the one from the other.

mod transfer;
mod visible;

use super::View;
use super::compare::{mean_exceeds, outweighs};
use super::eye::{BEYOND, Eye, Kind, MUCH, times};
use super::grain::Grain;
use super::group;
use super::inquiry::Inquiry;
use super::net;
use crate::Result;
use crate::stats::moments;

/// A larger share of a class is nearly all of it...
const NEARLY_ALL: f64 = 0.8;
/// ...and a smaller one next to nothing.
const NEXT_TO_NONE: f64 = 0.05;

/// What links are looked for in.
pub(super) struct Ties<'a> {
    /// Evidence about labels.
    pub(super) views: &'a [&'a View],
    /// What people do not see.
    pub(super) grain: &'a Grain<'a>,
    /// What they see.
    pub(super) eye: &'a Eye<'a>,
    pub(super) inquiry: Inquiry<'a>,
}

impl Ties<'_> {
    /// Whether the labels of `rows` say more about them than those of the `others` do, or are [`Ties::is_taught`] by their faint
    /// part, or [`Ties::mislead`].
    pub(super) fn hold(&self, rows: &[usize], others: &[usize]) -> Result<bool> {
        let excess = |view: &&&View| {
            let deviation = moments(&view.null).1.max(1e-9);
            let pick = |rows: &[usize]| -> Vec<f64> {
                rows.iter().map(|&i| view.scores[i] / deviation).collect()
            };
            mean_exceeds(&pick(rows), &pick(others))
        };
        for view in self.views.iter().filter(excess) {
            if self.beyond(view, Kind::Place, rows, &[])? {
                return Ok(true);
            }
        }
        if self.are_whole_classes(rows) {
            return Ok(false);
        }
        let Some(faint) = self.faint(rows)? else {
            return Ok(false);
        };
        Ok(self.is_taught(rows, &faint, others)? || self.mislead(rows, &faint, others)?)
    }

    /// Whether `rows` are nearly all of some classes and next to none of the others, so that they may stand apart by what honest
    /// pictures of those classes show, such as the grain of their film. Whether classes carry as a whole is asked elsewhere.
    pub(super) fn are_whole_classes(&self, rows: &[usize]) -> bool {
        let by_class = group::by_class(rows, self.inquiry.labels);
        let shares = by_class.into_iter().filter(|(_, all)| *all > 0);
        let shares: Vec<f64> = shares.map(|(k, n)| k as f64 / n as f64).collect();
        let is_whole = |share: &f64| *share > NEARLY_ALL;
        let is_out = |share: &f64| *share < NEXT_TO_NONE;
        shares.iter().any(is_whole)
            && shares.iter().any(is_out)
            && shares.iter().all(|share| is_whole(share) || is_out(share))
    }

    /// Whether `view`, which looks for this `kind` of thing, says more about the labels of `rows` than what people see does, counted
    /// from what it says of the `others` on the mean. Without others, what people see at once must be told [`MUCH`] times as well.
    pub(super) fn beyond(
        &self,
        view: &View,
        kind: Kind,
        rows: &[usize],
        others: &[usize],
    ) -> Result<bool> {
        let (faint, seen) = self.beside(view, kind)?;
        let pick = |scores: &[f64], rows: &[usize]| -> Vec<f64> {
            rows.iter().map(|&i| scores[i]).collect()
        };
        let usual = moments(&pick(&faint, others)).0;
        let faint: Vec<f64> = pick(&faint, rows)
            .iter()
            .map(|score| score - usual)
            .collect();
        Ok(seen.iter().all(|seen| {
            let seen = pick(seen, rows);
            // The others are as easy to see: what is counted from them needs to be no larger for it.
            let least = match others {
                [] => times(moments(&seen).0),
                _ => BEYOND,
            };
            outweighs(&faint, &seen, least)
        }))
    }

    /// Evidence about the labels of all rows by `view`, which looks for this `kind` of thing, and what people see to compare it with.
    fn beside(&self, view: &View, kind: Kind) -> Result<(Vec<f64>, [&[f64]; 2])> {
        let seen = self.eye.look()?.beside(kind);
        Ok((view.standard(&self.inquiry.rows()), seen))
    }

    /// Whether a network that sees `rows` alone finds their labels in the faint part of the pictures rather than in the
    /// visible one, or in what is large in the faint part: drawn shapes differ in their edges alone. If it does not find them there
    /// [`MUCH`] better, what is visible must be of the same things as in the `others` ([`Ties::show_other_things`]).
    fn is_taught(&self, rows: &[usize], faint: &[f64], others: &[usize]) -> Result<bool> {
        let explains = |seen: &[f64]| !outweighs(faint, seen, times(moments(seen).0));
        let visible = self.evidence(self.eye.grain, rows)?;
        if explains(&visible) || explains(&self.evidence(self.eye.contrast, rows)?) {
            return Ok(false);
        }
        Ok(outweighs(faint, &visible, MUCH) || !self.show_other_things(rows, others)?)
    }

    /// What a network finds of the labels of `rows` in their faint part; `None` if they are too few to teach it.
    fn faint(&self, rows: &[usize]) -> Result<Option<Vec<f64>>> {
        let enough = rows.len() >= net::LEAST;
        enough.then(|| self.evidence(self.grain, rows)).transpose()
    }

    /// What a network that sees `rows` alone finds of their labels in `grain`.
    fn evidence(&self, grain: &Grain<'_>, rows: &[usize]) -> Result<Vec<f64>> {
        let inquiry = Inquiry {
            folds: &self.inquiry.folds.within(rows),
            ..self.inquiry
        };
        Ok(inquiry.learner(grain).view()?.standard(rows))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::coefficients::Coefficients;
    use super::super::folds::Folds;
    use super::super::lens::Band;
    use super::super::spectrum::Spectrum;
    use super::super::striped::{DIM, SIZE, smooth_pictures};
    use super::*;
    use crate::{Labels, Seed};
    use rand::RngExt;

    /// Which rows are under stripes, and of what.
    #[derive(Clone, Copy, PartialEq)]
    pub(super) enum Stripes {
        /// Every other row, of its class.
        OfClass,
        /// Every other row, drawn at random.
        Drawn,
        /// All rows, of their class.
        Everywhere,
        /// As [`Stripes::Everywhere`], but every other one is blurred.
        Blurred,
        /// Every other one, of its class; in the rest it is the other class that is darker above. One in five pictures is of the wrong
        /// kind in this.
        OfAnotherSource,
        /// As [`Stripes::OfClass`], where no class is darker above.
        Alone,
        /// None, nor is a class darker above; every other picture has a dash of large contrast somewhere, upright or across by its class.
        Dashes,
    }

    /// Length of a dash, pixels.
    const DASH: usize = 5;

    /// Mixes each pixel with its four neighbours, which leaves a fifth of the stripes, and rounds it to a level of 255.
    fn blur(picture: &mut [f32]) {
        let sharp = picture.to_vec();
        for (k, v) in picture.iter_mut().enumerate() {
            let (y, x, colour) = (k / 3 / SIZE.1, k / 3 % SIZE.1, k % 3);
            let at = |y: usize, x: usize| sharp[3 * (y * SIZE.1 + x) + colour];
            let [down, right] = [(y + 1).min(SIZE.0 - 1), (x + 1).min(SIZE.1 - 1)];
            let [up, left] = [y.saturating_sub(1), x.saturating_sub(1)];
            let mean = 0.2 * (at(y, x) + at(up, x) + at(down, x) + at(y, left) + at(y, right));
            *v = (255.0 * mean).round() / 255.0;
        }
    }

    /// What `linked` says of every other one of some smooth pictures of two classes, one of them darker above, beside the rest.
    pub(super) fn found(
        of: Stripes,
        linked: impl Fn(&Ties<'_>, &[usize], &[usize]) -> Result<bool>,
    ) -> bool {
        let n = 800;
        let labels: Vec<u32> = (0..n as u32).map(|i| i / 2 % 2).collect();
        let rng = &mut Seed(9).stream("stripes", 0);
        let drawn: Vec<bool> = (0..n).map(|_| rng.random()).collect();
        let stripes = |i: usize| {
            let upright = match of {
                Stripes::Drawn => drawn[i],
                _ => labels[i] == 0,
            };
            let everywhere = matches!(of, Stripes::Everywhere | Stripes::Blurred);
            let is_striped = i.is_multiple_of(2) || everywhere;
            (is_striped && of != Stripes::Dashes).then_some(upright)
        };
        let mut pixels = smooth_pictures(n, stripes);
        // So faint that nothing of the stripes is larger than a perturbation may be.
        pixels.iter_mut().for_each(|v| *v *= 0.3);
        let is_plain = matches!(of, Stripes::Alone | Stripes::Dashes);
        for (i, picture) in pixels.chunks_exact_mut(DIM).enumerate() {
            let swapped = of == Stripes::OfAnotherSource && (i % 2 == 1) != (i / 4 % 5 == 0);
            if !is_plain && (labels[i] == 1) != swapped {
                for (k, v) in picture.iter_mut().enumerate() {
                    let middle = (k / 3 / SIZE.1) as f32 + 0.5;
                    *v -= 0.2 * (std::f32::consts::PI * middle / SIZE.0 as f32).cos();
                }
            }
            if of == Stripes::Dashes && i % 2 == 0 {
                let [y, x] = [SIZE.0, SIZE.1].map(|side| rng.random_range(0..side - DASH));
                let (down, right) = if labels[i] == 0 { (1, 0) } else { (0, 1) };
                for step in 0..DASH {
                    let at = (y + down * step) * SIZE.1 + x + right * step;
                    picture[3 * at..][..3].iter_mut().for_each(|v| *v += 0.5);
                }
            }
        }
        if of == Stripes::Blurred {
            for (i, picture) in pixels.chunks_exact_mut(DIM).enumerate() {
                // What is honest begins anywhere.
                if drawn[i] {
                    picture.rotate_right(3 * (SIZE.1 + 1));
                }
                if i % 2 == 1 {
                    blur(picture);
                }
            }
        }
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * DIM..][..DIM]);
        let coefficients = Coefficients::of(n, SIZE, &read);
        let [grain, visible] =
            [Band::Faint, Band::Visible].map(|band| Grain::new(&coefficients, band));
        let steady = Grain::steady(&coefficients, Seed(0));
        let contrast = Grain::contrast(&coefficients);
        let bold = Grain::bold(&coefficients, Seed(0));
        let labels = Labels::new(&labels, 2);
        let folds = Folds::draw(labels, Seed(0));
        let inquiry = Inquiry::unwatched(labels, &folds);
        let spectrum = Spectrum::new(&coefficients).unwrap();
        let ties = Ties {
            views: &[],
            grain: &grain,
            eye: &Eye::new(&spectrum, [&visible, &steady, &contrast, &bold], inquiry),
            inquiry,
        };
        let (rows, others): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % 2 == 0);
        linked(&ties, &rows, &others).unwrap()
    }

    #[test]
    fn rows_are_linked_if_their_noise_tells_the_class() {
        let hold = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| ties.hold(rows, others);
        assert!(found(Stripes::OfClass, hold));
        assert!(!found(Stripes::Drawn, hold));
    }

    #[test]
    fn whole_classes_are_not_linked_by_what_they_teach() {
        let are_whole = |ties: &Ties<'_>, of_class: [usize; 2]| {
            let mut left = of_class;
            let rows = (0..ties.inquiry.labels.len()).filter(|&i| {
                let left = &mut left[ties.inquiry.labels[i] as usize];
                let is_in = *left > 0;
                *left = left.saturating_sub(1);
                is_in
            });
            ties.are_whole_classes(&rows.collect::<Vec<_>>())
        };
        // There are 400 rows of each class.
        for (of_class, whole) in [
            ([390, 0], true),
            ([390, 10], true),
            ([200, 0], false),
            ([390, 100], false),
            ([390, 390], false),
            ([10, 0], false),
            ([10, 10], false),
        ] {
            let asked = found(Stripes::OfClass, |ties, _, _| Ok(are_whole(ties, of_class)));
            assert_eq!(asked, whole, "{of_class:?}");
        }
    }

    #[test]
    fn what_is_large_or_of_another_source_teaches_nothing_about_perturbations() {
        let taught = |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
            let faint = ties.faint(rows)?.unwrap();
            ties.is_taught(rows, &faint, others)
        };
        assert!(found(Stripes::Alone, taught));
        assert!(!found(Stripes::Dashes, taught));
        assert!(!found(Stripes::OfAnotherSource, taught));
    }

    /// A view with these scores, which are standard already.
    fn view(scores: Vec<f64>) -> View {
        let null = (0..scores.len()).map(|i| (i / 2 % 2) as f64 * 2.0 - 1.0);
        View {
            name: "test",
            null: null.collect(),
            scores,
        }
    }

    #[test]
    fn what_people_see_at_once_must_be_told_three_times_as_well() {
        let beyond = |times: f64| {
            move |ties: &Ties<'_>, rows: &[usize], _: &[usize]| {
                let [place, any] = ties.eye.look()?.beside(Kind::Place);
                let most = place.iter().zip(any).map(|(place, any)| place.max(*any));
                let view = view(most.map(|seen| times * seen).collect());
                ties.beyond(&view, Kind::Place, rows, &[])
            }
        };
        assert!(found(Stripes::OfClass, beyond(4.0)));
        assert!(!found(Stripes::OfClass, beyond(2.0)));
    }

    #[test]
    fn what_a_view_says_of_the_others_as_well_says_nothing_of_the_rows() {
        let beyond = |of_others: f64| {
            move |ties: &Ties<'_>, rows: &[usize], others: &[usize]| {
                let seen = ties.eye.look()?.beside(Kind::Place);
                let most = seen
                    .iter()
                    .flat_map(|seen| *seen)
                    .copied()
                    .fold(1.0, f64::max);
                let (high, low) = (2.0 * BEYOND * most, 2.0 * BEYOND * most * of_others);
                let score = |i: usize| if i.is_multiple_of(2) { high } else { low };
                let view = view((0..ties.inquiry.labels.len()).map(score).collect());
                assert!(ties.beyond(&view, Kind::Place, rows, &[])?);
                ties.beyond(&view, Kind::Place, rows, others)
            }
        };
        assert!(found(Stripes::OfClass, beyond(0.0)));
        assert!(!found(Stripes::OfClass, beyond(0.9)));
    }
}
