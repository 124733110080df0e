//! Other detectors and the selftest, as a user meets them.

use std::fs;

use serde_json::Value;
use ue_audit::Seed;
use ue_audit::data::Dataset;
use ue_audit::decide::Verdict;
use ue_audit::demo;
use ue_audit::lab::attack::{Attack, Lsp};
use ue_audit::lab::detector::Detector;
use ue_audit::lab::planting::Planting;
use ue_audit::observe::Silent;

use crate::cli::{ends, last_line_as_json, ue_audit};
use crate::support::{image_folder, loaded, settings, small_image_folder};

/// A drop in which every row carries, which the linear network of UDP was made for.
#[test]
fn a_linear_network_finds_a_linear_shortcut() {
    let home = tempfile::tempdir().unwrap();
    small_image_folder(home.path(), 600, 10);
    let clean = loaded(home.path());
    let lsp = Lsp::sample_wise(2.0);
    let planting = Planting::new(&lsp, &clean, 1.0, Seed(4), &Silent).unwrap();
    let named = Detector::named("simple-linear").unwrap();
    let judge = |data| named.audit(data, &settings(), None, &Silent).unwrap();
    let audit = judge(planting.plant(usize::MAX).unwrap());
    assert_eq!(
        audit.decision.verdict,
        Verdict::Poisoned,
        "{}",
        audit.decision.reason
    );
    let flagged = audit.decision.rows.iter().filter(|row| row.flagged);
    assert!(flagged.count() > 400);
    let again = judge(planting.plant(usize::MAX).unwrap());
    assert!(
        again.decision == audit.decision,
        "the same seed, the same verdict"
    );
    // Labels that are drawn can be learnt by heart, and not found on rows that are held out.
    let label = |row: u32| (row.wrapping_mul(2_654_435_761) >> 8) % 10;
    let labels: Vec<u32> = (0..600).map(label).collect();
    let size = (clean.height, clean.width);
    let (names, pixels) = (clean.class_names.clone(), clean.pixels().to_vec());
    let drawn = Dataset::from_pixels("test", "drawn labels", names, size, pixels, &labels);
    assert_eq!(judge(drawn).decision.verdict, Verdict::Clean);
}

#[test]
fn a_planting_poisons_the_rows_it_says_and_no_other() {
    let clean = demo::dataset(100, Seed(3));
    let lsp = Lsp::default();
    let planting = Planting::new(&lsp, &clean, 0.5, Seed(4), &Silent).unwrap();
    let planted = planting.plant(20).unwrap();
    let rows = planting.rows(20);
    assert_eq!(rows.len(), 20);
    for row in 0..100 {
        let changed = clean.image(row) != planted.image(row);
        assert_eq!(changed, rows.contains(&row), "{row} by {}", lsp.name());
    }
}

#[test]
fn a_rival_writes_an_audit_and_claims_no_rate() {
    let home = tempfile::tempdir().unwrap();
    image_folder(&home.path().join("data"), 300, 4);
    let scan = ["scan", "data", "--detector", "clustering", "--json"];
    let (_, stdout) = ends(ue_audit(home.path()).args(scan), 1);
    let report = last_line_as_json(&stdout);
    assert_eq!(report["poison_ratio"]["hi95"], 1.0);
    assert_eq!(report["views"][0]["name"], "clustering");
    let scan = ["scan", "data", "--detector", "no-such"];
    ends(ue_audit(home.path()).args(scan), 2);
}

#[test]
fn a_selftest_says_what_would_have_been_caught() {
    let home = tempfile::tempdir().unwrap();
    small_image_folder(&home.path().join("data"), 400, 4);
    let selftest = [
        "selftest", "data", "--out", "out", "--rows", "300", "--attack", "lsp",
    ];
    let (stderr, stdout) = ends(ue_audit(home.path()).args(selftest), 0);
    assert!(stdout.contains("smallest share caught"), "{stdout}");
    assert!(
        stderr.contains("of 1 planted poisons were caught"),
        "{stderr}"
    );
    let file = home.path().join("out/results.json");
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let powers = report["selftest"].as_array().unwrap();
    assert_eq!(powers.len(), 1);
    for power in powers {
        let caught = power["caught"].as_f64();
        for trial in power["trials"].as_array().unwrap() {
            let found = trial["verdict"] == "poisoned";
            assert_eq!(
                found,
                caught.is_some_and(|share| trial["ratio"].as_f64() >= Some(share))
            );
        }
    }
}
