//! Experiments: grids of cells that are run one by one, kept in a store, and shown as a table.
//!
//! An experiment that was stopped goes on where it was; a table is a pure function of the finished cells.

mod carried;
mod grounds;
mod learner;
mod poisons;
mod pure;
mod repairs;
mod store;
mod summary;
mod table8;
mod table9;

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use carried::{Carried, Carriers, Carrying, Effect};
use grounds::CLEAN;
pub use grounds::{Grounds, Origin};
pub use learner::{Learned, Learner, Training};
pub use poisons::{Making, Poisons};
pub use repairs::{Repair, Repaired, Repairs, Table};
pub use store::{Line, Store};
pub use table8::{Detected, Detection, Table8};
pub use table9::{Remedy, Table9};

use crate::data::write_atomic;
use crate::observe::Observer;
use crate::{Error, Result};

/// A grid.
pub trait Experiment {
    /// Everything that the outcome of one run depends on.
    type Cell: Clone + PartialEq + Serialize + DeserializeOwned;
    /// What is measured.
    type Outcome: Serialize + DeserializeOwned;

    /// The name of its table.
    fn name(&self) -> &'static str;

    /// The name of the store of its cells: its own, unless it shows what another one has run.
    fn store(&self) -> &'static str {
        self.name()
    }

    /// All cells, in the order in which they are run.
    fn cells(&self) -> Vec<Self::Cell>;

    /// Runs a cell.
    ///
    /// # Errors
    /// Whatever stops it; nothing is then stored.
    fn run(&self, cell: &Self::Cell, observer: &dyn Observer) -> Result<Self::Outcome>;

    /// False where a finished cell has left files that are no longer there, so that it has to be run again.
    fn is_there(&self, _: &Self::Cell) -> bool {
        true
    }

    /// The finished cells as a table in Markdown; `outcome` gives what came out of a cell.
    fn table(&self, outcome: &dyn Fn(&Self::Cell) -> Option<Self::Outcome>) -> String;
}

/// Runs the cells that are not in the store yet, `{home}/{store}.jsonl`, and writes the table, `{home}/{name}.md`. `tell` gets
/// the line of each cell as soon as it is finished.
///
/// # Errors
/// Of the first cell that fails, and those of the store.
pub fn reproduce<E: Experiment>(
    experiment: &E,
    home: &Path,
    observer: &dyn Observer,
    tell: &mut dyn FnMut(&str),
) -> Result<String>
where
    E::Outcome: Clone,
{
    std::fs::create_dir_all(home).map_err(Error::io(home))?;
    let cells = home.join(format!("{}.jsonl", experiment.store()));
    let mut store = Store::<E::Cell, E::Outcome>::open(&cells)?;
    for cell in experiment.cells() {
        observer.check()?;
        if store.get(&cell).is_some() && experiment.is_there(&cell) {
            continue;
        }
        let outcome = experiment.run(&cell, observer)?;
        tell(&store.append(cell, outcome)?);
    }
    let table = experiment.table(&|cell| store.get(cell).cloned());
    write_atomic(
        &home.join(format!("{}.md", experiment.name())),
        table.as_bytes(),
    )?;
    Ok(table)
}

/// Those of the `columns` of a table that are `chosen`, or all if none is.
///
/// # Errors
/// [`Error::Settings`] for a chosen one that is no column.
fn columns_of<'c>(columns: &[&'c str], chosen: &[String]) -> Result<Vec<&'c str>> {
    let unknown = |name: &&String| !columns.contains(&name.as_str());
    if let Some(unknown) = chosen.iter().find(unknown) {
        return Err(Error::Settings {
            name: "defense",
            problem: format!("{unknown} is none of {}", columns.join(", ")),
        });
    }
    let is_chosen = |name: &&&str| chosen.is_empty() || chosen.iter().any(|c| c == **name);
    Ok(columns.iter().filter(is_chosen).copied().collect())
}

/// A share in percent; a dash where it is not known.
fn percent(share: Option<f64>) -> String {
    number(share.map(|share| 100.0 * share), 2)
}

/// A number with so many `digits` behind the point; a dash where it is not known.
fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

/// The mean, where all of them are known.
fn mean(shares: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let shares: Vec<f64> = shares.collect::<Option<_>>()?;
    Some(shares.iter().sum::<f64>() / shares.len() as f64)
}

/// A table in Markdown.
fn markdown(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = vec!["---".to_owned(); head.len()];
    let rows = rows.iter().map(|cells| line(cells));
    [line(head), line(&rule)].into_iter().chain(rows).collect()
}
