//! Attacks that turn pictures into unlearnable examples.

mod ar;
mod budget;
mod em;
mod lsp;
mod ntga;
mod ops;
mod rem;
mod sep;
mod surrogate;
mod tap;

use rand::seq::index;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::observe::Observer;
use crate::zoo::Architecture;
use crate::{Error, Result, Seed};

pub use ar::Ar;
pub use budget::{Budget, Storage, apply};
pub use em::Em;
pub use lsp::Lsp;
pub use ntga::Ntga;
pub use ops::Ops;
pub use rem::Rem;
pub use sep::Sep;
pub use tap::Tap;

/// The rows an attack perturbs.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Height of every picture.
    pub height: usize,
    /// Width of every picture.
    pub width: usize,
    /// Labels of the rows, in order.
    pub labels: &'a [u32],
    /// Number of classes; every label is below it.
    pub classes: usize,
    /// The pictures, `[rows, height, width, 3]`.
    pub pixels: &'a [u8],
}

impl<'a> Target<'a> {
    /// Values in a picture.
    pub fn image_len(&self) -> usize {
        self.height * self.width * 3
    }

    /// Picture `k`, `[height, width, 3]`.
    pub fn image(&self, k: usize) -> &'a [u8] {
        &self.pixels[k * self.image_len()..(k + 1) * self.image_len()]
    }
}

/// What an attack adds to its rows: `[rows, height, width, 3]` in [0, 1] pixel units.
#[derive(Clone, Debug, PartialEq)]
pub struct Perturbation {
    /// Height of every picture.
    pub height: usize,
    /// Width of every picture.
    pub width: usize,
    /// The values.
    pub values: Vec<f32>,
    /// False where the attack has a rule for when it is done and gave up before.
    pub converged: bool,
}

impl Perturbation {
    /// What is added to row `k`, `[height, width, 3]`.
    pub fn row(&self, k: usize) -> &[f32] {
        let size = self.height * self.width * 3;
        &self.values[k * size..(k + 1) * size]
    }

    /// A safetensors file of `indices` (`[n]`, the `rows` of the source) and `perturbation` (`[n, height, width, 3]`).
    ///
    /// # Errors
    /// [`Error::Numeric`] if `rows` is not one number for each row.
    pub fn to_safetensors(&self, rows: &[usize]) -> Result<Vec<u8>> {
        let indices = rows.iter().flat_map(|&row| (row as u64).to_le_bytes());
        let indices: Vec<u8> = indices.collect();
        let values: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let shape = vec![rows.len(), self.height, self.width, 3];
        let bytes = || {
            let tensors = [
                (
                    "indices",
                    TensorView::new(Dtype::U64, vec![rows.len()], &indices)?,
                ),
                ("perturbation", TensorView::new(Dtype::F32, shape, &values)?),
            ];
            safetensors::serialize(tensors, None)
        };
        bytes().map_err(|error| Error::Numeric {
            stage: "perturbation file",
            problem: error.to_string(),
        })
    }
}

/// A way to make unlearnable examples.
pub trait Attack {
    /// Its short name, as on the command line.
    fn name(&self) -> &'static str;
    /// The bound that every row of its perturbation obeys.
    fn budget(&self) -> Budget;
    /// The perturbation of `target`, from `seed` alone.
    ///
    /// # Errors
    /// [`Error::Settings`] if the attack cannot work on such a target, [`Error::Interrupted`] when the observer says so.
    fn perturb(
        &self,
        target: &Target<'_>,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Perturbation>;
}

/// How much an attack that trains a network does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// As many steps as a few processor cores do in minutes on some thousand pictures.
    #[default]
    Cpu,
    /// The paper's numbers of steps.
    Paper,
}

/// What a user may choose about an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Its budget in its own norm; `None` for what its paper takes.
    pub budget: Option<f64>,
    /// The network of those that need one.
    pub surrogate: Architecture,
    /// Their effort.
    pub scale: Scale,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            budget: None,
            surrogate: Architecture::Small,
            scale: Scale::default(),
        }
    }
}

/// Names of the attacks, as on the command line.
pub const NAMES: [&str; 10] = [
    "ar",
    "em",
    "em-class",
    "lsp",
    "lsp-class",
    "ntga",
    "ops",
    "rem",
    "sep",
    "tap",
];

/// Euclidean budget of the D-VAE paper's tables, in [0, 1] pixel units.
const L2: f64 = 1.0;
/// Budget of a value in its tables.
const LINF: f64 = 8.0 / 255.0;

/// The attack called `name`.
///
/// # Errors
/// [`Error::Settings`] for an unknown name and for a budget that the attack cannot keep.
pub fn named(name: &str, options: Options) -> Result<Box<dyn Attack>> {
    let Options {
        budget,
        surrogate,
        scale,
    } = options;
    let wrong = |name, problem: String| Err(Error::Settings { name, problem });
    if let Some(size) = budget.filter(|size| !(*size > 0.0 && size.is_finite())) {
        return wrong("budget", format!("{size}: a size above 0 is needed"));
    }
    let l2 = budget.unwrap_or(L2);
    let linf = budget.unwrap_or(LINF);
    Ok(match name {
        "ar" => Box::new(Ar { radius: l2 }),
        "em" => Box::new(Em::new(linf, false, surrogate, scale)),
        "em-class" => Box::new(Em::new(linf, true, surrogate, scale)),
        "lsp" => Box::new(Lsp::sample_wise(l2)),
        "lsp-class" => Box::new(Lsp::class_wise(l2)),
        "ntga" => Box::new(Ntga { radius: linf }),
        "rem" => Box::new(Rem::new(linf, surrogate, scale)),
        "sep" => Box::new(Sep::new(linf, surrogate, scale)),
        "tap" => Box::new(Tap::new(linf, surrogate, scale)),
        "ops" if budget.is_none_or(|pixels| pixels == 1.0) => Box::new(Ops),
        "ops" => {
            return wrong(
                "budget",
                "ops changes one pixel, no more and no less".into(),
            );
        }
        _ => return wrong("attack", format!("{name} is none of {}", NAMES.join(", "))),
    })
}

/// The rows to poison: `int(rows * ratio)` of `0..rows`, drawn evenly without replacement, ascending.
///
/// # Errors
/// [`Error::Settings`] if `ratio` is not in [0, 1].
pub fn choose_rows(rows: usize, ratio: f64, seed: Seed) -> Result<Vec<usize>> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(Error::Settings {
            name: "ratio",
            problem: format!("{ratio} is not in [0, 1]"),
        });
    }
    let amount = (rows as f64 * ratio) as usize;
    let mut rng = seed.stream("attack.rows", 0);
    let mut chosen = index::sample(&mut rng, rows, amount).into_vec();
    chosen.sort_unstable();
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_split_is_an_ordered_sample_that_the_seed_fixes() {
        for (rows, ratio, amount) in [
            (1000, 0.2, 200),
            (999, 0.5, 499),
            (10, 0.0, 0),
            (10, 1.0, 10),
        ] {
            let chosen = choose_rows(rows, ratio, Seed(5)).unwrap();
            assert_eq!(chosen.len(), amount);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(chosen.iter().all(|&row| row < rows));
            assert_eq!(chosen, choose_rows(rows, ratio, Seed(5)).unwrap());
        }
        assert_ne!(
            choose_rows(1000, 0.2, Seed(5)).unwrap(),
            choose_rows(1000, 0.2, Seed(6)).unwrap()
        );
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(choose_rows(10, ratio, Seed(0)).is_err());
        }
    }
}
