//! Classes that carry a pattern as a whole, where no clean row is left to compare with.
//!
//! Evidence under wrong labels says what to expect of a class without a pattern. Honest classes can be told apart too, and
//! on easy data as well as any poison; but then what people see tells them apart at least as well as what they do not see.

use super::View;
use crate::Result;
use crate::stats::quantiles;

/// The median row of a class scores this high, in deviations under wrong labels, if the class carries as a whole.
const MEDIAN: f64 = 2.5;
/// The faint part of the pictures tells the class this many times as well as the visible part.
const BEYOND: f64 = 1.5;

/// Classes that carry as a whole by one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The view's scores, standard normal under wrong labels.
    pub scores: Vec<f64>,
    /// Which classes carry.
    pub classes: Vec<bool>,
}

/// The classes that carry by `view` and not by `visible`, the same view of what people see, which is made only if needed.
pub(super) fn whole(
    view: &View,
    labels: &[u32],
    classes: usize,
    visible: impl FnOnce() -> Result<View>,
) -> Result<Option<Whole>> {
    let faint = standard(view);
    let medians = medians(&faint, labels, classes);
    if medians.iter().all(|&median| median < MEDIAN) {
        return Ok(None);
    }
    let honest = self::medians(&standard(&visible()?), labels, classes);
    let carries = |(&median, &honest): (&f64, &f64)| median >= MEDIAN && median >= BEYOND * honest;
    let carrying: Vec<bool> = medians.iter().zip(&honest).map(carries).collect();
    Ok(carrying.contains(&true).then_some(Whole {
        scores: faint,
        classes: carrying,
    }))
}

/// Scores in deviations under wrong labels, about their mean.
fn standard(view: &View) -> Vec<f64> {
    let n = view.null.len().max(1) as f64;
    let mean = view.null.iter().sum::<f64>() / n;
    let square = view.null.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    let deviation = (square / n).sqrt().max(1e-9);
    view.scores.iter().map(|v| (v - mean) / deviation).collect()
}

fn medians(scores: &[f64], labels: &[u32], classes: usize) -> Vec<f64> {
    let mut of_class = vec![Vec::new(); classes];
    for (&score, &label) in scores.iter().zip(labels) {
        of_class[label as usize].push(score);
    }
    let median = |scores: &Vec<f64>| quantiles(scores, &[0.5]).first().copied().unwrap_or(0.0);
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

    #[test]
    fn only_what_is_not_seen_makes_a_class_carry() {
        let labels: Vec<u32> = (0..100).map(|i| i % 2).collect();
        let found = |faint, visible| whole(&view(faint), &labels, 2, || Ok(view(visible))).unwrap();
        assert_eq!(found(4.0, 1.0).unwrap().classes, [true, false]);
        assert_eq!(found(4.0, 5.0), None);
        assert_eq!(found(1.0, 0.0), None);
    }
}
