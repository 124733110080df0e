//! Classes that carry a pattern as a whole, where no clean row is left to compare with.
//!
//! Evidence under wrong labels says what to expect of a class without a pattern. Honest classes can be told apart too, and
//! on easy data as well as any poison; but then what people see tells them apart at least as well as what they do not see, or what
//! tells them is no small thing: drawn shapes differ in their edges alone, of large contrast.

use super::View;
use super::eye::{Kind, Large, Seen, TOLD, is_bold, times};
use crate::stats::quantiles;
use crate::{Labels, Result};

/// The median row of a class scores at least this high in the eyes of a network, whatever it carries by: honest classes of
/// fine grain, such as sunflowers, have a texture that little else tells.
pub(super) const AGREED: f64 = 1.0;

/// Fewer rows of a class, in what stands apart or beside it, are no class.
const LEAST: usize = 20;

/// Where a part of a class stands apart, the others carry as well only if they come this near to it in the same view: who learnt
/// from four fifths under AR told the clean rest at 0.42 to 0.54 of them, and where all rows carried LSP, and most of them stood
/// apart, the others at 0.73 to 0.94.
const NEAR: f64 = 0.65;

/// Classes that carry as a whole by one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The view's scores, standard normal under wrong labels.
    pub scores: Vec<f64>,
    /// Which classes carry.
    pub classes: Vec<bool>,
}

/// What is asked about whole classes.
pub(super) struct Views<'a> {
    /// Any of which may say that a class carries, of what people do not see.
    pub(super) faint: Vec<(&'a View, Kind)>,
    /// That of a network, which must agree.
    pub(super) net: &'a View,
    /// That of single pixels, which may be changed by any amount.
    pub(super) spots: Option<&'a View>,
}

/// The classes that carry as a whole by one of the `views`, `rest` being the rows that do not stand apart already: where a part of a
/// class carries, the others do not, unless they are nearly as well told. Where a class may carry, `look` is asked what people see,
/// and `large` what a network finds in what is large, unless single pixels say the class.
pub(super) fn wholes<'a>(
    views: &Views<'_>,
    labels: Labels<'_>,
    rest: &[bool],
    look: impl Fn() -> Result<&'a Seen>,
    large: impl Fn() -> Result<&'a Large>,
) -> Result<Vec<Whole>> {
    let rows: Vec<usize> = (0..labels.len()).collect();
    let apart: Vec<bool> = rest.iter().map(|&is_rest| !is_rest).collect();
    let medians_apart = |scores: &[f64]| medians(scores, labels, &apart);
    let medians = |scores: &[f64]| medians(scores, labels, rest);
    let network = medians(&views.net.standard(&rows));
    let mut wholes = Vec::new();
    for &(view, kind) in &views.faint {
        let scores = view.standard(&rows);
        let faint = medians(&scores);
        let beside = medians_apart(&scores);
        let may_carry = |class: usize| faint[class] >= TOLD && faint[class] >= NEAR * beside[class];
        if !(0..labels.classes).any(may_carry) {
            continue;
        }
        let seen = look()?.beside(kind);
        // Of a drop whose classes people see at once, any class may be honest in what they do not see.
        let ease = quantiles(seen[1], &[0.5])[0];
        let seen = seen.map(medians);
        let carries = |class: usize| {
            let [same, any] = [seen[0][class], seen[1][class]];
            let times = times(ease.max(any).max(same));
            let agreed = network[class] >= AGREED && network[class] >= times * any;
            agreed && may_carry(class) && faint[class] >= times * same.max(any)
        };
        let mut classes: Vec<bool> = (0..labels.classes).map(carries).collect();
        if classes.contains(&true) {
            let Large { contrast, bold } = large()?;
            let (contrast, bold) = (medians(contrast), medians(bold));
            let spots = views.spots.map(|view| medians(&view.standard(&rows)));
            let is_spotted = |class: usize| spots.as_ref().is_some_and(|m| m[class] >= TOLD);
            for (class, carries) in classes.iter_mut().enumerate() {
                let is_small = network[class] >= times(contrast[class]) * contrast[class]
                    && !is_bold(network[class], bold[class]);
                *carries &= is_small || is_spotted(class);
            }
        }
        if classes.contains(&true) {
            wholes.push(Whole { scores, classes });
        }
    }
    Ok(wholes)
}

/// Median of the `chosen` rows of each class; zero where they are too few.
pub(super) fn medians(scores: &[f64], labels: Labels<'_>, chosen: &[bool]) -> Vec<f64> {
    let mut of_class = vec![Vec::new(); labels.classes];
    for ((&score, &label), _) in scores.iter().zip(labels).zip(chosen).filter(|(_, c)| **c) {
        of_class[label as usize].push(score);
    }
    let median = |scores: &Vec<f64>| match scores.len() {
        LEAST.. => quantiles(scores, &[0.5])[0],
        _ => 0.0,
    };
    of_class.iter().map(median).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn view(own: f64) -> View {
        View {
            name: "test",
            scores: (0..100)
                .map(|i| if i % 2 == 0 { own } else { 0.0 })
                .collect(),
            null: (0..100).map(|i| f64::from(i % 3) - 1.0).collect(),
        }
    }

    fn found(faint: f64, visible: f64, rest: &[bool]) -> Option<Vec<bool>> {
        found_beside(faint, [visible, 0.0, 0.0, 0.0], rest)
    }

    fn found_beside(
        faint: f64,
        [visible, contrast, bold, spots]: [f64; 4],
        rest: &[bool],
    ) -> Option<Vec<bool>> {
        let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let all: Vec<usize> = (0..100).collect();
        let [seen, contrast, bold] = [visible, contrast, bold].map(|own| view(own).standard(&all));
        let seen = Seen::by_network(seen);
        let large = Large { contrast, bold };
        let (net, spots) = (view(faint), view(spots));
        let views = Views {
            faint: vec![(&net, Kind::Any)],
            net: &net,
            spots: Some(&spots),
        };
        let (look, large) = (|| Ok(&seen), || Ok(&large));
        let wholes = wholes(&views, Labels::new(&labels, 2), rest, look, large);
        Some(wholes.unwrap().into_iter().next()?.classes)
    }

    #[test]
    fn only_what_is_not_seen_makes_a_class_carry() {
        let rest = [true; 100];
        assert_eq!(found(4.0, 1.0, &rest).unwrap(), [true, false]);
        assert_eq!(found(4.0, 5.0, &rest), None);
        assert_eq!(found(1.0, 0.0, &rest), None);
    }

    #[test]
    fn what_is_large_makes_no_class_carry_unless_it_is_a_pixel() {
        let rest = [true; 100];
        let found = |contrast, spots| found_beside(4.0, [0.0, contrast, 0.0, spots], &rest);
        assert_eq!(found(1.0, 0.0).unwrap(), [true, false]);
        assert_eq!(found(3.5, 0.0), None);
        assert_eq!(found(3.5, 4.0).unwrap(), [true, false]);
    }

    #[test]
    fn where_what_is_large_says_a_class_by_itself_the_rest_must_say_it_much_better() {
        let found = |faint, contrast| found_beside(faint, [0.0, contrast, 0.0, 0.0], &[true; 100]);
        assert_eq!(found(4.0, 2.0).unwrap(), [true, false]);
        assert_eq!(found(6.0, 3.0), None);
        assert_eq!(found(10.0, 3.0).unwrap(), [true, false]);
    }

    #[test]
    fn what_is_still_told_under_heavy_noise_makes_no_class_carry() {
        let found = |faint, bold| found_beside(faint, [0.0, 0.0, bold, 0.0], &[true; 100]);
        assert_eq!(found(5.0, 1.8), None);
        assert_eq!(found(10.0, 1.8).unwrap(), [true, false]);
        assert_eq!(found(4.0, 0.9).unwrap(), [true, false]);
    }

    #[test]
    fn where_most_classes_are_seen_at_once_one_must_be_told_much_better_to_carry() {
        let labels: Vec<u32> = (0..99).map(|i| i % 3).collect();
        let found = |others: f64, faint: f64| {
            let of_first = |own: f64, rest: f64| -> Vec<f64> {
                (0..99)
                    .map(|i| if i % 3 == 0 { own } else { rest })
                    .collect()
            };
            let seen = Seen::by_network(of_first(1.5, others));
            let net = View {
                scores: of_first(faint, 0.0),
                ..view(0.0)
            };
            let views = Views {
                faint: vec![(&net, Kind::Any)],
                net: &net,
                spots: None,
            };
            let nothing = Large {
                contrast: vec![0.0; 99],
                bold: vec![0.0; 99],
            };
            let (look, large) = (|| Ok(&seen), || Ok(&nothing));
            let wholes = wholes(&views, Labels::new(&labels, 3), &[true; 99], look, large);
            !wholes.unwrap().is_empty()
        };
        assert!(found(1.5, 3.0));
        assert!(!found(3.0, 3.0));
        assert!(found(3.0, 5.0));
    }

    #[test]
    fn a_texture_alone_makes_no_class_carry() {
        let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let seen = Seen::by_network(vec![0.0; 100]);
        let by = |net: f64| {
            let (texture, net) = (view(4.0), view(net));
            let views = Views {
                faint: vec![(&texture, Kind::Texture), (&net, Kind::Any)],
                net: &net,
                spots: None,
            };
            let nothing = Large {
                contrast: vec![0.0; 100],
                bold: vec![0.0; 100],
            };
            let (look, large) = (|| Ok(&seen), || Ok(&nothing));
            let wholes = wholes(&views, Labels::new(&labels, 2), &[true; 100], look, large);
            wholes.unwrap().len()
        };
        assert_eq!((by(0.2), by(1.5)), (0, 1));
    }

    #[test]
    fn rows_that_stand_apart_do_not_speak_for_the_others() {
        let rest: Vec<bool> = (0..100).map(|i| i % 2 == 1).collect();
        assert_eq!(found(4.0, 1.0, &rest), None);
    }

    #[test]
    fn the_rest_of_a_class_carries_if_it_is_nearly_as_well_told_as_what_stands_apart() {
        let labels = [0; 100];
        let rest: Vec<bool> = (0..100).map(|i| i >= 60).collect();
        let found = |of_rest: f64| {
            let net = View {
                scores: (0..100)
                    .map(|i| if rest[i] { of_rest } else { 6.0 })
                    .collect(),
                ..view(0.0)
            };
            let views = Views {
                faint: vec![(&net, Kind::Any)],
                net: &net,
                spots: None,
            };
            let seen = Seen::by_network(vec![0.0; 100]);
            let nothing = Large {
                contrast: vec![0.0; 100],
                bold: vec![0.0; 100],
            };
            let (look, large) = (|| Ok(&seen), || Ok(&nothing));
            let wholes = wholes(&views, Labels::new(&labels, 1), &rest, look, large);
            !wholes.unwrap().is_empty()
        };
        assert!(found(4.5) && !found(3.3));
    }
}
