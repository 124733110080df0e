//! What numbers the products of a training are made of.

use serde::{Deserialize, Serialize};

use crate::kernel::has_tiles;
use crate::{Error, Result};

/// The numbers that convolutions multiply while a network is trained. Weights, sums, and all else are f32 in either case, and so is
/// everything that a trained network is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to eight bits of mantissa, on processors with tile registers for them (AMX).
    Bf16,
}

impl Precision {
    /// Refuses what this processor has no registers for: elsewhere products of bf16 are slower than those they would replace.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Bf16 if !has_tiles() => Err(Error::Settings {
                name: "precision",
                problem: "this processor has no tile registers (AMX) for bf16; take f32".into(),
            }),
            _ => Ok(()),
        }
    }

    /// As the setting that kept files have when it is not the usual one.
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
