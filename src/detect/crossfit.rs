//! Cross-fitted, self-trained ridge regression of class on features: the engine of the class-linked views.
//!
//! Whoever trains on a row knows its label, so a row is scored only by models that never saw it or its label. Training is
//! refined: a first model says which training rows seem to carry their class's pattern, and the next model learns the
//! pattern from those. The whole refinement runs inside the training folds (nested cross-validation), so that a row's
//! label has no way, however indirect, into its own score: on clean data, evidence under the own label then has the law
//! of evidence under a wrong one.

use faer::Mat;
use rayon::prelude::*;

use super::folds::Folds;
use super::linalg::{Factor, Rows, Slab};
use super::matched::Matched;
use crate::mixture::{Anchor, Mixture};
use crate::{Labels, Result};

/// Refinements of the training targets.
const ROUNDS: usize = 6;

/// How a class is fitted to features.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Ridge penalty for each training row and unit of feature variance.
    pub(super) penalty: f32,
    /// What a row must look like to teach the next round.
    pub(super) anchor: Anchor,
}

/// Scores `rows` (features of about unit variance, in the order of the `folds`) against `labels`, in block order.
pub(super) fn matched<'a>(
    rows: &Rows,
    labels: Labels<'_>,
    folds: &'a Folds,
    fit: Fit,
) -> Result<Matched<'a>> {
    let classes = folds.classes;
    let mut start = 0;
    let mut parts = Vec::new();
    for members in &folds.members {
        let end = start + members.len();
        parts.push(Part::new(rows.slab(start..end), labels, members));
        start = end;
    }
    // One fold after the other, each on all cores: its matrices are large.
    let scored: Vec<Mat<f32>> = (0..parts.len())
        .map(|k| score_part(&parts, k, classes, fit))
        .collect::<Result<_>>()?;
    let mut matched = Matched::new(labels.len(), folds);
    for (part, responses) in parts.iter().zip(scored) {
        for (i, &row) in part.members.iter().enumerate() {
            let score = |label| margin(&responses, i, label as usize);
            matched.note(row, part.labels[i], score);
        }
    }
    Ok(matched)
}

/// One fold: its rows, their labels and their second moments.
struct Part<'a> {
    members: &'a [usize],
    rows: Slab<'a>,
    labels: Vec<u32>,
    gram: Mat<f32>,
}

impl<'a> Part<'a> {
    fn new(rows: Slab<'a>, labels: Labels<'_>, members: &'a [usize]) -> Self {
        Self {
            labels: members.iter().map(|&i| labels[i]).collect(),
            gram: rows.gram(),
            rows,
            members,
        }
    }
}

/// Responses of part `k` (rows x classes) to models that were trained and refined without it.
fn score_part(parts: &[Part<'_>], k: usize, classes: usize, fit: Fit) -> Result<Mat<f32>> {
    let training: Vec<&Part<'_>> = (0..parts.len())
        .filter(|&f| f != k)
        .map(|f| &parts[f])
        .collect();
    let without = |left_out: Option<usize>| -> Vec<&Part<'_>> {
        (0..training.len())
            .filter(|&f| Some(f) != left_out)
            .map(|f| training[f])
            .collect()
    };
    let inner: Vec<Factor> = (0..training.len())
        .into_par_iter()
        .map(|f| normal_matrix(&without(Some(f)), fit.penalty))
        .collect::<Result<_>>()?;
    let mut carries: Vec<Vec<f64>> = training.iter().map(|p| vec![1.0; p.labels.len()]).collect();
    let labels = training.iter().map(|part| part.labels.as_slice());
    let labels = labels.collect::<Vec<_>>().concat();
    for _ in 0..ROUNDS {
        let moments = moments(&training, &carries, classes);
        let of_part = |(f, part): (usize, &&Part<'_>)| -> Vec<f64> {
            let responses = respond(part, &inner[f], &moments, Some(f));
            let labels = part.labels.iter().enumerate();
            let own = labels.map(|(i, &label)| margin(&responses, i, label as usize));
            own.collect()
        };
        let scores = training.par_iter().enumerate().map(of_part);
        let scores = scores.collect::<Vec<_>>().concat();
        let mixture = Mixture::fit(&scores, Labels::new(&labels, classes), fit.anchor);
        let mut scored = scores.iter().zip(&labels);
        for carries in &mut carries {
            for (carries, (&score, &label)) in carries.iter_mut().zip(&mut scored) {
                *carries = mixture.posterior(score, label);
            }
        }
    }
    let moments = moments(&training, &carries, classes);
    Ok(respond(
        &parts[k],
        &normal_matrix(&training, fit.penalty)?,
        &moments,
        None,
    ))
}

/// The factored ridge normal matrix of some parts.
fn normal_matrix(parts: &[&Part<'_>], penalty: f32) -> Result<Factor> {
    let n: usize = parts.iter().map(|part| part.labels.len()).sum();
    let mut sum = parts[0].gram.clone();
    for part in &parts[1..] {
        sum += &part.gram;
    }
    for i in 0..sum.nrows() {
        sum[(i, i)] += penalty * n as f32;
    }
    Factor::new(&sum)
}

/// `Z^T T` of each part: features times targets.
fn moments(parts: &[&Part<'_>], carries: &[Vec<f64>], classes: usize) -> Vec<Mat<f32>> {
    let moment = |(part, carries): (&&Part<'_>, &Vec<f64>)| {
        part.rows
            .transpose_times(targets(part, carries, classes).as_ref())
    };
    parts.par_iter().zip(carries).map(moment).collect()
}

/// Centred one-hot labels, each row weighted by the probability that it carries its class's pattern.
fn targets(part: &Part<'_>, carries: &[f64], classes: usize) -> Mat<f32> {
    let n = part.labels.len();
    let mut targets = Mat::<f32>::zeros(n, classes);
    let mut mean = vec![0f64; classes];
    for (i, (&label, &carries)) in part.labels.iter().zip(carries).enumerate() {
        targets[(i, label as usize)] = carries as f32;
        mean[label as usize] += carries / n as f64;
    }
    for (class, mean) in mean.iter().enumerate() {
        for i in 0..n {
            targets[(i, class)] -= *mean as f32;
        }
    }
    targets
}

/// Responses of `part` to the model of all `moments` but `left_out`, each class in units of its spread over the rows of
/// the other classes.
fn respond(
    part: &Part<'_>,
    factor: &Factor,
    moments: &[Mat<f32>],
    left_out: Option<usize>,
) -> Mat<f32> {
    let mut sum = Mat::zeros(moments[0].nrows(), moments[0].ncols());
    for (f, moment) in moments.iter().enumerate() {
        if Some(f) != left_out {
            sum += moment;
        }
    }
    let weights = factor.solve(&sum);
    let mut responses = Mat::zeros(part.labels.len(), weights.ncols());
    faer::linalg::matmul::matmul(
        responses.as_mut(),
        faer::Accum::Replace,
        part.rows.as_mat(),
        weights.as_ref(),
        1.0,
        faer::Par::Seq,
    );
    for class in 0..responses.ncols() {
        let others = part
            .labels
            .iter()
            .enumerate()
            .filter(|(_, l)| **l as usize != class);
        let (mut count, mut squares) = (0usize, 0f64);
        for (i, _) in others {
            count += 1;
            squares += f64::from(responses[(i, class)]).powi(2);
        }
        let deviation = (squares / count.max(1) as f64).sqrt().max(1e-12) as f32;
        for i in 0..responses.nrows() {
            responses[(i, class)] /= deviation;
        }
    }
    responses
}

/// Response of row `i` to `class` less its mean response to the other classes.
fn margin(responses: &Mat<f32>, i: usize, class: usize) -> f64 {
    let classes = responses.ncols();
    let sum: f64 = (0..classes).map(|c| f64::from(responses[(i, c)])).sum();
    let own = f64::from(responses[(i, class)]);
    own - (sum - own) / (classes - 1) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Seed;
    use crate::stats::moments as moments_of;
    use rand_distr::{Distribution, StandardNormal};

    const FIT: Fit = Fit {
        penalty: 0.3,
        anchor: Anchor::LOOSE,
    };
    const DIM: usize = 40;
    const CLASSES: usize = 3;

    /// Noise; every `every`-th row carries its class's pattern, at `lift` standard deviations.
    fn planted(n: usize, every: usize, lift: f32) -> (Rows, Vec<u32>) {
        let rng = &mut Seed(5).stream("planted", 0);
        let mut values: Vec<f32> = (0..n * DIM).map(|_| StandardNormal.sample(rng)).collect();
        let labels: Vec<u32> = (0..n).map(|i| (i / every % CLASSES) as u32).collect();
        for i in (0..n).step_by(every) {
            let class = labels[i] as usize;
            (0..4).for_each(|k| values[i * DIM + 4 * class + k] += lift / 2.0);
        }
        (Rows { values, dim: DIM }, labels)
    }

    /// Of each row, and of wrong labels.
    fn scored(rows: &Rows, labels: &[u32]) -> [Vec<f64>; 2] {
        let labels = Labels::new(labels, CLASSES);
        let folds = Folds::draw(labels, Seed(0));
        let matched = matched(&rows.select(&folds.order()), labels, &folds, FIT).unwrap();
        [matched.own, matched.wrong]
    }

    #[test]
    fn without_a_pattern_the_own_label_scores_like_a_wrong_one() {
        let (rows, labels) = planted(3000, 5, 0.0);
        let [own, wrong] = scored(&rows, &labels).map(|scores| moments_of(&scores));
        assert!((own.0 - wrong.0).abs() < 0.15, "{own:?} {wrong:?}");
        assert!((own.1 - wrong.1).abs() < 0.15, "{own:?} {wrong:?}");
    }

    #[test]
    fn rows_that_carry_stand_out_and_the_rest_of_their_class_does_not() {
        let (rows, labels) = planted(3000, 5, 6.0);
        let [own, _] = scored(&rows, &labels);
        let pick = |carrying: bool| -> Vec<f64> {
            let rows = (0..3000).filter(|i| (i % 5 == 0) == carrying);
            rows.map(|i| own[i]).collect()
        };
        assert!(
            moments_of(&pick(true)).0 > 4.0,
            "{:?}",
            moments_of(&pick(true))
        );
        assert!(
            moments_of(&pick(false)).0 < 0.5,
            "{:?}",
            moments_of(&pick(false))
        );
    }
}
