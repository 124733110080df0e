//! The main job as a CI job sees it: poison in, exit code and audit out.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{ends, last_line_as_json, ue_audit};
use crate::support::small_image_folder;

/// Enough rows for a verdict.
const ROWS: usize = 1500;

fn clean_drop(home: &Path) {
    small_image_folder(&home.join("data"), ROWS, 10);
}

/// Small pictures are quick; strong poison takes the audit through all that it does where something is found.
fn poisoned_drop(home: &Path) {
    clean_drop(home);
    let poison = [
        "poison", "data", "--attack", "ar", "--budget", "2", "--ratio", "0.5", "--out", "poisoned",
    ];
    ends(ue_audit(home).args(poison), 0);
}

fn results(home: &Path, out: &str) -> Value {
    serde_json::from_slice(&fs::read(home.join(out).join("results.json")).unwrap()).unwrap()
}

/// Few clean rows are flagged, and more of the poison than `recall`.
fn tells(report: &Value, recall: f64) {
    let detection = &report["metrics"]["detection"];
    for (name, least) in [("precision", 0.95), ("recall", recall)] {
        assert!(detection[name].as_f64().unwrap() > least, "{detection}");
    }
}

#[test]
fn a_clean_drop_ends_with_0() {
    let home = tempfile::tempdir().unwrap();
    clean_drop(home.path());
    let (_, stdout) = ends(
        ue_audit(home.path()).args(["scan", "data", "--out", "out", "--json"]),
        0,
    );
    assert_eq!(last_line_as_json(&stdout)["verdict"], "clean");
    assert_eq!(results(home.path(), "out")["verdict"], "clean");
}

#[test]
fn too_few_rows_end_with_4() {
    let home = tempfile::tempdir().unwrap();
    small_image_folder(&home.path().join("data"), 8, 2);
    ends(
        ue_audit(home.path()).args(["scan", "data", "--out", "out"]),
        4,
    );
    assert_eq!(results(home.path(), "out")["verdict"], "inconclusive");
}

#[test]
fn too_many_unreadable_rows_end_with_4() {
    let home = tempfile::tempdir().unwrap();
    clean_drop(home.path());
    for k in 0..20 {
        fs::write(
            home.path().join(format!("data/disk/bad{k}.png")),
            "no picture",
        )
        .unwrap();
    }
    let scan = |more: &[&str], exit| {
        ends(
            ue_audit(home.path()).args(["scan", "data"]).args(more),
            exit,
        )
    };
    scan(&["--out", "out", "--save-model", "m.safetensors"], 4);
    let lenient = ["--max-unreadable", "5%", "--model", "m.safetensors"];
    scan(&[&lenient[..], &["--out", "out2"]].concat(), 0);
}

#[test]
fn a_poisoned_drop_ends_with_1_at_any_number_of_threads_and_tolerance_changes_the_ending_alone() {
    let home = tempfile::tempdir().unwrap();
    poisoned_drop(home.path());
    let scan = |threads, policy: &[&str], exit| {
        let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("ue-audit"));
        command.current_dir(home.path()).args(["scan", "poisoned"]);
        command.args(["--truth", "poisoned/truth.csv", "--json"]);
        command.args(["--threads", threads, "--out", threads]);
        ends(command.args(policy), exit)
    };
    let (stderr, stdout) = scan("1", &[], 1);
    assert!(stderr.contains("exit 1: the drop is poisoned"), "{stderr}");
    let report = last_line_as_json(&stdout);
    tells(&report, 0.95);
    assert!(report["timings"]["total_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(results(home.path(), "1")["timings"]["file"], "timings.json");

    scan("2", &["--fail-on", "none"], 0);
    let [one, two] = ["1", "2"]
        .map(|out| fs::read_to_string(home.path().join(out).join("results.json")).unwrap());
    assert_eq!(one.split('\n').count(), two.split('\n').count());
    let lines = one.split('\n').zip(two.split('\n'));
    let differ = lines.filter(|(one, two)| one != two);
    let fields: Vec<&str> = differ
        .map(|(one, _)| one.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(fields, ["fail-on", "exit", "reason"]);
    for name in ["samples.csv", "classes.csv", "sheet.png", "shortcuts.png"] {
        let bytes = |out: &str| fs::read(home.path().join(out).join(name)).unwrap();
        assert_eq!(bytes("1"), bytes("2"), "{name}");
    }

    // One of its rows, explained.
    let id = results(home.path(), "1")["flagged"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let explain = ["explain", "poisoned", &id, "--report", "1/results.json"];
    let (_, stdout) = ends(ue_audit(home.path()).args(explain), 0);
    assert!(
        stdout.contains("flagged, severity") && stdout.contains("texture"),
        "{stdout}"
    );
    assert!(image::open(home.path().join("1/explain.png")).is_ok());
    let (stderr, _) = ends(ue_audit(home.path()).args(explain), 2);
    assert!(stderr.contains("already exists"), "{stderr}");
    let other = [
        "explain",
        "poisoned",
        "no such row",
        "--report",
        "1/results.json",
    ];
    let (stderr, _) = ends(ue_audit(home.path()).args(other), 2);
    assert!(stderr.contains("no such row"), "{stderr}");
    let data = [
        "explain",
        "data",
        &id,
        "--report",
        "1/results.json",
        "--out",
        "x.png",
    ];
    let (stderr, _) = ends(ue_audit(home.path()).args(data), 2);
    assert!(stderr.contains("fingerprints"), "{stderr}");
}

#[test]
fn the_demo_ends_with_0_whatever_it_finds() {
    let home = tempfile::tempdir().unwrap();
    let (_, stdout) = ends(
        ue_audit(home.path()).args(["demo", "--rows", "1500", "--out", "out"]),
        0,
    );
    assert!(stdout.contains("F1"), "{stdout}");
    let report = results(home.path(), "out");
    assert_eq!(report["verdict"], "poisoned");
    // 150 rows a class are few: most flags are right, and more than half of the poison has one.
    tells(&report, 0.5);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_no_results() {
    let home = tempfile::tempdir().unwrap();
    clean_drop(home.path());
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("ue-audit"))
        .current_dir(home.path())
        .args(["scan", "data", "--out", "out", "--preset", "paper"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!home.path().join("out/results.json").exists());
}
