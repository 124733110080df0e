//! Colours exchanged: does what is told of the classes mean the same in other colours?
//!
//! Fine detail of natural pictures is of brightness above all, and what there is of it in colours says as much about the class with
//! red against blue and green against both exchanged. A perturbation means what it means in its own colours alone.
//!
//! Networks that learnt from the faint part of rows under REM said 0.51 to 0.54 as much about the same rows in exchanged colours, in
//! four drops; under EM, TAP, SEP, AR and NTGA 0.11 to 0.44. Of clean CIFAR-10, beside noise or JPEG or among other pictures, it
//! was 0.79 to 0.93, of drawings 0.71 and more; of crops of photographs 0.77 where each photograph is a class, and 0.62 where a class
//! is some of them; of sepia pictures, all of whose colour is a copy of their brightness, 0.31.

use super::compare::outweighs;

/// The colours in which rows are shown to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// As they are.
    Own,
    /// Red against blue in place of green against both, and the other way round. Brightness stays.
    Exchanged,
}

impl Colours {
    /// Shows a `picture` in opponent colours, `[height, width, 3]`.
    pub(super) fn show(self, picture: &mut [f32]) {
        if self == Self::Exchanged {
            let pixels = picture.chunks_exact_mut(3);
            pixels.for_each(|pixel| pixel.swap(1, 2));
        }
    }
}

/// Whether what is told of some rows in their `own` colours is bound to these: in `exchanged` ones it says less than this `share`.
pub(super) fn are_bound(own: &[f64], exchanged: &[f64], share: f64) -> bool {
    outweighs(own, exchanged, share.recip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_exchanged() {
        let mut picture = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        Colours::Own.show(&mut picture);
        assert_eq!(picture, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        Colours::Exchanged.show(&mut picture);
        assert_eq!(picture, [1.0, 3.0, 2.0, 4.0, 6.0, 5.0]);
    }

    #[test]
    fn what_is_told_as_well_in_other_colours_is_not_bound_to_them() {
        let told =
            |mean: f64| -> Vec<f64> { (0..300).map(|i| mean + f64::from(i % 3) - 1.0).collect() };
        assert!(are_bound(&told(1.7), &told(0.9), 0.6));
        assert!(!are_bound(&told(1.7), &told(1.3), 0.6));
        assert!(!are_bound(&told(-1.0), &told(-3.0), 0.6), "nothing is told");
    }
}
