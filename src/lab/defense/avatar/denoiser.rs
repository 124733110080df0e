//! A small network that tells the noise in pictures: two scales with a bridge between them.

use std::fmt;

use candle_core::{Device, Tensor};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::process::{FAR, mixture};
use crate::data::Dataset;
use crate::nn::epochs::{Epochs, Loss, Tally};
use crate::nn::layers::Conv2d;
use crate::nn::ops::{Conv, concat_channels, mean_square_error};
use crate::nn::optim::Adam;
use crate::nn::params::Params;
use crate::nn::schedule::cosine;
use crate::nn::unit::{Unit, conv};
use crate::nn::{Mode, Precision};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Channels at full and at half resolution.
const WIDTHS: [usize; 2] = [32, 64];
const DOUBLE: Conv = Conv {
    kernel: 4,
    stride: 2,
    padding: 1,
};

/// How it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Schooling {
    /// Passes over the clean rows.
    pub epochs: usize,
    /// Pictures in one step.
    pub batch: usize,
    /// Adam's rate in the first epoch; it falls to zero on a cosine.
    pub learning_rate: f64,
    /// What convolutions multiply.
    pub precision: Precision,
}

impl Default for Schooling {
    fn default() -> Self {
        Self {
            epochs: 8,
            batch: 32,
            learning_rate: 0.002,
            precision: Precision::F32,
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Denoiser {
    params: Params,
    fine: [Unit; 2],
    coarse: [Unit; 3],
    up: Conv2d,
    joined: Unit,
    out: Conv2d,
    size: (usize, usize),
}

/// Mean square error of the predicted noise, of deviation one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Missed(f32);

impl Tally for Missed {
    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    fn add(&mut self, other: &Self, weight: f32) {
        self.0 += weight * other.0;
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "noise missed {:.4}", self.0)
    }
}

impl Denoiser {
    fn new(size: (usize, usize), seed: Seed) -> Result<Self> {
        if !(size.0.is_multiple_of(2) && size.1.is_multiple_of(2)) {
            return Err(Error::Settings {
                name: "image size",
                problem: format!(
                    "{}x{} has an odd side; avatar needs even ones",
                    size.0, size.1
                ),
            });
        }
        let mut params = Params::new(seed);
        let [full, half] = WIDTHS;
        let mut unit = |name: &str, shape, conv| {
            let norm = format!("{name}.norm");
            Unit::new(&mut params, [name, &norm], shape, conv, true)
        };
        // The fourth channel says how much noise there is.
        let fine = [
            unit("fine1", (4, full), conv(3, 1))?,
            unit("fine2", (full, full), conv(3, 1))?,
        ];
        let coarse = [
            unit("coarse1", (full, half), conv(3, 2))?,
            unit("coarse2", (half, half), conv(3, 1))?,
            unit("coarse3", (half, half), conv(3, 1))?,
        ];
        let joined = unit("joined", (2 * full, full), conv(3, 1))?;
        Ok(Self {
            fine,
            coarse,
            joined,
            up: Conv2d::transposed(&mut params, "up", (half, full), DOUBLE)?,
            out: Conv2d::new(&mut params, "out", (full, 3), conv(3, 1), true)?,
            params,
            size,
        })
    }

    /// One that has learnt from the readable rows of `clean`.
    ///
    /// # Errors
    /// [`Error::Settings`] for odd sides, and those of [`Epochs::run`].
    pub fn fit(
        clean: &Dataset,
        schooling: Schooling,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self> {
        schooling.precision.validate()?;
        let size = (clean.height, clean.width);
        let network = Self::new(size, seed.derive("avatar.init", 0))?;
        let epochs = Epochs {
            name: "denoiser",
            rows: clean.readable().len(),
            batch: schooling.batch,
            epochs: schooling.epochs,
            precision: schooling.precision,
            shuffle: (seed, "avatar.shuffle"),
        };
        epochs.run(
            &mut Adam::new(&network.params, 5.0),
            |clock| cosine(schooling.learning_rate, clock.epoch, clock.epochs),
            |clock, rows, mode| {
                let seed = seed.derive("avatar.lesson", clock.step as u64);
                let (noisy, noise, times) = lesson(clean, rows, seed);
                let shape = (rows.len(), size.0, size.1, 3);
                let noise = Tensor::from_vec(noise, shape, &Device::Cpu)?;
                let predicted = network.forward(&network.input(&noisy, &times)?, mode)?;
                let error = mean_square_error(mode, &predicted, &noise)?;
                let tally = Missed(error.to_scalar()?);
                Ok(Loss {
                    terms: vec![(error, 1.0)],
                    tally,
                })
            },
            observer,
        )?;
        Ok(network)
    }

    /// Height and width of its pictures.
    pub(super) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The noise, of deviation one, in pictures `x` at one `time`; `[b, h, w, 3]` both.
    pub(super) fn predict(&self, x: &[f32], time: f64) -> Result<Vec<f32>> {
        let count = x.len() / (self.size.0 * self.size.1 * 3);
        let noise = self.forward(&self.input(x, &vec![time; count])?, Mode::Eval)?;
        Ok(noise.flatten_all()?.to_vec1()?)
    }

    /// Pictures, each at its time, with the deviation of the noise beside the colours.
    fn input(&self, x: &[f32], times: &[f64]) -> Result<Tensor> {
        let (height, width) = self.size;
        let pictures = x.chunks_exact(height * width * 3).zip(times);
        let mut values = Vec::with_capacity(x.len() / 3 * 4);
        for (picture, &time) in pictures {
            let deviation = mixture(time).1 as f32;
            for colour in picture.chunks_exact(3) {
                values.extend_from_slice(colour);
                values.push(deviation);
            }
        }
        let shape = (times.len(), height, width, 4);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let through = |x: Tensor, unit: &Unit| unit.forward(&x, mode);
        let fine = self.fine.iter().try_fold(x.clone(), through)?;
        let coarse = self.coarse.iter().try_fold(fine.clone(), through)?;
        let joined = concat_channels(mode, &fine, &self.up.forward(&coarse, mode)?)?;
        self.out.forward(&self.joined.forward(&joined, mode)?, mode)
    }
}

/// Some rows of `clean`, each at a random time: with noise, the noise, and the times.
fn lesson(clean: &Dataset, rows: &[usize], seed: Seed) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let one = |(place, &row): (usize, &usize)| {
        let rng = &mut seed.stream("avatar.lesson", place as u64);
        let time = FAR * (1.0 - rng.random::<f64>());
        let (signal, deviation) = mixture(time);
        let bytes = clean.image(row).iter();
        let noisy = bytes.map(|&byte| {
            let noise: f32 = StandardNormal.sample(rng);
            let noisy = signal * f64::from(super::value(byte)) + deviation * f64::from(noise);
            (noisy as f32, noise)
        });
        (noisy.unzip::<f32, f32, Vec<_>, Vec<_>>(), time)
    };
    let rows: Vec<_> = rows.par_iter().enumerate().map(one).collect();
    let (mut noisy, mut noise, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for ((one, its_noise), time) in rows {
        noisy.extend(one);
        noise.extend(its_noise);
        times.push(time);
    }
    (noisy, noise, times)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::demo;
    use crate::observe::Silent;

    /// Whoever knows only how large pictures and noise are misses two thirds of it.
    #[test]
    fn most_of_the_noise_on_unseen_pictures_is_told() {
        let clean = demo::dataset(256, Seed(1));
        let schooling = Schooling {
            epochs: 6,
            ..Schooling::default()
        };
        let denoiser = Denoiser::fit(&clean, schooling, Seed(0), &Silent).unwrap();
        let unseen = demo::dataset(64, Seed(2));
        let rows: Vec<usize> = (0..64).collect();
        let (noisy, noise, times) = lesson(&unseen, &rows, Seed(3));
        let input = denoiser.input(&noisy, &times).unwrap();
        let told = denoiser.forward(&input, Mode::Eval).unwrap();
        let told: Vec<f32> = told.flatten_all().unwrap().to_vec1().unwrap();
        let squares = told.iter().zip(&noise).map(|(a, b)| (a - b).powi(2));
        let missed = squares.sum::<f32>() / noise.len() as f32;
        assert!(missed < 0.4, "{missed}");
    }

    #[test]
    fn odd_sides_are_refused() {
        assert!(matches!(
            Denoiser::new((31, 32), Seed(0)),
            Err(Error::Settings { .. })
        ));
    }
}
