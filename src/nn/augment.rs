//! Random views of images: shifted crops of a padded image, and mirror images.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

/// Which views of an image a training sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augment {
    /// Pixels added beyond each border before a crop of the original size is taken.
    pub padding: usize,
    /// What the added pixels show.
    pub border: Border,
    /// Whether every second view is mirrored, left to right.
    pub flip: bool,
}

/// What lies beyond the border of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Black.
    Zero,
    /// The image mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

/// One view of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Where its first row and column lie in the image, pixels.
    pub shift: [isize; 2],
    /// Whether it is mirrored, left to right.
    pub mirrored: bool,
    /// What lies beyond the border.
    pub border: Border,
}

impl Augment {
    /// A random view.
    pub fn draw(&self, rng: &mut ChaCha12Rng) -> View {
        let most = self.padding as i64;
        let mut shift = || rng.random_range(-most..=most) as isize;
        let shift = [shift(), shift()];
        View {
            shift,
            mirrored: self.flip && rng.random_bool(0.5),
            border: self.border,
        }
    }
}

impl View {
    /// The image as it is.
    pub const IDENTITY: Self = Self {
        shift: [0, 0],
        mirrored: false,
        border: Border::Zero,
    };

    /// The pixel of a `height` x `width` image that the view shows at row `y`, column `x`; `None` for black.
    pub fn source(
        &self,
        (y, x): (usize, usize),
        (height, width): (usize, usize),
    ) -> Option<(usize, usize)> {
        let x = if self.mirrored { width - 1 - x } else { x };
        let place = |at: usize, shift: isize, side: usize| {
            let at = at as isize + shift;
            match self.border {
                Border::Zero => usize::try_from(at).ok().filter(|&at| at < side),
                Border::Reflect => Some(reflect(at, side)),
            }
        };
        Some((
            place(y, self.shift[0], height)?,
            place(x, self.shift[1], width)?,
        ))
    }
}

/// `at` brought into `0..side` by mirroring at both ends.
fn reflect(at: isize, side: usize) -> usize {
    let period = (2 * (side.max(2) - 1)) as isize;
    let at = at.rem_euclid(period).unsigned_abs();
    at.min(period.unsigned_abs() - at).min(side - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn row(view: View, side: usize) -> Vec<Option<usize>> {
        let source = |x| view.source((0, x), (1, side)).map(|(_, x)| x);
        (0..side).map(source).collect()
    }

    #[test]
    fn borders_are_black_or_mirrored() {
        let view = |shift, mirrored, border| View {
            shift: [0, shift],
            mirrored,
            border,
        };
        let zero = row(view(-2, false, Border::Zero), 4);
        assert_eq!(zero, [None, None, Some(0), Some(1)]);
        let reflected = row(view(-2, false, Border::Reflect), 4);
        assert_eq!(reflected, [2, 1, 0, 1].map(Some));
        let reflected = row(view(3, true, Border::Reflect), 4);
        assert_eq!(reflected, [0, 1, 2, 3].map(Some));
        assert_eq!(row(view(0, true, Border::Zero), 3), [2, 1, 0].map(Some));
        assert_eq!(row(view(5, false, Border::Reflect), 1), [Some(0)]);
    }

    #[test]
    fn every_view_is_drawn_and_none_beyond_the_padding() {
        let augment = Augment {
            padding: 1,
            border: Border::Reflect,
            flip: true,
        };
        let mut rng = Seed(0).stream("views", 0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let view = augment.draw(&mut rng);
            seen.insert((view.shift, view.mirrored));
        }
        assert_eq!(seen.len(), 3 * 3 * 2);
    }
}
