//! A poison of every attack, for all other experiments: all rows perturbed, each with its own budget.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::grounds::Origin;
use super::{Experiment, Grounds, markdown};
use crate::Result;
use crate::data::open;
use crate::kernel::peak_memory_mib;
use crate::lab::attack::{LARGE, Measured, Options, Scale, Storage, named};
use crate::lab::poison::{DESCRIPTION_FILE, Means, Poison};
use crate::observe::Observer;
use crate::zoo::Architecture;

/// The eight attacks, the quick ones first.
const ATTACKS: [&str; 8] = ["lsp", "ar", "ops", "ntga", "tap", "sep", "em", "rem"];
/// Their class-wise forms; that of `ops` is itself.
const CLASS_WISE: [&str; 3] = ["lsp-class", "em-class", "rem-class"];

/// The grid.
#[derive(Clone, Copy)]
pub struct Poisons<'a> {
    grounds: &'a Grounds,
    attacks: &'a [String],
    options: Options,
}

/// One poison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    attack: String,
    #[serde(flatten)]
    origin: Origin,
    scale: Scale,
    surrogate: Architecture,
}

/// How it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Making {
    /// False where the attack gave up before its rule was met.
    pub converged: bool,
    /// Sizes of the changes.
    pub measured: Measured,
    /// Time by the clock; after a resumed run, that of its last part.
    pub seconds: f64,
    /// Threads that worked.
    pub threads: usize,
    /// Most memory the process has held since it began, MiB; `None` where the system does not tell.
    pub peak_rss_mib: Option<f64>,
}

impl<'a> Poisons<'a> {
    /// Of these attacks.
    pub fn new(grounds: &'a Grounds, attacks: &'a [String], options: Options) -> Self {
        Self {
            grounds,
            attacks,
            options,
        }
    }

    /// The names of all attacks, with or without the class-wise forms.
    pub fn all(class_wise: bool) -> Vec<String> {
        let forms = CLASS_WISE.iter().filter(|_| class_wise);
        ATTACKS
            .iter()
            .chain(forms)
            .map(ToString::to_string)
            .collect()
    }

    /// The names of all those that have a larger budget: one pixel has none.
    pub fn all_large(class_wise: bool) -> Vec<String> {
        let mut all = Self::all(class_wise);
        all.retain(|attack| attack != "ops");
        all.iter_mut().for_each(|attack| attack.push_str(LARGE));
        all
    }
}

impl Experiment for Poisons<'_> {
    type Cell = Cell;
    type Outcome = Making;

    fn name(&self) -> &'static str {
        "poisons"
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |attack: &String| Cell {
            attack: attack.clone(),
            origin: self.grounds.origin(),
            scale: self.options.scale,
            surrogate: self.options.surrogate,
        };
        self.attacks.iter().map(cell).collect()
    }

    fn run(&self, cell: &Cell, observer: &dyn Observer) -> Result<Making> {
        let begun = Instant::now();
        let attack = named(&cell.attack, self.options)?;
        let limits = *self.grounds.limits();
        let poison = Poison {
            means: Means::Attack(&*attack),
            ratio: 1.0,
            seed: self.grounds.seed(),
            storage: Storage::Round,
            options: &json!(self.options),
            limits,
        };
        let reader = open(self.grounds.clean(), "auto", &limits)?;
        let out = self.grounds.poisoned(&cell.attack);
        let summary = poison.write(&*reader, &out, true, observer)?;
        Ok(Making {
            converged: summary.converged,
            measured: summary.measured,
            seconds: begun.elapsed().as_secs_f64(),
            threads: rayon::current_num_threads(),
            peak_rss_mib: peak_memory_mib(),
        })
    }

    fn is_there(&self, cell: &Cell) -> bool {
        let folder = self.grounds.poisoned(&cell.attack);
        folder.join(DESCRIPTION_FILE).exists()
    }

    fn table(&self, outcome: &dyn Fn(&Cell) -> Option<Making>) -> String {
        let head = [
            "attack",
            "largest linf, levels",
            "largest l2",
            "mean l2",
            "most pixels",
            "converged",
            "seconds",
            "threads",
            "peak memory of the process so far, MiB",
        ];
        let row = |cell: Cell| {
            let making = outcome(&cell)?;
            let sizes = making.measured;
            Some(vec![
                cell.attack,
                sizes.linf_levels.to_string(),
                format!("{:.3}", sizes.l2_largest),
                format!("{:.3}", sizes.l2_mean),
                sizes.l0_largest.to_string(),
                if making.converged { "yes" } else { "no" }.into(),
                format!("{:.0}", making.seconds),
                making.threads.to_string(),
                making
                    .peak_rss_mib
                    .map_or("-".into(), |mib| format!("{mib:.0}")),
            ])
        };
        let rows: Vec<_> = self.cells().into_iter().filter_map(row).collect();
        markdown(&head.map(String::from), &rows)
    }
}
