//! Where the time and the memory went: the only part of a result that differs between two runs, kept in a file of its own.

use serde::{Deserialize, Serialize};

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
            peak_memory_mib: std::fs::read_to_string("/proc/self/status")
                .ok()
                .and_then(|status| high_water_mark(&status)),
        }
    }
}

/// Peak resident memory in MiB from the text of a Linux process status.
fn high_water_mark(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_mib() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    3072 kB\nThreads:\t1\n";
        assert_eq!(high_water_mark(status), Some(3.0));
        assert_eq!(high_water_mark("Name:\tx\n"), None);
    }
}
