//! Where a training stands, on file after an epoch: parameters, the optimiser's memory, and what the epochs told. A training
//! that goes on from there ends in the same bytes as one that was never stopped, since all its randomness comes from streams
//! by epoch and step.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::optim::{Memory, Optimizer};
use super::params::{Params, reals, serialized, store, values};
use crate::file::write_atomic;
use crate::observe::Observer;
use crate::{Error, Result};

/// Name of the metadata entry.
const ENTRY: &str = "ue-audit.training";
/// Time between two saves: short beside what a kill would lose, long beside the writing of a few megabytes.
const PAUSE: Duration = Duration::from_secs(20);

/// The file of one training.
pub struct Resume<'a> {
    path: PathBuf,
    params: &'a Params,
    owner: String,
    pause: Duration,
    saved: Instant,
}

#[derive(Serialize, Deserialize)]
struct Header<T> {
    owner: String,
    steps: Option<i32>,
    history: Vec<T>,
}

#[derive(Deserialize)]
struct Owner {
    owner: String,
}

impl<'a> Resume<'a> {
    /// At `path`, for a training of `params`; `owner` names all that its end depends on: settings, seed and data.
    pub fn new(path: &Path, params: &'a Params, owner: String) -> Self {
        Self {
            path: path.into(),
            params,
            owner,
            pause: PAUSE,
            saved: Instant::now(),
        }
    }

    /// Puts everything back as it was; gives what the finished epochs told, nothing without a file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a file of another training or one that is broken, [`Error::Io`].
    pub(super) fn load<T: DeserializeOwned>(
        &self,
        optimizer: &mut dyn Optimizer,
        observer: &dyn Observer,
    ) -> Result<Vec<T>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&self.path)(error)),
        };
        let history: Vec<T> =
            self.read(&bytes, optimizer)
                .map_err(|problem| Error::Checkpoint {
                    path: self.path.clone(),
                    problem: format!("{problem}; remove the file to begin anew"),
                })?;
        observer.note(&format!(
            "going on after epoch {} of {}",
            history.len(),
            self.path.display()
        ));
        Ok(history)
    }

    fn read<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
        optimizer: &mut dyn Optimizer,
    ) -> Result<Vec<T>, String> {
        let foreign = |_| "not a training that was stopped".to_owned();
        let file = SafeTensors::deserialize(bytes).map_err(foreign)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let entries = metadata.metadata().as_ref();
        let entry = entries.and_then(|entries| entries.get(ENTRY));
        let entry = entry.ok_or("not a training that was stopped")?;
        let broken = |error: serde_json::Error| format!("broken header: {error}");
        let Owner { owner } = serde_json::from_str(entry).map_err(broken)?;
        if owner != self.owner {
            return Err(
                "left by a training with other settings, another seed or other data".into(),
            );
        }
        let header: Header<T> = serde_json::from_str(entry).map_err(broken)?;
        let numbers = |name: &str, count: usize| {
            let view = file.tensor(name).map_err(|error| error.to_string())?;
            if view.dtype() != Dtype::F32 || view.shape() != [count] {
                return Err(format!("tensor {name} has another shape"));
            }
            Ok(reals(&view))
        };
        for param in self.params.entries() {
            let values = numbers(&parameter(&param.name), param.var.elem_count())?;
            store(&param.var, values).map_err(|error| error.to_string())?;
        }
        let Memory { steps, buffers } = optimizer.memory();
        for (place, buffer) in buffers.into_iter().enumerate() {
            *buffer = numbers(&memory(place), buffer.len())?;
        }
        if let (Some(steps), Some(taken)) = (steps, header.steps) {
            *steps = taken;
        }
        Ok(header.history)
    }

    /// Saves, if it is time to.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn save<T: Serialize>(
        &mut self,
        optimizer: &mut dyn Optimizer,
        history: &[T],
    ) -> Result<()> {
        if self.saved.elapsed() < self.pause {
            return Ok(());
        }
        let Memory { steps, buffers } = optimizer.memory();
        let header = Header {
            owner: self.owner.clone(),
            steps: steps.map(|steps| *steps),
            history: history.iter().collect(),
        };
        let header = serde_json::to_string(&header).map_err(|error| Error::Numeric {
            stage: "checkpoint",
            problem: error.to_string(),
        })?;
        let flat = |name, values: Vec<f32>| (name, vec![values.len()], values);
        let parameters = self.params.entries().iter();
        let parameters = parameters.map(|p| Ok(flat(parameter(&p.name), values(&p.var)?)));
        let remembered = buffers.iter().enumerate();
        let remembered = remembered.map(|(place, buffer)| Ok(flat(memory(place), buffer.to_vec())));
        let bytes = serialized(parameters.chain(remembered), (ENTRY, header))?;
        write_atomic(&self.path, &bytes)?;
        self.saved = Instant::now();
        Ok(())
    }
}

fn parameter(name: &str) -> String {
    format!("parameter.{name}")
}

fn memory(place: usize) -> String {
    format!("memory.{place}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::Seed;
    use crate::nn::Precision;
    use crate::nn::epochs::Epochs;
    use crate::nn::layers::Linear;
    use crate::nn::likelihood::Epoch;
    use crate::nn::optim::{Adam, Sgd};
    use crate::observe::Silent;

    const ROWS: usize = 12;

    /// Trains a linear layer for four epochs, stopped after so many steps; the tensors and the history at the end.
    fn trained(
        path: &Path,
        optimizer: impl Fn(&Params) -> Box<dyn Optimizer>,
        stop: usize,
        owner: &str,
    ) -> Result<(Vec<Vec<f32>>, Vec<Epoch>)> {
        let mut params = Params::new(Seed(1));
        let layer = Linear::new(&mut params, "fc", (3, 2)).unwrap();
        let resume = Resume {
            pause: Duration::ZERO,
            ..Resume::new(path, &params, owner.into())
        };
        let epochs = Epochs {
            name: "test",
            rows: ROWS,
            batch: 4,
            epochs: 4,
            precision: Precision::F32,
            shuffle: (Seed(2), "test"),
        };
        let history = epochs.run_from(
            Some(resume),
            &mut *optimizer(&params),
            |_| 0.1,
            |clock, rows, mode| {
                if clock.step == stop {
                    return Err(Error::Interrupted);
                }
                let x: Vec<f32> = rows
                    .iter()
                    .flat_map(|&r| [r as f32, 1.0, -(r as f32)])
                    .collect();
                let x = Tensor::from_vec(x, (rows.len(), 3), &Device::Cpu)?;
                let labels: Vec<u32> = rows.iter().map(|&row| row as u32 % 2).collect();
                Epoch::loss(mode, &layer.forward(&x, mode)?, &labels, 0.0)
            },
            &Silent,
        )?;
        let tensors = params
            .entries()
            .iter()
            .map(|param| values(&param.var).unwrap());
        Ok((tensors.collect(), history))
    }

    #[test]
    fn a_stopped_training_ends_as_one_that_was_not() {
        let adam = |params: &Params| Box::new(Adam::new(params, 1.0)) as Box<dyn Optimizer>;
        let sgd = |params: &Params| Box::new(Sgd::new(params, 0.9)) as Box<dyn Optimizer>;
        type Maker = fn(&Params) -> Box<dyn Optimizer>;
        let makers: [Maker; 2] = [adam, sgd];
        for optimizer in makers {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("a");
            let whole = trained(&path, optimizer, usize::MAX, "a").unwrap();
            let path = home.path().join("b");
            for stop in [2, 4, 7, 10] {
                let stopped = trained(&path, optimizer, stop, "a");
                assert!(matches!(stopped, Err(Error::Interrupted)));
            }
            assert!(path.exists());
            let error = trained(&path, optimizer, usize::MAX, "b").unwrap_err();
            assert!(error.to_string().contains("other settings"), "{error}");
            assert_eq!(trained(&path, optimizer, usize::MAX, "a").unwrap(), whole);
            fs::write(&path, b"no training").unwrap();
            assert!(trained(&path, optimizer, usize::MAX, "a").is_err());
        }
    }
}
