//! Copies: pictures that look alike share every trace, a template above all, and stand apart as a group. People see why.

use super::grain::Grain;
use super::group::Group;
use crate::Labels;

/// Share of the visible variance of some pictures that their mean holds beyond that of the rest of their class, if they look
/// alike. Pictures of one class of CIFAR-10 have a tenth in common, those of an easy class much more, and a few that are taken at
/// random no more than one over their number beside it.
const ALIKE: f64 = 0.25;
/// Fewer pictures of a class are not compared.
const LEAST: usize = 4;

/// `group` without the classes whose pictures in it look alike.
pub(super) fn without_copies(group: Group, visible: &Grain<'_>, labels: Labels<'_>) -> Group {
    let (inside, outside) = group.sides();
    let of_class = |rows: &[usize]| -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); labels.classes];
        rows.iter()
            .for_each(|&i| members[labels[i] as usize].push(i));
        members
    };
    let pairs = of_class(&inside).into_iter().zip(of_class(&outside));
    let copies: Vec<bool> = pairs
        .map(|(inside, outside)| {
            inside.len() >= LEAST
                && in_common(&inside, visible) - in_common(&outside, visible) > ALIKE
        })
        .collect();
    group.without_classes(labels, &copies)
}

/// The energy of the mean of the rows, as a share of their mean energy.
fn in_common(rows: &[usize], visible: &Grain<'_>) -> f64 {
    let (height, width) = visible.size();
    let mut picture = vec![0f32; height * width * 3];
    let mut mean = vec![0f64; picture.len()];
    let mut energy = 0f64;
    for &row in rows {
        visible.write(row, &mut picture);
        for (mean, &value) in mean.iter_mut().zip(&picture) {
            *mean += f64::from(value);
            energy += f64::from(value).powi(2);
        }
    }
    let n = rows.len().max(1) as f64;
    let common: f64 = mean.iter().map(|sum| (sum / n).powi(2)).sum();
    common / (energy / n).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::super::coefficients::Coefficients;
    use super::super::lens::Band;
    use super::*;
    use crate::Seed;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn copies_leave_a_group_and_different_pictures_stay() {
        let (n, dim) = (200, 8 * 8 * 3);
        let rng = &mut Seed(3).stream("copies", 0);
        let mut pixels: Vec<f32> = (0..n * dim).map(|_| StandardNormal.sample(rng)).collect();
        // The first ten rows of class 1 show one picture.
        for copy in (3..21).step_by(2) {
            pixels.copy_within(dim..2 * dim, copy * dim);
        }
        let read = |i: usize, out: &mut [f32]| out.copy_from_slice(&pixels[i * dim..][..dim]);
        let coefficients = Coefficients::of(n, (8, 8), &read);
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
        let group = Group::of_rows(n, |i| i < 20);
        let visible = Grain::new(&coefficients, Band::Visible);
        let left = without_copies(group, &visible, Labels::new(&labels, 2));
        let inside: Vec<usize> = left.sides().0;
        assert_eq!(inside, (0..20).step_by(2).collect::<Vec<_>>());
    }
}
