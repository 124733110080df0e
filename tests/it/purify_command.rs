//! `ue-audit purify`: pictures change, everything else stays, and what must not be done is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use ue_audit::data::FORMATS;

use crate::cli::{ends, ue_audit};
use crate::same10;
use crate::support::{audit, image_folder, loaded};

/// Bytes of every file by its relative path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    crate::copies::files(root).into_iter().collect()
}

fn table(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| row.iter().map(str::to_owned).collect())
        .collect()
}

/// All formats, without training: labels, names, side files and order stay, and the ledger tells what happened.
#[test]
fn every_format_is_purified_in_its_own_form() {
    for format in FORMATS.iter().map(|format| format.name) {
        let home = tempfile::tempdir().unwrap();
        let source = same10::folder(format);
        let before = same10::load(&source);
        let untouched = files(&source);
        let args = [
            "purify",
            source.to_str().unwrap(),
            "--out",
            "pure",
            "--method",
        ];
        let (stderr, _) = ends(ue_audit(home.path()).args(args).arg("bdr"), 0);
        assert!(
            stderr.contains("10 of 10 rows are purified by bdr"),
            "{stderr}"
        );
        assert!(
            files(&source) == untouched,
            "{format}: the source was touched"
        );

        let after = same10::load(&home.path().join("pure"));
        assert_eq!(after.class_names, before.class_names);
        assert_eq!(after.labels(), before.labels());
        let masked: Vec<u8> = before.pixels().iter().map(|byte| byte & 0xc0).collect();
        assert!(after.pixels() == masked, "{format}");

        let changes = table(&fs::read(home.path().join("pure/changes.csv")).unwrap());
        assert_eq!(changes.len(), 10);
        for (row, (old, new)) in changes.iter().zip(before.rows.iter().zip(&after.rows)) {
            let expected = [&old.id, &new.id, &old.fingerprint, &new.fingerprint];
            assert!(row[..4].iter().eq(expected), "{row:?}");
            assert!(row[4].parse::<f64>().unwrap() > 10.0);
            assert!((1..64).contains(&row[5].parse::<u8>().unwrap()));
        }
        let text = fs::read(home.path().join("pure/purify.json")).unwrap();
        let summary: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(summary["source_fingerprint"], before.fingerprint);
        assert_eq!([&summary["purified"], &summary["changed"]], [10, 10]);
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "no scratch is left"
        );
    }
}

#[test]
fn only_the_flagged_rows_change_and_the_others_keep_their_bytes() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    image_folder(&data, 20, 2);
    fs::write(data.join("NOTES.txt"), "notes").unwrap();
    let dataset = loaded(&data);
    audit(&dataset, None, &home.path().join("out"));
    let args = [
        "purify",
        "data",
        "--only-flagged",
        "--report",
        "out/results.json",
        "--out",
        "pure",
    ];
    ends(
        ue_audit(home.path()).args(args).args(["--method", "jpeg"]),
        0,
    );
    let (before, after) = (files(&data), files(&home.path().join("pure")));
    for (k, row) in dataset.rows.iter().enumerate() {
        assert_eq!(before[&row.id] == after[&row.id], k % 2 == 0, "{}", row.id);
    }
    assert_eq!(after["NOTES.txt"], b"notes");
    let changes = table(&after["changes.csv"]);
    let flagged = dataset.rows.iter().skip(1).step_by(2).map(|row| &row.id);
    assert!(changes.iter().map(|row| &row[0]).eq(flagged));
    let summary: Value = serde_json::from_slice(&after["purify.json"]).unwrap();
    assert_eq!(summary["settings"]["quality"], 10);
    assert_eq!(summary["settings"]["subsampling"], "4:2:0");
}

/// A picture that the method leaves as it is keeps its bytes, and the ledger says so.
#[test]
fn what_does_not_change_is_not_written_anew() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    image_folder(&data, 6, 2);
    let args = ["--method", "gray", "--out"];
    ends(
        ue_audit(home.path())
            .args(["purify", "data"])
            .args(args)
            .arg("once"),
        0,
    );
    ends(
        ue_audit(home.path())
            .args(["purify", "once"])
            .args(args)
            .arg("twice"),
        0,
    );
    let (once, twice) = (
        files(&home.path().join("once")),
        files(&home.path().join("twice")),
    );
    for row in table(&twice["changes.csv"]) {
        assert_eq!([&row[4][..], &row[5]], ["", "0"]);
        assert_eq!(row[2], row[3]);
        assert_eq!(once[&row[1]], twice[&row[1]]);
    }
}

#[test]
fn a_dvae_purifies_from_the_command_line_with_the_truth_in_tow() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    image_folder(&data, 40, 2);
    let dataset = loaded(&data);
    let truth = dataset.rows.iter().map(|row| format!("{},0\n", row.id));
    let truth = format!("sample_id,poisoned\n{}", truth.collect::<String>());
    fs::write(data.join("truth.csv"), &truth).unwrap();
    let args = ["purify", "data", "--out", "pure", "--seed", "3"];
    ends(ue_audit(home.path()).args(args), 0);
    let pure = files(&home.path().join("pure"));
    assert_eq!(pure["truth.csv"], truth.as_bytes());
    assert_eq!(table(&pure["changes.csv"]).len(), 40);
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        2,
        "the work folder is gone"
    );
    let again = [
        "purify",
        "data",
        "--out",
        "again",
        "--seed",
        "3",
        "--threads",
        "2",
    ];
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("ue-audit"));
    ends(command.current_dir(home.path()).args(again), 0);
    assert!(
        files(&home.path().join("again")) == pure,
        "other bytes at two threads"
    );
}

#[test]
fn what_must_not_be_done_is_refused_before_the_work() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    image_folder(&data, 20, 2);
    audit(&loaded(&data), None, &home.path().join("out"));
    let refused = |args: &[&str], part: &str| {
        let (stderr, _) = ends(ue_audit(home.path()).args(["purify", "data"]).args(args), 2);
        assert!(stderr.contains(part), "{args:?}: {stderr}");
    };
    refused(&["--out", "out"], "already exists");
    refused(&["--out", "data/inside"], "must not lie within");
    refused(&["--out", "pure", "--only-flagged"], "--report");
    refused(
        &["--out", "pure", "--report", "out/results.json"],
        "--only-flagged",
    );
    refused(&["--out", "pure", "--method", "magic"], "magic");
    refused(&["--out", "pure", "--kld-limit=-1"], "kld_limit");
    image_folder(&data, 22, 2);
    let report = [
        "--only-flagged",
        "--report",
        "out/results.json",
        "--out",
        "pure",
    ];
    refused(&report, "fingerprints");
    assert!(!home.path().join("pure").exists());
    assert!(!home.path().join("pure.ue-audit-work").exists());
}

/// Pictures above 32 pixels are scored small, but nothing may store them small.
#[test]
fn large_pictures_are_refused_by_methods_that_learn_and_kept_large_by_the_others() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data/cat");
    fs::create_dir_all(&data).unwrap();
    for k in 0..3u8 {
        let image = ue_audit::data::Image {
            height: 40,
            width: 48,
            rgb: (0..40 * 48 * 3).map(|i| (i * 7 % 251) as u8 ^ k).collect(),
        };
        let bytes = ue_audit::data::encode_png(&image).unwrap();
        fs::write(data.join(format!("{k}.png")), bytes).unwrap();
    }
    for method in ["dvae", "vae", "lfu"] {
        let args = ["purify", "data", "--out", "pure", "--method", method];
        let (stderr, _) = ends(ue_audit(home.path()).args(args), 2);
        assert!(stderr.contains("sides up to 32"), "{stderr}");
    }
    for method in ["jpeg", "gray", "bdr"] {
        let args = ["purify", "data", "--out", method, "--method", method];
        ends(ue_audit(home.path()).args(args), 0);
        let bytes = fs::read(home.path().join(method).join("cat/0.png")).unwrap();
        let image = ue_audit::data::decode(&bytes, &ue_audit::data::Limits::default()).unwrap();
        assert_eq!((image.height, image.width), (40, 48));
    }
}
