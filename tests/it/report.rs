//! The audit folder: complete, readable back, the same bytes every time, and harmless to what opens it.

use std::path::Path;

use ue_audit::Error;
use ue_audit::data::{Dataset, Status};
use ue_audit::report::{Report, Timing, Timings, csv, folder, terminal};

use crate::support::{audit, findings, image_folder, loaded, settings};

/// Eight pictures of two classes, one of them named like a formula, and a file that is no picture.
fn drop_with_a_bad_row(root: &Path) -> Dataset {
    image_folder(root, 8, 2);
    std::fs::rename(root.join("ring"), root.join("=ring")).unwrap();
    std::fs::write(root.join("disk/zz.png"), "no picture").unwrap();
    loaded(root)
}

#[test]
fn samples_has_every_row_and_exactly_the_promised_columns() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(home.path());
    let (evidence, decision) = findings(&dataset);
    let bytes = csv::samples(&dataset, &evidence, &decision);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(
        "sample_id,label,label_name,status,reason,flagged,poison_score,q_value,severity,\
         perturbation_l2,perturbation_linf,evidence,fingerprint\n"
    ));
    assert!(!text.contains('\r'));
    let mut table = ::csv::Reader::from_reader(text.as_bytes());
    let records: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), dataset.rows.len());
    let mut judged = 0;
    for (record, row) in records.iter().zip(&dataset.rows) {
        assert_eq!(csv::unguard(&record[0]), row.id);
        assert!(
            !record
                .iter()
                .any(|cell| cell.starts_with(['=', '+', '-', '@']))
        );
        if row.status == Status::Ok {
            assert_eq!(&record[5], ["0", "1"][judged % 2]);
            assert_eq!(record[11], format!("template={:.6}", -0.5 * judged as f64));
            assert_eq!(record[12], row.fingerprint);
            judged += 1;
        } else {
            assert_eq!(&record[3], "unreadable");
            assert!(record[4].starts_with("not-an-image"));
            assert_eq!(
                [5, 6, 7, 9, 10, 11].map(|k| &record[k]),
                ["0", "", "", "", "", ""]
            );
        }
    }
    assert_eq!(judged, 8);
}

#[test]
fn an_audit_is_the_same_bytes_at_any_thread_count_except_its_timings() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(&home.path().join("data"));
    let [one, two] = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let out = home.path().join(format!("out{threads}"));
        pool.unwrap().install(|| audit(&dataset, None, &out))
    });
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        [
            "classes.csv",
            "results.json",
            "samples.csv",
            "sheet.png",
            "timings.json"
        ]
    );
    for name in one.keys().filter(|name| *name != folder::TIMINGS) {
        assert_eq!(one[name], two[name], "{name}");
        let path = home.path().to_str().unwrap().as_bytes();
        let leaks = one[name].windows(path.len()).any(|bytes| bytes == path);
        assert!(!leaks, "{name} holds an absolute path");
    }
    assert_ne!(one[folder::TIMINGS], two[folder::TIMINGS]);
}

#[test]
fn results_are_read_back_as_they_were_written() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(&home.path().join("data"));
    let truth: Vec<bool> = dataset.rows.iter().map(|row| row.label == 0).collect();
    let files = audit(&dataset, Some(&truth), &home.path().join("out"));
    let report: Report = serde_json::from_slice(&files[folder::RESULTS]).unwrap();
    let (evidence, decision) = findings(&dataset);
    let again = Report::new(&dataset, &evidence, &decision, &settings(), Some(&truth)).unwrap();
    assert_eq!(report, again);
    assert_eq!(report.schema, "ue-audit/results/v1");
    assert_eq!(report.flagged.len(), 4);
    assert_eq!((report.data.rows, report.data.unreadable), (9, 1));
    assert_eq!(report.bad_files[0].reason, "not-an-image");
    let metrics = report.metrics.unwrap();
    assert_eq!(metrics.detection.rows, 8);
    let names: Vec<_> = metrics
        .auc_by_view
        .iter()
        .map(|view| view.name.as_str())
        .collect();
    assert_eq!(names, ["template", "perturbation_l2", "perturbation_linf"]);
}

#[test]
fn an_audit_is_never_overwritten_unless_forced() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(&home.path().join("data"));
    let out = home.path().join("out");
    audit(&dataset, None, &out);
    assert!(matches!(
        folder::check(&out, false),
        Err(Error::Exists { .. })
    ));
    folder::check(&out, true).unwrap();
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(home.path());
    for bad in [f64::NAN, f64::INFINITY] {
        let (mut evidence, decision) = findings(&dataset);
        evidence.perturbation_l2[3] = bad;
        let report = Report::new(&dataset, &evidence, &decision, &settings(), None);
        assert!(matches!(report, Err(Error::Numeric { .. })));
    }
}

#[test]
fn the_sheet_shows_picture_reconstruction_and_perturbation() {
    let home = tempfile::tempdir().unwrap();
    let dataset = drop_with_a_bad_row(&home.path().join("data"));
    let files = audit(&dataset, None, &home.path().join("out"));
    let sheet = image::load_from_memory(&files[folder::SHEET])
        .unwrap()
        .to_rgb8();
    // The most suspicious row is the last one and flagged: a red bar, then three panels of 96 pixels.
    assert_eq!(sheet.get_pixel(5, 50).0, [200, 30, 30]);
    assert_eq!(sheet.get_pixel(10, 4).0, dataset.image(7)[..3]);
    assert_eq!(sheet.get_pixel(10 + 100 + 50, 50).0, [64; 3]);
    assert_eq!(sheet.get_pixel(10 + 200 + 50, 50).0, [255; 3]);
}

#[test]
fn the_summary_tells_the_numbers_and_cannot_be_steered_by_names() {
    let home = tempfile::tempdir().unwrap();
    let mut dataset = drop_with_a_bad_row(home.path());
    dataset.class_names[0] = "\u{1b}[2Jdisk".into();
    let (evidence, decision) = findings(&dataset);
    let truth = vec![false; dataset.rows.len()];
    let mut report =
        Report::new(&dataset, &evidence, &decision, &settings(), Some(&truth)).unwrap();
    report.timings = Timing::Inline(Timings::new(&[("fit".into(), 1.5)]));
    let text = terminal::render(&report, Path::new("out"), terminal::Style::default());
    assert!(!text.contains('\u{1b}'), "{text}");
    for part in [
        "POISONED: a test",
        "4 of 8 rows flagged",
        "50.0 % (95 %: 25.0 % to 75.0 %)",
        "1 unreadable",
        "undefined",
        "AUC of perturbation_l2 alone",
        "1.5 s",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
