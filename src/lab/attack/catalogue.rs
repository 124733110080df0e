//! The attacks by name, and what a user may choose about them.

use serde::{Deserialize, Serialize};

use super::{Ar, Attack, Em, Lsp, Ntga, Ops, Rem, Sep, Tap};
use crate::zoo::Architecture;
use crate::{Error, Result};

/// How much an attack that trains a network does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// As many steps as a few processor cores do in minutes on some thousand pictures.
    #[default]
    Cpu,
    /// The paper's numbers of steps and restarts. What else its training has, such as the rate's schedule and the size of the
    /// batches, is as the attack's own page says. NTGA is the same at both scales.
    Paper,
}

/// What a user may choose about an attack.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
pub const NAMES: [&str; 11] = [
    "ar",
    "em",
    "em-class",
    "lsp",
    "lsp-class",
    "ntga",
    "ops",
    "rem",
    "rem-class",
    "sep",
    "tap",
];

/// Another name of `ops`, which is class-wise by nature: pixel and colour are a class's, and what is added to a row is the
/// way from its own pixel to that colour.
const OPS_CLASS: &str = "ops-class";

/// Ending of the names of attacks with the larger budgets of the D-VAE paper's Table 5.
pub const LARGE: &str = "-large";

/// Euclidean budget of the D-VAE paper's tables, and the larger one, in [0, 1] pixel units.
const L2: [f64; 2] = [1.0, 4.0];
/// Budget of a value in its tables, and the larger one.
const LINF: [f64; 2] = [8.0 / 255.0, 16.0 / 255.0];

/// The attack called `name`, which may end with [`LARGE`].
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
    let (attack, large) = match name.strip_suffix(LARGE) {
        Some(attack) => (attack, true),
        None => (name, false),
    };
    let [l2, linf] = [L2, LINF].map(|usual| budget.unwrap_or(usual[usize::from(large)]));
    Ok(match attack {
        "ar" => Box::new(Ar { radius: l2 }),
        "em" => Box::new(Em::new(linf, false, surrogate, scale)),
        "em-class" => Box::new(Em::new(linf, true, surrogate, scale)),
        "lsp" => Box::new(Lsp::sample_wise(l2)),
        "lsp-class" => Box::new(Lsp::class_wise(l2)),
        "ntga" => Box::new(Ntga { radius: linf }),
        "rem" => Box::new(Rem::new(linf, false, surrogate, scale)),
        "rem-class" => Box::new(Rem::new(linf, true, surrogate, scale)),
        "sep" => Box::new(Sep::new(linf, surrogate, scale)),
        "tap" => Box::new(Tap::new(linf, surrogate, scale)),
        "ops" | OPS_CLASS if !large && budget.is_none_or(|pixels| pixels == 1.0) => Box::new(Ops),
        "ops" | OPS_CLASS => {
            return wrong(
                "budget",
                "ops changes one pixel, no more and no less".into(),
            );
        }
        _ => return wrong("attack", format!("{name} is none of {}", NAMES.join(", "))),
    })
}
