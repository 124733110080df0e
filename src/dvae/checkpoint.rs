//! A fitted model as one safetensors file: weights, and in its metadata what they need to be used and where they came
//! from. The same model gives the same bytes.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::batch::Frame;
use super::{Dvae, DvaeConfig, Network, Provenance};
use crate::file::write_atomic;
use crate::{Error, Result};

/// Name of the metadata entry.
const ENTRY: &str = "ue-audit.dvae";
/// Raised whenever an older program could misread a newer file.
const VERSION: u32 = 1;
/// Largest file that is read.
const LIMIT: u64 = 4 << 30;

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    height: usize,
    width: usize,
    classes: usize,
    config: DvaeConfig,
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Dvae {
    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = Header {
            version: VERSION,
            height: self.frame.height,
            width: self.frame.width,
            classes: self.classes(),
            config: self.config.clone(),
            provenance: self.provenance.clone(),
        };
        let header = serde_json::to_string(&header)
            .map_err(|error| mismatch(path, format!("settings cannot be written: {error}")))?;
        let bytes = self.network.params().to_safetensors((ENTRY, header))?;
        write_atomic(path, &bytes)
    }

    /// Reads a model that [`Dvae::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Checkpoint`] if it is not such a model, was written by another
    /// version, or lacks a tensor, has one too many, or one of another shape.
    pub fn load(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(Error::io(path))?.len();
        if size > LIMIT {
            return Err(mismatch(
                path,
                format!("{size} bytes; at most {LIMIT} are read"),
            ));
        }
        let bytes = fs::read(path).map_err(Error::io(path))?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| mismatch(path, format!("not a safetensors file: {error}")))?;
        let header = header(path, &bytes)?;
        header
            .config
            .validate()
            .map_err(|error| mismatch(path, error))?;
        let frame =
            Frame::new(header.height, header.width).map_err(|error| mismatch(path, error))?;
        check_size(&header, frame, &file).map_err(|problem| mismatch(path, problem))?;
        let seed = header.provenance.seed;
        let network = Network::new(&header.config, header.classes, frame.padded(), seed)?;
        network
            .params()
            .load(&file)
            .map_err(|problem| mismatch(path, problem))?;
        Ok(Self {
            network,
            frame,
            config: header.config,
            provenance: header.provenance,
        })
    }
}

fn header(path: &Path, bytes: &[u8]) -> Result<Header> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| mismatch(path, format!("not a safetensors file: {error}")))?;
    let entry = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(ENTRY))
        .ok_or_else(|| mismatch(path, "not a D-VAE saved by this program"))?;
    let broken = |error: serde_json::Error| mismatch(path, format!("broken settings: {error}"));
    let Version { version } = serde_json::from_str(entry).map_err(broken)?;
    if version != VERSION {
        return Err(mismatch(
            path,
            format!("format version {version}, this program reads {VERSION}; fit the model again"),
        ));
    }
    serde_json::from_str(entry).map_err(broken)
}

/// Compares the one tensor whose size the settings do not bound with the header before anything of that size is made.
fn check_size(header: &Header, frame: Frame, file: &SafeTensors<'_>) -> Result<(), String> {
    if header.classes == 0 {
        return Err("a model of no classes".into());
    }
    if !header.config.perturbation_decoder {
        return Ok(());
    }
    let view = file
        .tensor("embedding.weight")
        .map_err(|_| "tensor embedding.weight is missing".to_owned())?;
    let (height, width) = frame.padded();
    let row = [height / 2, width / 2, header.config.widths[1]]
        .into_iter()
        .try_fold(1usize, usize::checked_mul);
    match row {
        Some(row) if view.shape() == [header.classes, row] => Ok(()),
        _ => Err(format!(
            "tensor embedding.weight is {:?}, which does not fit {} classes of {}x{} images",
            view.shape(),
            header.classes,
            header.height,
            header.width
        )),
    }
}

fn mismatch(path: &Path, problem: impl ToString) -> Error {
    Error::Checkpoint {
        path: path.to_path_buf(),
        problem: problem.to_string(),
    }
}
