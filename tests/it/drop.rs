//! `drop`: the flagged rows go, everything else stays, and only the data that were scanned are touched.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::{ends, ue_audit};
use crate::support::{audit, image_folder, loaded};

/// Four CIFAR-10 records, the pixels of record `k` all `k`.
fn cifar(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let record = |k: u8| [vec![k % 2], vec![k; 3072]].concat();
    let bytes: Vec<u8> = (0..4).flat_map(record).collect();
    std::fs::write(folder.join("data_batch_1.bin"), bytes).unwrap();
}

const DROP: [&str; 6] = [
    "drop",
    "data",
    "--report",
    "out/results.json",
    "--out",
    "kept",
];

#[test]
fn exactly_the_flagged_rows_are_missing() {
    let home = tempfile::tempdir().unwrap();
    image_folder(&home.path().join("data"), 20, 2);
    let dataset = loaded(&home.path().join("data"));
    audit(&dataset, None, &home.path().join("out"));
    let (stderr, _) = ends(ue_audit(home.path()).args(DROP), 0);
    assert!(stderr.contains("10 of 20 rows are in kept"), "{stderr}");
    let kept = loaded(&home.path().join("kept"));
    let kept: BTreeSet<_> = kept
        .rows
        .iter()
        .map(|row| (&row.id, &row.fingerprint))
        .collect();
    for (k, row) in dataset.rows.iter().enumerate() {
        assert_eq!(kept.contains(&(&row.id, &row.fingerprint)), k % 2 == 0);
    }
}

#[test]
fn a_report_on_other_data_is_refused() {
    let home = tempfile::tempdir().unwrap();
    image_folder(&home.path().join("data"), 20, 2);
    audit(
        &loaded(&home.path().join("data")),
        None,
        &home.path().join("out"),
    );
    image_folder(&home.path().join("data"), 22, 2);
    let (stderr, _) = ends(ue_audit(home.path()).args(DROP), 2);
    assert!(stderr.contains("fingerprints"), "{stderr}");
    assert!(!home.path().join("kept").exists());
}

#[test]
fn what_is_no_report_is_refused() {
    let home = tempfile::tempdir().unwrap();
    image_folder(&home.path().join("data"), 4, 2);
    std::fs::create_dir(home.path().join("out")).unwrap();
    for text in ["{}", "not JSON"] {
        std::fs::write(home.path().join("out/results.json"), text).unwrap();
        ends(ue_audit(home.path()).args(DROP), 2);
    }
}

#[test]
fn a_truth_follows_rows_that_change_their_number() {
    let home = tempfile::tempdir().unwrap();
    cifar(&home.path().join("data"));
    let truth = "sample_id,poisoned\ndata_batch_1.bin#0,0\ndata_batch_1.bin#1,1\n\
                 data_batch_1.bin#2,1\ndata_batch_1.bin#3,0\n";
    std::fs::write(home.path().join("data/truth.csv"), truth).unwrap();
    audit(
        &loaded(&home.path().join("data")),
        None,
        &home.path().join("out"),
    );
    ends(ue_audit(home.path()).args(DROP), 0);
    let truth = std::fs::read_to_string(home.path().join("kept/truth.csv")).unwrap();
    assert_eq!(
        truth,
        "sample_id,poisoned\ndata_batch_1.bin#0,0\ndata_batch_1.bin#1,1\n"
    );
}
