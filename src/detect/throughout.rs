//! Drops that carry throughout, in no class more than people see of it: coarse perturbations, as of robust error-minimising noise,
//! lie in the visible band as well as in the faint one.
//!
//! What is left to tell them by is that both are bound to their colours ([`super::colours`]), the faint part being no mere rest of the
//! visible one.

use super::View;
use super::colours;
use super::compare::outweighs;
use super::eye::{Seen, TOLD};
use super::whole::{AGREED, Whole, medians};
use crate::stats::moments;
use crate::{Labels, Result};

/// The faint part says at least this share of what the visible one does: under REM it was 1.09 and 0.97, of clean CIFAR-10 0.8 to 1.0.
const BESIDE_SEEN: f64 = 0.88;
/// It is bound to its colours, less than this share of it is left in exchanged ones: under REM 0.52 and 0.69, of clean CIFAR-10 0.82
/// to 0.85, of crops of photographs, a class being several of them, 0.66.
const FAINT_LEFT: f64 = 0.75;
/// So is the visible part: under REM 0.26 and 0.17, of clean CIFAR-10 0.48 to 0.50, of other honest pictures 0.64 and more.
const SEEN_LEFT: f64 = 0.36;

/// All classes that a network tells by their faint part, in their own colours by view `net` and in other ones by `exchanged`, if the
/// drop carries throughout. If it may, `look` is asked what people see.
pub(super) fn carries<'a>(
    [net, exchanged]: [&View; 2],
    labels: Labels<'_>,
    look: impl Fn() -> Result<&'a Seen>,
) -> Result<Option<Whole>> {
    let rows: Vec<usize> = (0..labels.len()).collect();
    let [scores, exchanged] = [net, exchanged].map(|view| view.standard(&rows));
    if moments(&scores).0 < AGREED || !colours::are_bound(&scores, &exchanged, FAINT_LEFT) {
        return Ok(None);
    }
    let seen_by = look()?;
    let [seen, exchanged] = seen_by.colours();
    // Classes that people see at once may be told by anything.
    if moments(seen).0 >= TOLD
        || !outweighs(&scores, seen, BESIDE_SEEN)
        || !colours::are_bound(seen, exchanged, SEEN_LEFT)
    {
        return Ok(None);
    }
    let medians = medians(&scores, labels, &vec![true; labels.len()]);
    let classes = medians.into_iter().map(|median| median >= AGREED).collect();
    // Both bands carry, so both say which rows do.
    let scores = net.with(seen_by.net()).standard(&rows);
    Ok(Some(Whole { scores, classes }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ROWS: usize = 900;

    /// Evidence about three classes, told so well on the mean.
    fn view([a, b, c]: [f64; 3]) -> View {
        let of = |i: usize| [a, b, c][i % 3] + (i / 3 % 3) as f64 - 1.0;
        View {
            name: "test",
            scores: (0..ROWS).map(of).collect(),
            null: (0..ROWS).map(|i| 1.2 * ((i % 3) as f64 - 1.0)).collect(),
        }
    }

    /// Which classes carry that are told so well in their own colours and in exchanged ones, by the faint part and by what is seen.
    fn found(faint: [f64; 3], exchanged: f64, seen: [f64; 2]) -> Option<Vec<bool>> {
        let labels: Vec<u32> = (0..ROWS as u32).map(|i| i % 3).collect();
        let all: Vec<usize> = (0..ROWS).collect();
        let seen = seen.map(|told| view([told; 3]).standard(&all));
        let views = [&view(faint), &view([exchanged; 3])];
        let seen = Seen::in_colours(seen);
        let found = carries(views, Labels::new(&labels, 3), || Ok(&seen)).unwrap();
        Some(found?.classes)
    }

    #[test]
    fn a_drop_carries_throughout_if_it_is_bound_to_its_colours_and_not_seen_better() {
        assert_eq!(found([1.7; 3], 0.9, [1.6, 0.3]), Some(vec![true; 3]));
        let none = |faint: f64, exchanged, seen, why| {
            assert_eq!(found([faint; 3], exchanged, seen), None, "{why}");
        };
        none(1.7, 1.4, [1.4, 0.3], "the faint part in any colours");
        none(1.7, 0.8, [1.4, 0.7], "the visible part in any colours");
        none(1.7, 0.8, [2.1, 0.3], "seen better");
        none(0.7, 0.2, [0.4, 0.0], "next to nothing");
        none(5.0, 1.0, [3.5, 0.3], "seen at once");
    }

    #[test]
    fn classes_that_are_not_told_do_not_carry() {
        let found = found([2.5, 2.5, 0.5], 0.3, [0.9, 0.1]);
        assert_eq!(found.unwrap(), [true, true, false]);
    }
}
