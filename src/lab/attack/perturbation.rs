//! What an attack adds to its rows, and the file in which it travels.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::{Budget, Target};
use crate::{Error, Result};

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

/// Name of the one entry of a file's metadata: the budget that its perturbations keep, as JSON.
const BUDGET: &str = "budget";

impl Perturbation {
    /// What is added to row `k`, `[height, width, 3]`.
    pub fn row(&self, k: usize) -> &[f32] {
        let size = self.height * self.width * 3;
        &self.values[k * size..(k + 1) * size]
    }

    /// What can be added to the pictures of `target`, and what it keeps in place of `budget`: where all of them are grey, a
    /// perturbation is as well, of the size that it has in colour. Colour would give it away at once, and files of one channel
    /// could not hold it.
    pub(in crate::lab) fn fit_for(mut self, target: &Target<'_>, budget: Budget) -> (Self, Budget) {
        let mut pixels = self.values.as_chunks::<3>().0.iter();
        // A stored one may have been made for grey pictures.
        let fits = !target.is_grey() || pixels.all(|[r, g, b]| r == g && g == b);
        if fits {
            return (self, budget);
        }
        let rows = self.values.chunks_exact_mut(target.image_len().max(1));
        rows.for_each(|row| budget.without_colour(row));
        (self, budget.of_one_channel())
    }

    /// That of no row, of pictures of this height and width.
    pub(in crate::lab) fn of_nothing((height, width): (usize, usize)) -> Self {
        Self {
            height,
            width,
            values: Vec::new(),
            converged: true,
        }
    }

    /// A safetensors file of `indices` (`[n]`, the `rows` of the source) and `perturbation` (`[n, height, width, 3]`), with
    /// the budget that it keeps in the metadata.
    ///
    /// # Errors
    /// [`Error::Numeric`] if `rows` is not one number for each row.
    pub fn to_safetensors(&self, rows: &[usize], budget: Budget) -> Result<Vec<u8>> {
        let indices = rows.iter().flat_map(|&row| (row as u64).to_le_bytes());
        let indices: Vec<u8> = indices.collect();
        let values: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let shape = vec![rows.len(), self.height, self.width, 3];
        let bytes = || -> Result<Vec<u8>, String> {
            let budget = serde_json::to_string(&budget).map_err(|error| error.to_string())?;
            let indices = TensorView::new(Dtype::U64, vec![rows.len()], &indices);
            let values = TensorView::new(Dtype::F32, shape, &values);
            let tensors = [
                ("indices", indices.map_err(|error| error.to_string())?),
                ("perturbation", values.map_err(|error| error.to_string())?),
            ];
            let header = [(BUDGET.to_owned(), budget)].into_iter().collect();
            safetensors::serialize(tensors, Some(header)).map_err(|error| error.to_string())
        };
        bytes().map_err(|problem| Error::Numeric {
            stage: "perturbation file",
            problem,
        })
    }
}

/// A perturbation read from a file, to be applied as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Rows of the source that it is for, ascending; one for each row of the perturbation.
    pub rows: Vec<usize>,
    /// What it adds.
    pub perturbation: Perturbation,
    /// What it claims to keep; without a claim, no more than the range of pixels allows.
    pub budget: Budget,
    /// BLAKE3 of the file, in hex.
    pub fingerprint: String,
}

impl Stored {
    /// Reads a `.safetensors` file as [`Perturbation::to_safetensors`] writes it, or an `.npy` file of shape
    /// `[rows, height, width, 3]` or `[rows, 3, height, width]`: reals in [0, 1] pixel units, or 8-bit signed levels.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] saying what does not fit.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let ending = path.extension().and_then(|ending| ending.to_str());
        let stored = match ending {
            Some("safetensors") => Self::from_safetensors(&bytes),
            Some("npy") => super::npy::read(&bytes),
            _ => Err("a .safetensors or .npy file is needed".into()),
        };
        let mut stored = stored.map_err(|problem| Error::input(path, problem))?;
        stored.fingerprint = blake3::hash(&bytes).to_hex().to_string();
        Ok(stored)
    }

    fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let words = |error: safetensors::SafeTensorError| error.to_string();
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(words)?;
        let claim = metadata.metadata().as_ref().and_then(|m| m.get(BUDGET));
        let budget = match claim {
            Some(claim) => serde_json::from_str(claim).map_err(|error| error.to_string())?,
            None => Budget::ANY,
        };
        let file = SafeTensors::deserialize(bytes).map_err(words)?;
        let indices = file.tensor("indices").map_err(words)?;
        let values = file.tensor("perturbation").map_err(words)?;
        let (&[rows], &[n, height, width, 3]) = (indices.shape(), values.shape()) else {
            return Err("`indices` must be [n] and `perturbation` [n, height, width, 3]".into());
        };
        if (indices.dtype(), values.dtype()) != (Dtype::U64, Dtype::F32) || rows != n {
            return Err(
                "`indices` must be U64 and `perturbation` F32, a number for each row".into(),
            );
        }
        let rows = indices.data().as_chunks().0.iter();
        let rows: Vec<usize> = rows.map(|b| u64::from_le_bytes(*b) as usize).collect();
        if !rows.is_sorted_by(|a, b| a < b) {
            return Err("`indices` must ascend".into());
        }
        let values = values.data().as_chunks().0.iter();
        Ok(Self {
            rows,
            perturbation: Perturbation {
                height,
                width,
                values: values.map(|b| f32::from_le_bytes(*b)).collect(),
                converged: true,
            },
            budget,
            fingerprint: String::new(),
        })
    }

    /// The perturbation of some rows of the source, which must be among [`Stored::rows`], for pictures of `size`.
    ///
    /// # Errors
    /// [`Error::Settings`] if a row or the size is not that of the file.
    pub fn of(&self, rows: &[usize], size: (usize, usize)) -> Result<Perturbation> {
        let all = &self.perturbation;
        let wrong = |problem| Error::Settings {
            name: "--perturbation",
            problem,
        };
        if size != (all.height, all.width) {
            return Err(wrong(format!(
                "made for pictures of {} x {}, these have {} x {}",
                all.height, all.width, size.0, size.1
            )));
        }
        let mut values = Vec::with_capacity(rows.len() * size.0 * size.1 * 3);
        for row in rows {
            let found = self.rows.binary_search(row);
            let k = found.map_err(|_| wrong(format!("holds nothing for row {row}")))?;
            values.extend_from_slice(all.row(k));
        }
        Ok(Perturbation { values, ..*all })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_gives_back_what_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("p.safetensors");
        let perturbation = Perturbation {
            height: 1,
            width: 2,
            values: (0..12).map(|v| v as f32 / 100.0).collect(),
            converged: true,
        };
        let budget = Budget::L2(0.5);
        let bytes = perturbation.to_safetensors(&[3, 8], budget).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let stored = Stored::read(&path).unwrap();
        assert_eq!(stored.rows, [3, 8]);
        assert_eq!(
            (&stored.perturbation, stored.budget),
            (&perturbation, budget)
        );
        assert_eq!(stored.of(&[8], (1, 2)).unwrap().values, perturbation.row(1));
        assert!(stored.of(&[4], (1, 2)).is_err());
        assert!(stored.of(&[8], (2, 1)).is_err());
        std::fs::write(&path, b"not tensors").unwrap();
        assert!(matches!(Stored::read(&path), Err(Error::Input { .. })));
    }
}
