//! AVATAR (Dolatabadi et al., SaTML 2024): pictures are drowned in some noise, and a diffusion model of clean pictures brings
//! them back, without the perturbation. It needs clean data that nothing else here does.
//!
//! **A stand-in.** The published model is a score network of 60 million weights, trained on all of CIFAR-10's clean rows. Ours
//! has some hundred thousand, learns from the held-out rows it is given, for minutes, only the times that are used, and
//! takes 20 steps back in place of 100. Values are clipped at the end, where the published code lets them wrap.

mod denoiser;
mod process;

use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::data::Dataset;
use crate::purify::{Cure, Job, Purifier};
use crate::{Error, Result};

pub use denoiser::{Denoiser, Schooling};

/// Steps of the way back.
const STEPS: usize = 20;
/// Pictures that go it together.
const BATCH: usize = 64;

/// The purifier.
#[derive(Debug)]
pub struct Avatar {
    denoiser: Denoiser,
}

impl Avatar {
    /// With a network that knows clean pictures.
    pub fn new(denoiser: Denoiser) -> Self {
        Self { denoiser }
    }
}

impl Purifier for Avatar {
    fn name(&self) -> &'static str {
        "avatar"
    }

    fn settings(&self) -> Value {
        json!({ "time": process::FAR, "steps": STEPS, "stand_in": true })
    }

    fn purify(&self, data: &Dataset, job: Job<'_>) -> Result<Cure> {
        if (data.height, data.width) != self.denoiser.size() {
            return Err(Error::Settings {
                name: "image size",
                problem: "avatar has learnt from pictures of another size".into(),
            });
        }
        let (rows, size) = (data.readable().len(), data.height * data.width * 3);
        let mut pure = Vec::with_capacity(data.pixels().len());
        job.observer.stage("avatar", rows as u64);
        for start in (0..rows).step_by(BATCH) {
            job.observer.check()?;
            let end = rows.min(start + BATCH);
            let streams = start..end;
            let mut streams: Vec<ChaCha12Rng> = streams
                .map(|row| job.seed.stream("avatar.path", row as u64))
                .collect();
            let bytes = &data.pixels()[start * size..end * size];
            let mut x: Vec<f32> = bytes.iter().copied().map(value).collect();
            process::forth(&mut x, &noise(&mut streams, size));
            let predict = |x: &[f32], time| self.denoiser.predict(x, time);
            process::back(&mut x, STEPS, predict, || noise(&mut streams, size))?;
            pure.extend(x.into_iter().map(byte));
            job.observer.progress(end as u64);
        }
        Ok(Cure::Block(pure))
    }
}

/// Of deviation one, `size` numbers from each stream.
fn noise(streams: &mut [ChaCha12Rng], size: usize) -> Vec<f32> {
    let mut noise = vec![0.0; streams.len() * size];
    noise
        .par_chunks_exact_mut(size)
        .zip(streams)
        .for_each(|(picture, rng)| picture.fill_with(|| StandardNormal.sample(rng)));
    noise
}

/// A byte in [-1, 1].
fn value(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

fn byte(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round() as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::Silent;
    use crate::{Seed, demo};

    #[test]
    fn bytes_survive_the_way_to_values_and_back() {
        assert!((0..=255u8).all(|level| byte(value(level)) == level));
        assert_eq!([byte(-1.5), byte(1.5)], [0, 255]);
    }

    /// What comes back is much nearer to the picture than what was sent, the same for the same seed, and of one size alone.
    #[test]
    fn pictures_come_back() {
        let clean = demo::dataset(256, Seed(1));
        let schooling = Schooling {
            epochs: 6,
            ..Schooling::default()
        };
        let avatar = Avatar::new(Denoiser::fit(&clean, schooling, Seed(0), &Silent).unwrap());
        let purify = |data: &Dataset| {
            let job = Job {
                seed: Seed(2),
                keep: None,
                observer: &Silent,
            };
            avatar.purify(data, job).map(|cure| match cure {
                Cure::Block(pure) => pure,
                Cure::Picture(_) => panic!("avatar gives a block"),
            })
        };
        let data = demo::dataset(70, Seed(3));
        let pure = purify(&data).unwrap();
        let pairs = pure.iter().zip(data.pixels());
        let squares = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
        let missed = (squares.sum::<f64>() / pure.len() as f64).sqrt();
        let sent = 127.5 * process::mixture(process::FAR).1;
        assert!(missed < 0.8 * sent, "{missed} of {sent} levels");
        assert!(purify(&data).unwrap() == pure);
        let classes = data.class_names.clone();
        let other = Dataset::from_pixels("", "", classes, (8, 8), vec![0; 192], &[0]);
        assert!(matches!(purify(&other), Err(Error::Settings { .. })));
    }
}
