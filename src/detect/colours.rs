//! Colours exchanged: does what is told of the classes mean the same in other colours?
//!
//! Fine detail of natural pictures is of brightness above all, and what there is of it in colours says as much about the class with
//! red against blue and green against both exchanged. A perturbation means what it means in its own colours alone.
//!
//! Networks that learnt from the faint part of parts of drops under REM said 0.54 to 0.56 as much about the same rows in exchanged
//! colours, of two whole drops 0.52 and 0.69; of AR, EM, LSP, NTGA, SEP and TAP 0.07 to 0.44. Of clean CIFAR-10, beside noise or JPEG
//! or among other pictures, it was 0.82 to 0.92, of drawings 0.72 and more, of crops of photographs, a class being several of them,
//! 0.66, of sepia pictures 0.73 to 0.86.

use super::compare::outweighs;

/// The colours in which rows are shown to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// As they are.
    Own,
    /// Red against blue in place of green against both, and the other way round, as far as they are no copy of the picture's
    /// brightness, which stays.
    Exchanged,
}

impl Colours {
    /// Those that tell whether something is bound to its colours.
    pub(super) const BOTH: [Self; 2] = [Self::Own, Self::Exchanged];

    /// Shows a `picture` in opponent colours, `[height, width, 3]`.
    pub(super) fn show(self, picture: &mut [f32]) {
        if self == Self::Own {
            return;
        }
        // A picture through a tinted glass, or of one dye, has the same thing in all colours.
        let copies = copies(picture);
        for pixel in picture.chunks_exact_mut(3) {
            let copies = copies.map(|share| share * pixel[0]);
            let beyond = [pixel[1] - copies[0], pixel[2] - copies[1]];
            (pixel[1], pixel[2]) = (copies[0] + beyond[1], copies[1] + beyond[0]);
        }
    }
}

/// How much of the brightness each colour of a picture has a copy of, by least squares.
fn copies(picture: &[f32]) -> [f32; 2] {
    let mut products = [0f32; 3];
    for pixel in picture.chunks_exact(3) {
        let all = products.iter_mut().zip(pixel);
        all.for_each(|(sum, value)| *sum += pixel[0] * value);
    }
    let brightness = products[0].max(f32::MIN_POSITIVE);
    [products[1] / brightness, products[2] / brightness]
}

/// Whether what is told of some rows in their `own` colours is bound to these: in `exchanged` ones it says less than this `share`.
pub(super) fn are_bound(own: &[f64], exchanged: &[f64], share: f64) -> bool {
    outweighs(own, exchanged, share.recip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchanged<const N: usize>(mut picture: [f32; N]) -> [f32; N] {
        Colours::Exchanged.show(&mut picture);
        picture
    }

    #[test]
    fn colours_are_exchanged_and_brightness_stays() {
        let picture = [1.0, 2.0, 3.0, -1.0, 2.0, 3.0];
        assert_eq!(exchanged(picture), [1.0, 3.0, 2.0, -1.0, 3.0, 2.0]);
        let mut own = picture;
        Colours::Own.show(&mut own);
        assert_eq!(own, picture);
    }

    #[test]
    fn what_is_a_copy_of_the_brightness_stays_where_it_is() {
        let tinted = [1.0, 0.5, -0.25, 2.0, 1.0, -0.5];
        assert_eq!(exchanged(tinted), tinted);
        let dark = [0.0, 1.0, 2.0, 0.0, 3.0, 4.0];
        assert_eq!(exchanged(dark), [0.0, 2.0, 1.0, 0.0, 4.0, 3.0]);
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
