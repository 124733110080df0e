//! AR: autoregressive perturbations (Sandoval-Segura et al., NeurIPS 2022).
//!
//! Each class has a process: every pixel of a signal is a fixed mix of its eight neighbours above and to the left, started
//! from noise. Each row gets a fresh signal, so that nothing is bound to a place: the class is in the texture.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Attack, Budget, Perturbation, Target, WorkFile};
use crate::observe::Observer;
use crate::{Error, Result, Seed};

/// Side of a process's window.
const WINDOW: usize = 3;
/// Coefficients of a colour: the window without its last place, which is the pixel that is made.
const TAPS: usize = WINDOW * WINDOW - 1;
/// Rows and columns at the start of a signal that are thrown away: they are closer to the noise than to the process.
const BURN_IN: usize = 4;
/// Side of the signals on which a process is tried.
const TRIAL_SIDE: usize = 32;
/// Signals on which a process is tried.
const TRIALS: u64 = 3;
/// A trial louder than this diverges: white noise of that size has a norm of 55.
const LOUDEST: f64 = 50.0;
/// Least response of another class's filter to a signal of norm 1, up to this many classes...
const FEW_CLASSES: (usize, f64) = (10, 10.0);
/// ...and for more.
const LEAST_RESPONSE: f64 = 3.0;
/// Processes that are tried before the search is given up.
const DRAWS: u64 = 1_000_000;

/// The attack, with its radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ar {
    /// Euclidean norm of each perturbation, in [0, 1] pixel units: 1.0 for pictures of 32 x 32.
    pub radius: f64,
}

impl Default for Ar {
    fn default() -> Self {
        Self { radius: 1.0 }
    }
}

impl Attack for Ar {
    fn name(&self) -> &'static str {
        "ar"
    }

    fn budget(&self) -> Budget {
        Budget::L2(self.radius)
    }

    fn settings(&self) -> Value {
        json!({
            "window": WINDOW,
            "burn_in": BURN_IN,
            "trials": TRIALS,
            "trial_side": TRIAL_SIDE,
            "loudest": LOUDEST,
            "least_response": { "to_10_classes": FEW_CLASSES.1, "beyond": LEAST_RESPONSE },
            "draws": DRAWS,
        })
    }

    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        seed: Seed,
        _: &mut WorkFile,
        _: &dyn Observer,
    ) -> Result<Perturbation> {
        let processes = processes(target.classes, seed)?;
        let (height, width) = (target.height, target.width);
        let values = target
            .labels
            .par_iter()
            .enumerate()
            .flat_map_iter(|(row, &label)| {
                let mut rng = seed.stream("ar.signal", row as u64);
                let mut signal = processes[label as usize].signal(height, width, &mut rng);
                scale(&mut signal, self.radius);
                signal
            })
            .collect();
        Ok(Perturbation {
            height,
            width,
            values,
            converged: true,
        })
    }
}

/// The mix of neighbours for each colour, the window row by row; each colour's sums to 1.
#[derive(Clone, Debug, PartialEq)]
struct Process([[f32; TAPS]; 3]);

impl Process {
    fn draw(rng: &mut impl Rng) -> Self {
        let mut process = Self([[0.0; TAPS]; 3]);
        for colour in &mut process.0 {
            colour
                .iter_mut()
                .for_each(|tap| *tap = StandardNormal.sample(&mut *rng));
            let sum: f32 = colour.iter().sum();
            colour.iter_mut().for_each(|tap| *tap /= sum);
        }
        process
    }

    /// A signal from fresh noise, `[height, width, 3]`, unscaled.
    fn signal(&self, height: usize, width: usize, rng: &mut impl Rng) -> Vec<f32> {
        let (rows, columns) = (height + BURN_IN, width + BURN_IN);
        let mut signal = vec![0.0; height * width * 3];
        for (colour, taps) in self.0.iter().enumerate() {
            let noise = StandardNormal.sample_iter(&mut *rng);
            let mut plane: Vec<f32> = noise.take(rows * columns).collect();
            for y in 0..=rows - WINDOW {
                for x in 0..=columns - WINDOW {
                    let mixed = window(&plane, columns, y, x)
                        .zip(taps)
                        .map(|(v, tap)| v * tap)
                        .sum();
                    plane[(y + WINDOW - 1) * columns + x + WINDOW - 1] = mixed;
                }
            }
            for y in 0..height {
                for x in 0..width {
                    signal[(y * width + x) * 3 + colour] =
                        plane[(y + BURN_IN) * columns + x + BURN_IN];
                }
            }
        }
        signal
    }

    /// How much of `signal`, `[height, width, 3]`, this process does not explain: the sum of the positive parts of its
    /// prediction error, colours added. All but zero on its own signals.
    fn response(&self, signal: &[f32], height: usize, width: usize) -> f64 {
        let planes: Vec<Vec<f32>> = (0..3)
            .map(|colour| signal.iter().skip(colour).step_by(3).copied().collect())
            .collect();
        let mut response = 0.0;
        for y in 0..=height - WINDOW {
            for x in 0..=width - WINDOW {
                let error = |(plane, taps): (&Vec<f32>, &[f32; TAPS])| -> f32 {
                    let mixed: f32 = window(plane, width, y, x)
                        .zip(taps)
                        .map(|(v, tap)| v * tap)
                        .sum();
                    mixed - plane[(y + WINDOW - 1) * width + x + WINDOW - 1]
                };
                let sum: f32 = planes.iter().zip(&self.0).map(error).sum();
                response += f64::from(sum.max(0.0));
            }
        }
        response
    }
}

/// The values of the window at (`y`, `x`) but the last, row by row.
fn window(plane: &[f32], columns: usize, y: usize, x: usize) -> impl Iterator<Item = f32> {
    (0..TAPS).map(move |tap| plane[(y + tap / WINDOW) * columns + x + tap % WINDOW])
}

/// A process for each class: stable, and not explained by those before it.
fn processes(classes: usize, seed: Seed) -> Result<Vec<Process>> {
    let least = match classes <= FEW_CLASSES.0 {
        true => FEW_CLASSES.1,
        false => LEAST_RESPONSE,
    };
    let mut found: Vec<Process> = Vec::with_capacity(classes);
    for draw in 0..DRAWS {
        if found.len() == classes {
            break;
        }
        let rng = &mut seed.stream("ar.process", draw);
        let process = Process::draw(rng);
        let Some(mut trial) = last_trial(&process, rng) else {
            continue;
        };
        scale(&mut trial, 1.0);
        let responds = |known: &Process| known.response(&trial, TRIAL_SIDE, TRIAL_SIDE) >= least;
        if found.iter().all(responds) {
            found.push(process);
        }
    }
    if found.len() < classes {
        return Err(Error::Settings {
            name: "attack",
            problem: format!(
                "ar found {} processes for {classes} classes in {DRAWS} draws",
                found.len()
            ),
        });
    }
    Ok(found)
}

/// The last of the trial signals, where none of them diverges.
fn last_trial(process: &Process, rng: &mut impl Rng) -> Option<Vec<f32>> {
    let mut last = None;
    for _ in 0..TRIALS {
        let signal = process.signal(TRIAL_SIDE, TRIAL_SIDE, rng);
        let norm = norm(&signal);
        if !(norm.is_finite() && norm <= LOUDEST) {
            return None;
        }
        last = Some(signal);
    }
    last
}

fn norm(values: &[f32]) -> f64 {
    let squares = values.iter().map(|&v| f64::from(v).powi(2));
    squares.sum::<f64>().sqrt()
}

fn scale(values: &mut [f32], radius: f64) {
    let factor = radius / norm(values);
    values
        .iter_mut()
        .for_each(|value| *value = (f64::from(*value) * factor) as f32);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::observe::Silent;

    #[test]
    fn processes_sum_to_one_are_stable_and_tell_each_other_apart() {
        let found = processes(10, Seed(4)).unwrap();
        for (class, process) in found.iter().enumerate() {
            for taps in &process.0 {
                assert!((taps.iter().sum::<f32>() - 1.0).abs() < 1e-3);
            }
            for row in 0..3 {
                let rng = &mut Seed(9).stream("test", (class * 3 + row) as u64);
                let mut signal = process.signal(32, 32, rng);
                scale(&mut signal, 1.0);
                assert!((norm(&signal) - 1.0).abs() < 1e-5);
                let responses: Vec<f64> = found
                    .iter()
                    .map(|other| other.response(&signal, 32, 32))
                    .collect();
                assert!(responses[class] < 1e-4, "{responses:?}");
                let least = (0..10)
                    .min_by(|&a, &b| responses[a].total_cmp(&responses[b]))
                    .unwrap();
                assert_eq!(least, class, "{responses:?}");
            }
        }
    }

    #[test]
    fn what_diverges_or_is_explained_by_another_is_not_accepted() {
        let rng = &mut Seed(0).stream("test", 0);
        let mut loud = Process([[0.0; TAPS]; 3]);
        loud.0
            .iter_mut()
            .for_each(|taps| (taps[7], taps[4]) = (3.0, -2.0));
        assert_eq!(last_trial(&loud, rng), None);
        let found = processes(2, Seed(4)).unwrap();
        for process in &found {
            for _ in 0..TRIALS {
                let signal = process.signal(TRIAL_SIDE, TRIAL_SIDE, rng);
                assert!(norm(&signal) <= LOUDEST);
            }
        }
        let mut trial = last_trial(&found[1], rng).unwrap();
        scale(&mut trial, 1.0);
        let response = |process: &Process| process.response(&trial, TRIAL_SIDE, TRIAL_SIDE);
        assert!(
            response(&found[0]) >= FEW_CLASSES.1 / 2.0,
            "{}",
            response(&found[0])
        );
        assert!(
            response(&found[1]) < 1e-3,
            "its own signal would be refused"
        );
    }

    #[test]
    fn rows_of_a_class_share_no_place_and_the_seed_fixes_all() {
        let labels = [0, 0, 1];
        let target = Target {
            height: 12,
            width: 9,
            labels: &labels,
            classes: 2,
            pixels: &[0; 3 * 12 * 9 * 3],
        };
        let attack = Ar { radius: 2.0 };
        let noise = attack.perturb(&target, Seed(0), &Silent).unwrap();
        assert_eq!(noise, attack.perturb(&target, Seed(0), &Silent).unwrap());
        let dot: f32 = noise
            .row(0)
            .iter()
            .zip(noise.row(1))
            .map(|(a, b)| a * b)
            .sum();
        assert!(dot.abs() < 2.0, "{dot} of 4");
        for k in 0..3 {
            assert!((norm(noise.row(k)) - 2.0).abs() < 1e-5);
            attack.budget().check(noise.row(k)).unwrap();
        }
    }
}
