//! The loop of every training: shuffled batches, a step for each, and a guard against numbers that are none.

use std::fmt::Display;

use candle_core::Tensor;
use rand::seq::SliceRandom;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::optim::Optimizer;
use super::resume::Resume;
use super::{Mode, Precision, Tape};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// How often a training passes over its rows, and how.
#[derive(Clone, Copy, Debug)]
pub struct Epochs {
    /// What is trained, for messages.
    pub name: &'static str,
    /// Rows of the data.
    pub rows: usize,
    /// Rows in one step; the last partial batch of an epoch is left out, and data smaller than a batch trains as one.
    pub batch: usize,
    /// Passes over the rows.
    pub epochs: usize,
    /// What convolutions multiply.
    pub precision: Precision,
    /// Stream of the orders of the rows, one an epoch.
    pub shuffle: (Seed, &'static str),
}

/// Where a training stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// This epoch, counted from 0.
    pub epoch: usize,
    /// All epochs.
    pub epochs: usize,
    /// This step, counted from 0 since the start of the training.
    pub step: usize,
    /// All steps.
    pub steps: usize,
}

/// What a step tells: numbers whose mean over an epoch is worth knowing.
pub trait Tally: Default + Display {
    /// True while every number is one.
    fn is_finite(&self) -> bool;
    /// Adds `other` times `weight`.
    fn add(&mut self, other: &Self, weight: f32);
}

/// The loss of one batch.
#[derive(Clone, Debug)]
pub struct Loss<T> {
    /// Scalars with their weights, whose sum is minimised.
    pub terms: Vec<(Tensor, f64)>,
    /// What the step tells.
    pub tally: T,
}

/// What one step did.
#[derive(Clone, Debug)]
pub struct Step<T> {
    /// What the loss told before the step; `None` where it or the gradient is not finite, and nothing was changed.
    pub tally: Option<T>,
    /// Floating-point operations of its matrix products, see [`Tape::flops`].
    pub flops: u64,
}

/// One step of `rate` down the gradient of `loss`: forward, backward, optimiser, with convolutions of `precision`. What `loss` lets
/// go of is freed before the backward pass.
///
/// # Errors
/// Whatever `loss` returns, or if an operator's backward pass fails.
pub fn step<T: Tally>(
    optimizer: &mut dyn Optimizer,
    rate: f64,
    precision: Precision,
    loss: impl FnOnce(Mode<'_>) -> Result<Loss<T>>,
) -> Result<Step<T>> {
    let tape = Tape::with_precision(precision);
    let Loss { terms, tally } = loss(Mode::Train(&tape))?;
    let flops = tape.flops();
    let norm = if tally.is_finite() {
        optimizer.step(&tape.gradients(&terms)?, rate)?
    } else {
        f64::NAN
    };
    Ok(Step {
        tally: norm.is_finite().then_some(tally),
        flops,
    })
}

impl Epochs {
    /// Trains: `loss` evaluates a batch of rows, `rate` gives the learning rate of a step. Returns the mean tally of each
    /// epoch.
    ///
    /// # Errors
    /// [`Error::Numeric`] for fewer than two rows or when the loss stops being a number, [`Error::Interrupted`] when the
    /// observer says so, and whatever `loss` returns.
    pub fn run<T: Tally>(
        &self,
        optimizer: &mut dyn Optimizer,
        rate: impl Fn(Clock) -> f64,
        loss: impl FnMut(Clock, &[usize], Mode<'_>) -> Result<Loss<T>>,
        observer: &dyn Observer,
    ) -> Result<Vec<T>> {
        let keep = |_: &mut dyn Optimizer, _: &[T]| Ok(());
        self.go_on(Vec::new(), optimizer, rate, loss, keep, observer)
    }

    /// As [`Epochs::run`], from where `resume` says that an earlier run stopped, if there is one: the end is the same.
    ///
    /// # Errors
    /// As [`Epochs::run`], and [`Error::Checkpoint`] where the file is of another training.
    pub fn run_from<T: Tally + Serialize + DeserializeOwned>(
        &self,
        resume: Option<Resume<'_>>,
        optimizer: &mut dyn Optimizer,
        rate: impl Fn(Clock) -> f64,
        loss: impl FnMut(Clock, &[usize], Mode<'_>) -> Result<Loss<T>>,
        observer: &dyn Observer,
    ) -> Result<Vec<T>> {
        let Some(mut resume) = resume else {
            return self.run(optimizer, rate, loss, observer);
        };
        let history = resume.load(optimizer, observer)?;
        let keep = |optimizer: &mut dyn Optimizer, history: &[T]| match history.len() {
            // The end of a training is kept by whoever asked for it.
            done if done < self.epochs => resume.save(optimizer, history),
            _ => Ok(()),
        };
        self.go_on(history, optimizer, rate, loss, keep, observer)
    }

    /// Trains the epochs that are not in `history`; `keep` is called after each.
    fn go_on<T: Tally>(
        &self,
        mut history: Vec<T>,
        optimizer: &mut dyn Optimizer,
        rate: impl Fn(Clock) -> f64,
        mut loss: impl FnMut(Clock, &[usize], Mode<'_>) -> Result<Loss<T>>,
        mut keep: impl FnMut(&mut dyn Optimizer, &[T]) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<Vec<T>> {
        let batch = self.batch.min(self.rows);
        if batch < 2 {
            let problem = format!("{} readable images; at least 2 are needed", self.rows);
            return Err(self.failed(problem));
        }
        let steps = self.rows / batch;
        observer.stage(
            &format!("train {}", self.name),
            (self.epochs * steps) as u64,
        );
        let mut order: Vec<usize> = (0..self.rows).collect();
        let (seed, purpose) = self.shuffle;
        for epoch in history.len()..self.epochs {
            order.sort_unstable();
            order.shuffle(&mut seed.stream(purpose, epoch as u64));
            let mut mean = T::default();
            for (step, rows) in order.chunks_exact(batch).enumerate() {
                observer.check()?;
                let clock = Clock {
                    epoch,
                    epochs: self.epochs,
                    step: epoch * steps + step,
                    steps: self.epochs * steps,
                };
                let done = self::step(optimizer, rate(clock), self.precision, |mode| {
                    loss(clock, rows, mode)
                })?;
                let Some(tally) = done.tally else {
                    return Err(self.failed(format!(
                        "the loss or its gradient is not finite in epoch {}, step {}; lower learning_rate",
                        epoch + 1,
                        step + 1
                    )));
                };
                mean.add(&tally, (steps as f32).recip());
                observer.progress(clock.step as u64 + 1);
            }
            observer.note(&format!("epoch {}/{}: {mean}", epoch + 1, self.epochs));
            history.push(mean);
            keep(optimizer, &history)?;
        }
        Ok(history)
    }

    fn failed(&self, problem: String) -> Error {
        Error::Numeric {
            stage: self.name,
            problem,
        }
    }
}
