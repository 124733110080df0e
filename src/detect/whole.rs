//! Classes that carry a pattern as a whole, where no clean row is left to compare with.
//!
//! Evidence under wrong labels says what to expect of a class without a pattern. Honest classes can be told apart too, and
//! on easy data as well as any poison; but then what people see tells them apart at least as well as what they do not see.

use super::View;
use crate::Result;
use crate::stats::quantiles;

/// The median row of a class scores this high, in deviations under wrong labels, if the class carries as a whole.
const MEDIAN: f64 = 2.5;
/// The faint part of the pictures tells the class this many times as well as the visible part. On clean CIFAR-10 it is 1.0 to
/// 1.3 times, where 100 to 10,000 rows alone teach a network; on rows under adversarial noise 2 and more.
pub(super) const BEYOND: f64 = 1.5;

/// Fewer rows of a class, beside those that stand apart, are no class.
const LEAST: usize = 20;

/// Classes that carry as a whole by one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The view's scores, standard normal under wrong labels.
    pub scores: Vec<f64>,
    /// Which classes carry.
    pub classes: Vec<bool>,
}

/// A view of the faint part of the pictures that classes may carry by, and the same view of what people see.
pub(super) struct Bands {
    faint: Vec<f64>,
    visible: Vec<f64>,
}

impl Bands {
    /// Of the scores of `view`; `visible` is made only if a class may carry by it.
    pub(super) fn new(
        view: &View,
        labels: &[u32],
        classes: usize,
        visible: impl FnOnce() -> Result<View>,
    ) -> Result<Option<Self>> {
        let rows: Vec<usize> = (0..labels.len()).collect();
        let faint = view.standard(&rows);
        let all = vec![true; labels.len()];
        if medians(&faint, labels, classes, &all)
            .iter()
            .all(|&median| median < MEDIAN)
        {
            return Ok(None);
        }
        let visible = visible()?.standard(&rows);
        Ok(Some(Self { faint, visible }))
    }

    /// The classes that carry by what is faint and not by what is visible, `rest` being the rows that do not stand apart
    /// already: where a part of a class carries, the others do not.
    pub(super) fn whole(self, labels: &[u32], classes: usize, rest: &[bool]) -> Option<Whole> {
        let medians = |scores| medians(scores, labels, classes, rest);
        let carries = |(faint, visible): (f64, f64)| faint >= MEDIAN && faint >= BEYOND * visible;
        let pairs = medians(&self.faint).into_iter().zip(medians(&self.visible));
        let carrying: Vec<bool> = pairs.map(carries).collect();
        carrying.contains(&true).then_some(Whole {
            scores: self.faint,
            classes: carrying,
        })
    }
}

/// Median of the `chosen` rows of each class; zero where they are too few.
fn medians(scores: &[f64], labels: &[u32], classes: usize, chosen: &[bool]) -> Vec<f64> {
    let mut of_class = vec![Vec::new(); classes];
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
        let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let bands = Bands::new(&view(faint), &labels, 2, || Ok(view(visible))).unwrap()?;
        Some(bands.whole(&labels, 2, rest)?.classes)
    }

    #[test]
    fn only_what_is_not_seen_makes_a_class_carry() {
        let rest = [true; 100];
        assert_eq!(found(4.0, 1.0, &rest).unwrap(), [true, false]);
        assert_eq!(found(4.0, 5.0, &rest), None);
        assert_eq!(found(1.0, 0.0, &rest), None);
    }

    #[test]
    fn rows_that_stand_apart_do_not_speak_for_the_others() {
        let rest: Vec<bool> = (0..100).map(|i| i % 2 == 1).collect();
        assert_eq!(found(4.0, 1.0, &rest), None);
    }
}
