//! Poisoned copies through the library: budgets, stored perturbations, experiments.

use std::path::Path;

use serde_json::{Value, json};
use ue_audit::data::{Limits, open};
use ue_audit::lab::attack::{
    Attack, Budget, Options, Perturbation, Storage, Stored, Target, WorkFile, named,
};
use ue_audit::lab::experiment::{
    Carried, Carriers, Grounds, Learner, Poisons, Repairs, Table, Table8, Table9, reproduce,
};
use ue_audit::lab::poison::{Means, PERTURBATION_FILE, Poison, Summary, sheet_beside};
use ue_audit::nn::Precision;
use ue_audit::observe::{Observer, Silent};
use ue_audit::settings::Preset;
use ue_audit::zoo::Architecture;
use ue_audit::{Error, Result, Seed};

use crate::cli::{ends, ue_audit};
use crate::support;

/// Claims one bound and breaks it in the last row.
struct Breaks;

impl Attack for Breaks {
    fn name(&self) -> &'static str {
        "breaks"
    }
    fn budget(&self) -> Budget {
        Budget::Linf(0.02)
    }
    fn settings(&self) -> Value {
        json!({})
    }
    fn perturb_resumably(
        &self,
        target: &Target<'_>,
        _: Seed,
        _: &mut WorkFile,
        _: &dyn Observer,
    ) -> Result<Perturbation> {
        let mut values = vec![0.02; target.pixels.len()];
        *values.last_mut().unwrap() = -0.03;
        Ok(Perturbation {
            height: target.height,
            width: target.width,
            values,
            converged: true,
        })
    }
}

fn write(home: &Path, means: Means<'_>, ratio: f64, out: &str) -> Result<Summary> {
    let reader = open(&home.join("data"), "auto", &Limits::default())?;
    let poison = Poison {
        means,
        ratio,
        seed: Seed(3),
        storage: Storage::Round,
        options: &Value::Null,
        limits: Limits::default(),
    };
    poison.write(&*reader, &home.join(out), false, &Silent)
}

#[test]
fn an_attack_that_breaks_its_budget_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 8, 2);
    let outcome = write(home.path(), Means::Attack(&Breaks), 1.0, "out");
    assert!(matches!(outcome, Err(Error::Numeric { .. })), "{outcome:?}");
    assert!(!home.path().join("out").exists());
}

#[test]
fn a_stored_perturbation_poisons_as_its_attack_did() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 40, 2);
    let lsp = named("lsp", Options::default()).unwrap();
    let made = write(home.path(), Means::Attack(&*lsp), 1.0, "made").unwrap();
    let stored = Stored::read(&home.path().join("made").join(PERTURBATION_FILE)).unwrap();
    assert_eq!(stored.budget, Budget::L2(1.0));
    let again = write(home.path(), Means::Stored(&stored), 1.0, "again").unwrap();
    assert_eq!(made, again);
    let rows = |out: &str| support::loaded(&home.path().join(out)).pixels().to_vec();
    assert_eq!(rows("made"), rows("again"));
    assert_eq!(support::loaded(&home.path().join("made")).rows.len(), 40);
    let part = write(home.path(), Means::Stored(&stored), 0.25, "part").unwrap();
    assert_eq!((part.rows, part.poisoned), (40, 10));
    let part = Stored::read(&home.path().join("part").join(PERTURBATION_FILE)).unwrap();
    let outcome = write(home.path(), Means::Stored(&part), 0.5, "more");
    assert!(
        matches!(outcome, Err(Error::Settings { .. })),
        "{outcome:?}"
    );
    let png = std::fs::read(sheet_beside(&home.path().join("made"))).unwrap();
    assert!(image::load_from_memory(&png).unwrap().width() > 500);
}

#[test]
fn a_ratio_of_nothing_makes_a_copy_to_compare_with() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 40, 2);
    let poison = [
        "poison", "data", "--attack", "em", "--out", "out", "--force",
    ];
    ends(
        ue_audit(home.path()).args(poison).args(["--ratio", "0.5"]),
        0,
    );
    ends(ue_audit(home.path()).args(poison).args(["--ratio", "0"]), 0);
    let [before, after] = ["data", "out"].map(|path| support::loaded(&home.path().join(path)));
    assert_eq!(before.fingerprint, after.fingerprint);
    let truth = std::fs::read_to_string(home.path().join("out/truth.csv")).unwrap();
    assert_eq!(
        truth.lines().filter(|line| line.ends_with(",0")).count(),
        40
    );
    assert!(!sheet_beside(&home.path().join("out")).exists());
    ends(
        ue_audit(home.path()).args(poison).args(["--ratio", "0.01"]),
        2,
    );
}

#[test]
fn the_command_line_applies_what_is_stored() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 40, 2);
    let poison = ["poison", "data", "--ratio", "0.5"];
    let made = ["--attack", "ar", "--seed", "2", "--out", "made"];
    ends(ue_audit(home.path()).args(poison).args(made), 0);
    let stored = [
        "--perturbation",
        "made/perturbation.safetensors",
        "--out",
        "stored",
    ];
    ends(ue_audit(home.path()).args(poison).args(stored), 0);
    let read = |out: &str, name: &str| std::fs::read(home.path().join(out).join(name)).unwrap();
    assert_eq!(read("made", "truth.csv"), read("stored", "truth.csv"));
    for args in [
        &["--out", "x"][..],
        &[
            "--attack",
            "ar",
            "--perturbation",
            "made/perturbation.safetensors",
            "--out",
            "x",
        ],
        &["--perturbation", "made/truth.csv", "--out", "x"],
    ] {
        ends(ue_audit(home.path()).args(poison).args(args), 2);
        assert!(!home.path().join("x").exists());
    }
}

#[test]
fn experiments_run_each_cell_once() {
    let home = tempfile::tempdir().unwrap();
    let (data, out) = (home.path().join("data"), home.path().join("lab"));
    support::small_image_folder(&data, 40, 2);
    let limits = Limits::default();
    let grounds = Grounds::new(&out, &data, 30, Seed(1), limits, &Silent).unwrap();
    assert_eq!(grounds.data().rows.len(), 30);
    let attacks = ["lsp", "ops"].map(String::from);
    let poisons = Poisons::new(&grounds, &attacks, Options::default());
    let mut told = 0;
    let mut tell = |_: &str| told += 1;
    let first = reproduce(&poisons, &out, &Silent, &mut tell).unwrap();
    let second = reproduce(&poisons, &out, &Silent, &mut tell).unwrap();
    assert_eq!(first, second);
    std::fs::remove_dir_all(grounds.poisoned("ops")).unwrap();
    reproduce(&poisons, &out, &Silent, &mut tell).unwrap();
    assert_eq!(told, 3);

    let grid = (&attacks[..1], &[0.5, 1.0][..]);
    let training = (Architecture::Small, Some(1), Precision::F32);
    let learner = Learner::new(&grounds, &data, training, &Silent).unwrap();
    let remedies = ["none", "clean-part", "drop", "jpeg"].map(String::from);
    let table9 = Table9::new(&grounds, &learner, grid, &remedies, Preset::Fast).unwrap();
    let scans = table9.scans().unwrap();
    reproduce(scans, &out, &Silent, &mut |_| {}).unwrap();
    let mut told = 0;
    let mut tell = |_: &str| told += 1;
    let table = reproduce(&table9, &out, &Silent, &mut tell).unwrap();
    let again = reproduce(&table9, &out, &Silent, &mut tell).unwrap();
    // Where all rows are poisoned no clean part is left, and nothing to drop from.
    assert_eq!((told, &table), (4 + 4 + 2, &again));
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| lsp |"))
        .map(|line| line.split('|').map(str::trim).skip(2).take(5).collect())
        .collect();
    assert!(rows[0].iter().all(|cell| *cell != "-"), "{table}");
    assert_eq!((rows[1][0], rows[1][2], rows[1][3]), ("1", "-", "-"));
    // Thirty rows are too few for a verdict: nothing is flagged, nothing is dropped.
    assert_eq!(rows[0][1], rows[0][3]);
    let unknown = &["prayer".to_owned()];
    assert!(Table9::new(&grounds, &learner, grid, unknown, Preset::Fast).is_err());

    // The last learns from the ten rows that the experiment leaves.
    let defenses = ["none", "jpeg", "gray", "bdr", "avatar"].map(String::from);
    let grid = (&attacks[..1], &defenses[..]);
    let table2 = Repairs::new(&grounds, &learner, Table::Two, grid, Preset::Fast).unwrap();
    let table = reproduce(&table2, &out, &Silent, &mut |_| {}).unwrap();
    let squeezed = table
        .lines()
        .find(|line| line.starts_with("| lsp"))
        .unwrap();
    let cells: Vec<f64> = squeezed
        .split('|')
        .filter_map(|cell| cell.trim().parse().ok())
        .collect();
    // Pictures are shown of what was purified, and how near they are to the clean ones is told below.
    assert!(table2.sheet("lsp", "jpeg").exists() && !table2.sheet("lsp", "none").exists());
    assert_eq!(
        table
            .lines()
            .filter(|line| line.starts_with("| lsp"))
            .count(),
        2
    );
    // No defense, the three squeezes, the one with clean rows, and the best squeeze.
    assert_eq!(cells.len(), 6, "{squeezed}");
    assert_eq!(cells[5], cells[1..4].iter().copied().fold(0.0, f64::max));
    let table6 = Repairs::new(&grounds, &learner, Table::Six, grid, Preset::Fast).unwrap();
    let mut told = 0;
    let table = reproduce(&table6, &out, &Silent, &mut |_| told += 1).unwrap();
    assert_eq!(told, 0, "table 2 has run all of it");
    assert!(table.contains("| avatar | pictures | yes | "), "{table}");

    let unknown = (&attacks[..1], &["prayer".to_owned()][..]);
    assert!(Repairs::new(&grounds, &learner, Table::Seven, unknown, Preset::Fast).is_err());

    let table1 = Carried::new(
        &grounds,
        &learner,
        Carriers::TableOne,
        &attacks[..1],
        Preset::Fast,
    );
    let table = reproduce(&table1, &out, &Silent, &mut |_| {}).unwrap();
    assert!(
        table.lines().last().unwrap().starts_with("| lsp | 1 | "),
        "{table}"
    );

    let grid = (&attacks[..1], &[0.5][..]);
    let detectors = ["simple-linear".to_owned()];
    let table8 = Table8::new(&grounds, grid, &detectors, Preset::Fast).unwrap();
    let table = reproduce(&table8, &out, &Silent, &mut |_| {}).unwrap();
    assert!(table.contains("| clean | 0 | simple-linear | "), "{table}");
    assert!(table.contains("| lsp | 0.5 | simple-linear | "), "{table}");
    assert!(Table8::new(&grounds, grid, &["oracle".to_owned()], Preset::Fast).is_err());
}

#[test]
fn grey_pictures_get_grey_poison_and_keep_their_form() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    // Twenty pictures of 32 x 32 in two classes, in IDX files, which have one channel.
    let pixels = (0..20 * 1024).map(|i| (i * 7 % 200 + 20) as u8);
    let pictures = crate::idx::array(&[20, 32, 32], &Vec::from_iter(pixels));
    let labels = crate::idx::array(&[20], &Vec::from_iter((0..20).map(|i| i % 2)));
    std::fs::write(data.join("a-images-idx3-ubyte"), pictures).unwrap();
    std::fs::write(data.join("a-labels-idx1-ubyte"), labels).unwrap();

    let before = crate::same10::load(&data);
    for attack in ["lsp", "ops", "ar"] {
        let attack = named(attack, Options::default()).unwrap();
        let out = attack.name();
        let summary = write(home.path(), Means::Attack(&*attack), 0.5, out).unwrap();
        assert_eq!(summary.poisoned, 10);
        let after = crate::same10::load(&home.path().join(out));
        let changed = (0..20).filter(|&k| after.image(k) != before.image(k));
        assert_eq!(changed.count(), 10, "{out}");
        assert!(after.pixels().chunks(3).all(|p| p == [p[0]; 3]), "{out}");
        // One channel has the size that three would have.
        if let Budget::L2(limit) = attack.budget() {
            let size = summary.measured.l2_mean / 3f64.sqrt();
            assert!(size > 0.8 * limit && size < 1.1 * limit, "{size}");
        }
        // What was stored is grey already.
        let stored = Stored::read(&home.path().join(out).join(PERTURBATION_FILE)).unwrap();
        let again = format!("{out}-again");
        write(home.path(), Means::Stored(&stored), 0.5, &again).unwrap();
        let again = crate::same10::load(&home.path().join(again));
        assert!(again.pixels() == after.pixels(), "{out}");
    }
}
