//! View `pixel`: does the row show a full colour in the very place where its class does and others do not?
//!
//! - Looks at: pixels whose every channel is empty or full and whose neighbours have another colour, place by place; how
//!   much more often the class shows that colour there than the others, in rows of the other folds where it is far from
//!   its neighbours.
//! - Catches: one-pixel shortcuts, down to a few rows a class.
//! - Misses: everything else. Honest backgrounds are full colours too, but over areas; bright specks of honest things lie in
//!   many places, so only the one that tells most rows of a class counts. The peak of something bright stands alone as well,
//!   with neighbours that are nearly as bright.
//! - Source: measured here; the shortcut is from Wu et al., ICLR 2023.

use super::View;
use super::folds::Folds;
use super::matched::Matched;
use crate::Labels;

/// A channel this near to its end is empty or full.
const SLACK: u8 = 2;
/// A colour teaches that is so many levels from each neighbour's in some channel. A pixel that was put there mostly is: of one-pixel
/// shortcuts 97 % are, and of the 17 peaks in a handwritten digit of 28 x 28 none.
const CLEAR: u8 = 32;
/// A colour of a class teaches that lies so many times as often in its place as in the eight around it together. What honest content
/// shows moves about: of handwritten digits of 8 x 8 pixels, 16 rows of a class have a bright one where no other class does, and 44
/// beside it.
const EXACT: u32 = 2;
/// Log ratio of rates that honest content reaches.
const HONEST: f64 = 3.5;
/// Scores a unit of log ratio beyond it.
const SCALE: f64 = 4.0;
/// Log likelihood ratio at which a rate is believed.
const BELIEVED: f64 = 4.0;

/// Evidence of each row of `pixels`, `[n, height, width, 3]`; zero where there is none.
pub(super) fn view(
    pixels: &[u8],
    (height, width): (usize, usize),
    labels: Labels<'_>,
    folds: &Folds,
) -> View {
    let specks = |contrast: u8| -> Vec<Vec<usize>> {
        let rows = pixels.chunks_exact(height * width * 3);
        rows.map(|row| corners(row, width, contrast)).collect()
    };
    let (shown, clear) = (specks(SLACK + 1), specks(CLEAR));
    let classes = folds.classes;
    let mut matched = Matched::new(labels.len(), folds);
    for (fold, members) in folds.members.iter().enumerate() {
        let counts = Counts::of(
            others(&folds.members, fold),
            &clear,
            labels,
            (height, width),
            classes,
        );
        let shortcuts = counts.shortcuts();
        for &i in members {
            let score = |label| shortcuts[label as usize].score(&shown[i]);
            matched.note(i, labels[i], score);
        }
    }
    matched.into_view("pixel")
}

/// Rows of all folds but one, fold by fold.
fn others(folds: &[Vec<usize>], left_out: usize) -> impl Iterator<Item = usize> {
    let others = folds
        .iter()
        .enumerate()
        .filter(move |(k, _)| *k != left_out);
    others.flat_map(|(_, members)| members.iter().copied())
}

/// The full colours of a picture, `width` pixels a line, that have at least such a `contrast` to each neighbour: eight times the
/// place, plus the colour.
fn corners(row: &[u8], width: usize, contrast: u8) -> Vec<usize> {
    let pixels = row.as_chunks::<3>().0;
    let stands_alone = |&place: &usize| {
        let neighbours = [
            (place % width > 0).then(|| place - 1),
            (place % width + 1 < width).then_some(place + 1),
            place.checked_sub(width),
            (place + width < pixels.len()).then_some(place + width),
        ];
        let differs = |other: usize| {
            let channels = pixels[place].iter().zip(&pixels[other]);
            channels.map(|(a, b)| a.abs_diff(*b)).max() >= Some(contrast)
        };
        neighbours.into_iter().flatten().all(differs)
    };
    let colours = pixels.iter().map(|pixel| corner(pixel)).enumerate();
    let full = colours.filter_map(|(place, colour)| Some((place, colour?)));
    let alone = full.filter(|(place, _)| stands_alone(place));
    alone.map(|(place, colour)| place * 8 + colour).collect()
}

/// Which channels of a pixel are full, if all others are empty.
fn corner(pixel: &[u8]) -> Option<usize> {
    let mut colour = 0;
    for (channel, &value) in pixel.iter().enumerate() {
        match value {
            v if v <= SLACK => {}
            v if v >= u8::MAX - SLACK => colour |= 1 << channel,
            _ => return None,
        }
    }
    Some(colour)
}

/// How many rows of each class show each full colour in each place.
struct Counts {
    shown: Vec<u32>,
    rows: Vec<u32>,
    /// Of the pictures.
    size: (usize, usize),
}

impl Counts {
    fn of(
        training: impl Iterator<Item = usize>,
        shown: &[Vec<usize>],
        labels: Labels<'_>,
        size: (usize, usize),
        classes: usize,
    ) -> Self {
        let mut counts = Self {
            shown: vec![0; size.0 * size.1 * 8 * classes],
            rows: vec![0; classes],
            size,
        };
        for i in training {
            let class = labels[i] as usize;
            counts.rows[class] += 1;
            for &kind in &shown[i] {
                counts.shown[kind * classes + class] += 1;
            }
        }
        counts
    }

    /// Rows of a class that show the colour of a kind in the places around its own, one for each.
    fn around(&self, kind: usize, class: usize) -> u32 {
        let ((height, width), classes) = (self.size, self.rows.len());
        let (place, colour) = (kind / 8, kind % 8);
        let near = |at: usize, end: usize| at.saturating_sub(1)..end.min(at + 2);
        let near = near(place / width, height).flat_map(|y| {
            let line = near(place % width, width);
            line.map(move |x| y * width + x)
        });
        let others = near.filter(|&other| other != place);
        let shown = others.map(|other| self.shown[(other * 8 + colour) * classes + class]);
        shown.sum()
    }

    /// What tells most rows of each class, and how much it tells; a kind of which nothing can be said tells nothing.
    fn shortcuts(&self) -> Vec<Shortcut> {
        let classes = self.rows.len();
        let all: u32 = self.rows.iter().sum();
        let of_class = |class: usize| {
            let kinds = self.shown.chunks_exact(classes).enumerate();
            let tells = kinds
                .filter(|&(kind, shown)| {
                    shown[class] > 0 && shown[class] >= EXACT * self.around(kind, class)
                })
                .map(|(kind, shown)| {
                    let inside = (shown[class], self.rows[class]);
                    let total: u32 = shown.iter().sum();
                    let excess = excess(inside, (total - inside.0, all - inside.1)).max(0.0);
                    (f64::from(shown[class]) * excess, Shortcut { kind, excess })
                });
            let most = tells.max_by(|(a, _), (b, _)| a.total_cmp(b));
            most.map_or(Shortcut::default(), |(_, shortcut)| shortcut)
        };
        (0..classes).map(of_class).collect()
    }
}

/// The one full colour in one place that tells a class. Honest classes have many that tell a few rows each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shortcut {
    kind: usize,
    excess: f64,
}

impl Shortcut {
    /// Evidence of a row that shows these `kinds`.
    fn score(self, kinds: &[usize]) -> f64 {
        match kinds.contains(&self.kind) {
            true => self.excess,
            false => 0.0,
        }
    }
}

/// How much more often something is shown by one group than by another, `(shown, rows)` each: the log ratio of the rates
/// as far as it can be believed, beyond what honest content reaches.
fn excess(one: (u32, u32), other: (u32, u32)) -> f64 {
    let [(a, n), (b, m)] = [one, other].map(|(k, n)| (f64::from(k), f64::from(n)));
    let ratio = ((a + 0.5) / (n + 1.0) / ((b + 0.5) / (m + 1.0))).ln();
    let together = (a + b) / (n + m);
    let term = |seen: f64, expected: f64| {
        if seen > 0.0 {
            seen * (seen / expected).ln()
        } else {
            0.0
        }
    };
    let likelihood = term(a, n * together)
        + term(b, m * together)
        + term(n - a, n * (1.0 - together))
        + term(m - b, m * (1.0 - together));
    SCALE * (ratio * (1.0 - (-likelihood / BELIEVED).exp()) - HONEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    const SIZE: usize = 16 * 3;

    /// Grey pictures of two classes; every `every`-th row of class 1 has a red pixel in place 5.
    fn rows(n: usize, every: usize) -> (Vec<u8>, Vec<u32>) {
        let labels: Vec<u32> = (0..n).map(|i| (i % 2) as u32).collect();
        let mut pixels = vec![100; n * SIZE];
        for i in (1..n).step_by(2).filter(|i| (i / 2) % every == 0) {
            pixels[i * SIZE + 15..][..3].copy_from_slice(&[255, 0, 0]);
        }
        (pixels, labels)
    }

    #[test]
    fn a_shared_pixel_speaks_for_the_rows_that_have_it_and_no_other() {
        let (pixels, labels) = rows(1000, 10);
        let labels = Labels::new(&labels, 2);
        let folds = Folds::draw(labels, Seed(0));
        let view = view(&pixels, (4, 4), labels, &folds);
        for (i, score) in view.scores.iter().enumerate() {
            let has = i % 2 == 1 && (i / 2) % 10 == 0;
            assert_eq!(*score > 1.0, has, "{i} {score}");
        }
        assert!(view.null.iter().all(|score| *score <= 0.0));
    }

    #[test]
    fn peaks_teach_nothing_and_the_place_of_a_shortcut_is_found_in_bright_surroundings() {
        // Every tenth row of class 1 has a white pixel, mostly on grey.
        let of = |around: &dyn Fn(usize) -> u8| {
            let (mut pixels, labels) = rows(1000, 1000);
            for i in (1..1000).step_by(20) {
                let row = &mut pixels[i * SIZE..][..SIZE];
                row.fill(around(i / 20));
                row[15..18].fill(255);
            }
            let labels = Labels::new(&labels, 2);
            let folds = Folds::draw(labels, Seed(0));
            let view = view(&pixels, (4, 4), labels, &folds);
            let told = (1..1000).step_by(20).filter(|&i| view.scores[i] > 1.0);
            told.count()
        };
        assert_eq!(of(&|_| 240), 0);
        assert_eq!(of(&|k| if k % 5 == 0 { 240 } else { 100 }), 50);
    }

    #[test]
    fn what_moves_about_is_no_shortcut() {
        // Every tenth row of class 1 has a red pixel in place 5, and as many have one beside it.
        let of = |beside: &[usize]| {
            let (mut pixels, labels) = rows(1000, 10);
            for (k, i) in (3..1000).step_by(20).enumerate() {
                if let Some(place) = beside.get(k % 4) {
                    pixels[i * SIZE + 3 * place..][..3].copy_from_slice(&[255, 0, 0]);
                }
            }
            let labels = Labels::new(&labels, 2);
            let folds = Folds::draw(labels, Seed(0));
            let view = view(&pixels, (4, 4), labels, &folds);
            view.scores.iter().filter(|score| **score > 1.0).count()
        };
        assert_eq!(of(&[0, 2, 4, 10]), 0);
        assert_eq!(of(&[0]), 50);
        assert_eq!(of(&[3, 7, 11, 15]), 50, "these are far from it");
    }

    #[test]
    fn specks_in_many_places_tell_a_few_rows_at_most() {
        let (mut pixels, labels) = rows(1000, 1000);
        for i in (1..1000).step_by(2) {
            let place = [0, 2, 5, 7, 8, 10, 13, 15][i / 2 % 8];
            let grey = i / 2 % 5 > 0;
            let red = if grey { [100; 3] } else { [255, 0, 0] };
            pixels[i * SIZE + 3 * place..][..3].copy_from_slice(&red);
        }
        let labels = Labels::new(&labels, 2);
        let folds = Folds::draw(labels, Seed(0));
        let view = view(&pixels, (4, 4), labels, &folds);
        let told = view.scores.iter().filter(|score| **score > 1.0).count();
        assert!(told < 40, "{told} of 100 rows with a speck");
    }

    #[test]
    fn a_background_is_no_pixel() {
        let mut row = [255; SIZE];
        assert!(corners(&row, 4, 3).is_empty());
        row[15..18].copy_from_slice(&[0, 0, 255]);
        assert_eq!(corners(&row, 4, 3), [5 * 8 + 4]);
    }

    #[test]
    fn a_colour_that_both_classes_show_says_nothing() {
        assert!(excess((50, 500), (45, 500)) < 0.0);
        assert!(excess((1, 500), (0, 500)) < 0.0, "one row is no rate");
        assert!(excess((10, 500), (0, 4500)) > 1.0);
    }
}
