//! Natural or carrying, by two witnesses: what the label says of a row, and what the picture says by itself.
//!
//! One score, their sum, cannot tell where natural rows end: only a law that is assumed says how far their slope reaches. Apart they
//! can. What labels say of natural rows follows the law of what wrong labels say, which is there to be looked at, and it
//! is independent of the picture: a loud natural row has no more of its class than another one. So a row that both witnesses
//! speak of is hardly natural, though neither would be enough.

use std::f64::consts::TAU;

use super::law::{Moments, Share, TAIL_WIDTH, Tailed};
use super::{Anchor, ROUNDS};
use crate::Labels;

/// Stops when all probabilities together move by less than this.
const SETTLED: f64 = 0.05;
/// Added to both variances of the carrying rows.
const RIDGE: f64 = 1e-3;
/// Least deviation of what wrong labels say.
const LEAST: f64 = 1e-3;

/// What two witnesses say of some rows; the more, the more suspicious.
#[derive(Clone, Debug, PartialEq)]
pub struct Testimony {
    /// What the label says.
    pub of_label: Vec<f64>,
    /// The same of wrong labels: rows x any number of them.
    pub of_wrong: Vec<f64>,
    /// What the picture says.
    pub of_picture: Vec<f64>,
}

impl Testimony {
    /// One score a row.
    pub fn sums(&self) -> Vec<f64> {
        let pairs = self.of_label.iter().zip(&self.of_picture);
        pairs.map(|(a, b)| a + b).collect()
    }

    /// What follows of both, by expectation-maximisation from what is believed of each row.
    pub fn account(&self, believed: &[f64], labels: Labels<'_>) -> Account {
        let mut carries = believed.to_vec();
        let mut natural = Natural::start(self, &carries);
        let mut separation = 0.0;
        for _ in 0..ROUNDS {
            natural = natural.next(self, &carries);
            let carrying = Plane::of(self, &carries);
            separation = natural.distance(carrying.mean);
            let mut shares = vec![Share::default(); labels.classes];
            for (&carries, &label) in carries.iter().zip(labels) {
                shares[label as usize].add(carries);
            }
            let posterior = |i: usize| {
                let (a, b) = (self.of_label[i], self.of_picture[i]);
                if a + b <= natural.label.mean + natural.picture.mean {
                    // A wide carrying part would otherwise claim what is far on the other side too.
                    return 0.0;
                }
                // Beyond either mean a witness says no more. The wider of two normal laws would claim what is on the far side of
                // the other: loud natural rows of which labels say less than of most.
                let a = between(a, natural.label.mean, carrying.mean[0]);
                let b = between(b, natural.picture.mean, carrying.mean[1]);
                let share = shares[labels[i] as usize].value();
                let clean = natural.label.ln(a) + natural.picture.ln(b) - carrying.ln(a, b);
                1.0 / (1.0 + clean.min(700.0).exp() * (1.0 - share) / share)
            };
            let next: Vec<f64> = (0..carries.len()).map(posterior).collect();
            let moved: f64 = next.iter().zip(&carries).map(|(a, b)| (a - b).abs()).sum();
            carries = next;
            if moved < SETTLED {
                break;
            }
        }
        Account {
            carries,
            separation,
        }
    }
}

/// The value, or the nearer of the two means if it is not between them. As it is where the carrying mean is not the larger one: of
/// such a witness more is not more suspicious.
fn between(value: f64, natural: f64, carrying: f64) -> f64 {
    match carrying > natural {
        true => value.clamp(natural, carrying),
        false => value,
    }
}

/// What two witnesses together say.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The probability of each row to carry.
    pub carries: Vec<f64>,
    /// Distance between the means of the two sides, in deviations of the natural one.
    pub separation: f64,
}

/// Natural rows.
struct Natural {
    /// Both of its widths are those of what wrong labels say.
    label: Tailed,
    /// With the tail of [`Anchor::FAR`], since nothing shows the law of natural pictures beside those that carry.
    picture: Tailed,
}

impl Natural {
    fn start(testimony: &Testimony, carries: &[f64]) -> Self {
        let law = |values: &[f64]| {
            let mut moments = Moments::default();
            for (value, natural) in naturally(values, carries) {
                moments.add(value, natural);
            }
            let (mean, deviation) = moments.or((0.0, 1.0));
            Tailed::new((mean, deviation.max(LEAST)), Anchor::FAR.tail, TAIL_WIDTH)
        };
        Self {
            label: law(&testimony.of_wrong),
            picture: law(&testimony.of_picture),
        }
    }

    /// How far away a mean lies, in deviations.
    fn distance(&self, mean: [f64; 2]) -> f64 {
        let [label, picture] = [(&self.label, mean[0]), (&self.picture, mean[1])]
            .map(|(law, mean)| (mean - law.mean) / law.deviation);
        label.max(0.0).hypot(picture.max(0.0))
    }

    /// The laws of the rows that do not carry.
    fn next(&self, testimony: &Testimony, carries: &[f64]) -> Self {
        let [mut core, mut tail] = [(); 2].map(|()| Moments::default());
        for (value, natural) in naturally(&testimony.of_wrong, carries) {
            let inside = self.label.core_share(value);
            core.add(value, natural * inside);
            tail.add(value, natural * (1.0 - inside));
        }
        let label = self.label.about(&core, &tail);
        let mut picture = Moments::default();
        for (value, natural) in naturally(&testimony.of_picture, carries) {
            picture.add(value, natural * self.picture.core_weight(value));
        }
        let picture = Anchor::FAR.held(picture.or((self.picture.mean, 1.0)));
        Self {
            label,
            picture: Tailed::new(picture, Anchor::FAR.tail, TAIL_WIDTH),
        }
    }
}

/// Each of the `values`, as many a row for all rows, with the probability that its row is natural.
fn naturally<'a>(values: &'a [f64], carries: &'a [f64]) -> impl Iterator<Item = (f64, f64)> {
    let each = values.len() / carries.len().max(1);
    let values = values.iter().enumerate();
    values.map(move |(i, &value)| (value, 1.0 - carries[i / each]))
}

impl Tailed {
    /// The law of which `core` and `tail` are the parts.
    fn about(&self, core: &Moments, tail: &Moments) -> Self {
        let (mean, deviation) = core.or((self.mean, LEAST));
        let deviation = deviation.max(LEAST);
        let (_, wide) = tail.or((mean, TAIL_WIDTH * deviation));
        let share = tail.weight / (core.weight + tail.weight).max(f64::MIN_POSITIVE);
        Self::new(
            (mean, deviation),
            share.clamp(1e-6, 0.5),
            (wide / deviation).max(1.0),
        )
    }
}

/// The normal law of both scores of the carrying rows.
struct Plane {
    mean: [f64; 2],
    /// Inverse covariance: both ends of the diagonal, and what is beside it.
    inverse: [f64; 3],
    ln_peak: f64,
}

impl Plane {
    fn of(testimony: &Testimony, carries: &[f64]) -> Self {
        let rows = || {
            let pairs = testimony.of_label.iter().zip(&testimony.of_picture);
            pairs.zip(carries)
        };
        let weight = rows().map(|(_, p)| p).sum::<f64>().max(f64::MIN_POSITIVE);
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            rows().map(|((&a, &b), p)| p * of(a, b)).sum::<f64>() / weight
        };
        let mean = [sum(&|a, _| a), sum(&|_, b| b)];
        let (da, db) = (|a: f64| a - mean[0], |b: f64| b - mean[1]);
        let aa = sum(&|a, _| da(a).powi(2)) + RIDGE;
        let bb = sum(&|_, b| db(b).powi(2)) + RIDGE;
        let ab = sum(&|a, b| da(a) * db(b));
        let determinant = aa * bb - ab * ab;
        Self {
            mean,
            inverse: [bb, aa, -ab].map(|v| v / determinant),
            ln_peak: -0.5 * determinant.ln() - TAU.ln(),
        }
    }

    fn ln(&self, a: f64, b: f64) -> f64 {
        let (a, b) = (a - self.mean[0], b - self.mean[1]);
        let [aa, bb, ab] = self.inverse;
        self.ln_peak - 0.5 * (aa * a * a + 2.0 * ab * a * b + bb * b * b)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::super::{Anchor, Mixture};
    use super::*;

    const NATURAL: usize = 1600;
    const CARRYING: usize = 400;

    /// Rows that carry come last. Both of their scores rise with how plain a picture is.
    fn testimony(label: f64, picture: f64) -> Testimony {
        let plain = draw(CARRYING, 1.0, 0.4, 0);
        let carrying = |mean: f64, stream| -> Vec<f64> {
            let noise = draw(CARRYING, 0.0, 0.4, stream);
            let rows = plain.iter().zip(noise);
            rows.map(|(plain, noise)| mean * plain + noise).collect()
        };
        let mut of_picture = draw(NATURAL, 0.0, 0.6, 1);
        // Loud pictures: a slope that no normal law has.
        for (value, loud) in of_picture.iter_mut().zip(draw(30, 2.5, 1.0, 2)) {
            *value = loud;
        }
        of_picture.extend(carrying(picture, 3));
        let mut of_label = draw(NATURAL, 0.0, 0.35, 4);
        of_label.extend(carrying(label, 5));
        Testimony {
            of_label,
            of_wrong: draw(4 * (NATURAL + CARRYING), 0.0, 0.35, 6),
            of_picture,
        }
    }

    /// Numbers of carrying and of natural rows that surely carry, by `members`.
    fn taken(members: &[f64]) -> (usize, usize) {
        let taken = |rows: &[f64]| rows.iter().filter(|p| **p > 0.99).count();
        (taken(&members[NATURAL..]), taken(&members[..NATURAL]))
    }

    fn by_sum_and_by_both(label: f64, picture: f64) -> [(usize, usize); 2] {
        let (testimony, labels) = (testimony(label, picture), [0; NATURAL + CARRYING]);
        let sums = testimony.sums();
        let labels = Labels::new(&labels, 1);
        let mixture = Mixture::fit(&sums, labels, Anchor::FAR);
        let alone = mixture.posteriors(&sums, labels);
        [&alone, &testimony.account(&alone, labels).carries].map(|members| taken(members))
    }

    #[test]
    fn rows_that_both_witnesses_speak_of_carry() {
        let [(few, _), (more, wrong)] = by_sum_and_by_both(2.2, 2.8);
        assert!(more > few + 20, "{few} {more}");
        assert!(more > 335 && wrong <= 4, "{more} {wrong}");
    }

    #[test]
    fn where_labels_say_nothing_the_picture_decides_as_the_sum_does() {
        let [(alone, _), (both, wrong)] = by_sum_and_by_both(0.0, 6.0);
        assert!(alone.abs_diff(both) <= 8, "{alone} {both}");
        assert!(wrong < 20, "{wrong}");
    }

    #[test]
    fn labels_that_say_less_of_a_loud_row_than_of_most_do_not_speak_against_it_being_natural() {
        let loud = 20;
        let both = |natural: [f64; 2], carrying: [f64; 2], loudly: [f64; 2], stream| {
            let parts = [(NATURAL, natural), (loud, loudly), (CARRYING, carrying)];
            let draws = parts.into_iter().zip(stream..);
            let draws =
                draws.flat_map(|((n, [mean, deviation]), stream)| draw(n, mean, deviation, stream));
            draws.collect::<Vec<f64>>()
        };
        let rows = NATURAL + loud + CARRYING;
        let testimony = Testimony {
            of_label: both([0.0, 0.2], [0.6, 0.5], [-0.8, 0.01], 10),
            of_wrong: draw(4 * rows, 0.0, 0.2, 20),
            of_picture: both([0.0, 0.6], [3.0, 0.8], [2.5, 0.01], 30),
        };
        let believed: Vec<f64> = (0..rows).map(|i| f64::from(i >= NATURAL)).collect();
        let account = testimony.account(&believed, Labels::new(&vec![0; rows], 1));
        let sure = |rows: &[f64]| rows.iter().filter(|p| **p > 0.99).count();
        assert_eq!(sure(&account.carries[NATURAL..NATURAL + loud]), 0);
        assert!(sure(&account.carries[NATURAL + loud..]) > CARRYING / 3);
    }
}
