//! Where the time and the memory went: the only part of a result that differs between two runs, kept in a file of its own.

use serde::{Deserialize, Serialize};

use crate::kernel::peak_memory_mib;

/// Wall-clock time and memory of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Their sum.
    pub total_seconds: f64,
    /// Threads at work.
    pub threads: usize,
    /// Peak resident memory in MiB, where the system tells it.
    pub peak_memory_mib: Option<f64>,
}

/// Wall-clock time of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}

impl Timings {
    /// The timings of a run so far, with the memory it has needed up to now.
    pub fn new(stages: &[(String, f64)]) -> Self {
        let stage = |(name, seconds): &(String, f64)| Stage {
            name: name.clone(),
            seconds: *seconds,
        };
        Self {
            stages: stages.iter().map(stage).collect(),
            total_seconds: stages.iter().map(|(_, seconds)| seconds).sum(),
            threads: rayon::current_num_threads(),
            peak_memory_mib: peak_memory_mib(),
        }
    }
}

/// Where a report keeps its timings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Timing {
    /// In a file beside it, as in `results.json`.
    Beside {
        /// Name of the file.
        file: String,
    },
    /// In itself, as in the document on standard output.
    Inline(Timings),
}
