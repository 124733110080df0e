//! Cross-fitted, self-trained ridge regression of class on features: the engine of the class-linked views.
//!
//! Whoever trains on a row knows its label, so a row is scored only by models that never saw it or its label. Training is
//! refined: a first model says which training rows seem to carry their class's pattern, and the next model learns the
//! pattern from those. The whole refinement runs inside the training folds (nested cross-validation), so that a row's
//! label has no way, however indirect, into its own score: on clean data, evidence under the own label then has the law
//! of evidence under a wrong one.

use faer::Mat;
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::linalg::{Factor, Rows};
use crate::mixture::{Anchor, Mixture};
use crate::{Result, Seed};

/// Parts of the data; a row is scored by a model of the other parts.
const FOLDS: usize = 5;
/// Refinements of the training targets.
const ROUNDS: usize = 6;
/// Ridge penalty for each training row and unit of feature variance.
const PENALTY: f32 = 0.3;
/// Wrong labels drawn for each row.
const WRONG_LABELS: usize = 4;

/// Evidence of each row under its own label and under wrong ones; standard normal where there is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matched {
    pub(super) own: Vec<f64>,
    /// Rows x [`WRONG_LABELS`] values.
    pub(super) wrong: Vec<f64>,
}

/// Scores `rows` (features of about unit variance) against `labels`, all below `classes`, at least two.
pub(super) fn matched(rows: &Rows, labels: &[u32], classes: usize, seed: Seed) -> Result<Matched> {
    let members = folds(labels, classes, seed);
    let parts: Vec<Part> = members
        .into_iter()
        .map(|members| Part::new(rows, labels, members))
        .collect();
    let scored: Vec<(&Part, Mat<f32>)> = (0..FOLDS)
        .into_par_iter()
        .map(|k| Ok((&parts[k], score_part(&parts, k, classes)?)))
        .collect::<Result<_>>()?;
    let mut matched = Matched {
        own: vec![0.0; labels.len()],
        wrong: vec![0.0; labels.len() * WRONG_LABELS],
    };
    for (part, responses) in scored {
        for (i, &row) in part.members.iter().enumerate() {
            matched.own[row] = margin(&responses, i, part.labels[i] as usize);
            let rng = &mut seed.stream("wrong labels", row as u64);
            for slot in &mut matched.wrong[row * WRONG_LABELS..(row + 1) * WRONG_LABELS] {
                let shift = rng.random_range(1..classes);
                *slot = margin(&responses, i, (part.labels[i] as usize + shift) % classes);
            }
        }
    }
    Ok(matched)
}

/// Row numbers of each fold; every class is spread evenly.
fn folds(labels: &[u32], classes: usize, seed: Seed) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); FOLDS];
    let mut next = 0;
    for class in 0..classes {
        let mut rows: Vec<usize> = (0..labels.len())
            .filter(|&i| labels[i] as usize == class)
            .collect();
        rows.shuffle(&mut seed.stream("folds", class as u64));
        for row in rows {
            members[next % FOLDS].push(row);
            next += 1;
        }
    }
    members
}

/// One fold: its rows, their labels and their second moments.
struct Part {
    members: Vec<usize>,
    rows: Rows,
    labels: Vec<u32>,
    gram: Mat<f32>,
}

impl Part {
    fn new(rows: &Rows, labels: &[u32], members: Vec<usize>) -> Self {
        let rows = rows.select(&members);
        Self {
            labels: members.iter().map(|&i| labels[i]).collect(),
            gram: rows.gram(),
            rows,
            members,
        }
    }
}

/// Responses of part `k` (rows x classes) to models that were trained and refined without it.
fn score_part(parts: &[Part], k: usize, classes: usize) -> Result<Mat<f32>> {
    let training: Vec<&Part> = (0..parts.len())
        .filter(|&f| f != k)
        .map(|f| &parts[f])
        .collect();
    let without = |left_out: Option<usize>| -> Vec<&Part> {
        (0..training.len())
            .filter(|&f| Some(f) != left_out)
            .map(|f| training[f])
            .collect()
    };
    let inner: Vec<Factor> = (0..training.len())
        .map(|f| normal_matrix(&without(Some(f))))
        .collect::<Result<_>>()?;
    let mut carries: Vec<Vec<f64>> = training.iter().map(|p| vec![1.0; p.labels.len()]).collect();
    for _ in 0..ROUNDS {
        let moments: Vec<Mat<f32>> = training
            .iter()
            .zip(&carries)
            .map(|(part, carries)| {
                part.rows
                    .transpose_times(targets(part, carries, classes).as_ref())
            })
            .collect();
        let mut scores = Vec::new();
        let mut labels = Vec::new();
        for (f, part) in training.iter().enumerate() {
            let responses = respond(part, &inner[f], &moments, Some(f));
            scores.extend(
                (0..part.labels.len()).map(|i| margin(&responses, i, part.labels[i] as usize)),
            );
            labels.extend_from_slice(&part.labels);
        }
        let mixture = Mixture::fit(&scores, &labels, classes, Anchor::LOOSE);
        let mut scored = scores.iter().zip(&labels);
        for carries in &mut carries {
            for (carries, (&score, &label)) in carries.iter_mut().zip(&mut scored) {
                *carries = mixture.posterior(score, label);
            }
        }
    }
    let moments: Vec<Mat<f32>> = training
        .iter()
        .zip(&carries)
        .map(|(part, carries)| {
            part.rows
                .transpose_times(targets(part, carries, classes).as_ref())
        })
        .collect();
    Ok(respond(
        &parts[k],
        &normal_matrix(&training)?,
        &moments,
        None,
    ))
}

/// The factored ridge normal matrix of some parts.
fn normal_matrix(parts: &[&Part]) -> Result<Factor> {
    let n: usize = parts.iter().map(|part| part.labels.len()).sum();
    let mut sum = parts[0].gram.clone();
    for part in &parts[1..] {
        sum += &part.gram;
    }
    for i in 0..sum.nrows() {
        sum[(i, i)] += PENALTY * n as f32;
    }
    Factor::new(&sum)
}

/// Centred one-hot labels, each row weighted by the probability that it carries its class's pattern.
fn targets(part: &Part, carries: &[f64], classes: usize) -> Mat<f32> {
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
    part: &Part,
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
