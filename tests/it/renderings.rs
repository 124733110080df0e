//! `report`: each rendering read back by its own rules.

use serde_json::Value;
use ue_audit::report::{Rendering, Report};

use crate::cli::{ends, ue_audit};
use crate::support::{audit, image_folder, loaded};

/// A report on 20 rows of 2 classes, every second one flagged, as it is read back.
fn report() -> (Report, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    image_folder(&home.path().join("data"), 20, 2);
    let dataset = loaded(&home.path().join("data"));
    let truth: Vec<bool> = (0..20).map(|row| row % 2 == 1).collect();
    let files = audit(&dataset, Some(&truth), &home.path().join("out"));
    (
        serde_json::from_slice(&files["results.json"]).unwrap(),
        home,
    )
}

fn text(report: &Report, rendering: Rendering) -> String {
    String::from_utf8(rendering.render(report).unwrap()).unwrap()
}

/// A name that is markup, a formula and a URI reserve at once.
const HOSTILE: &str = "=<script>alert(1)</script>|&\"']]>#1 %\u{7}";

fn hostile() -> Report {
    let (mut report, _home) = report();
    report.classes[0].name = HOSTILE.into();
    report.flagged[0] = format!("{HOSTILE}/a b.png");
    report.reason = HOSTILE.into();
    report.bad_files = vec![ue_audit::report::BadFileGroup {
        reason: "truncated".into(),
        rows: 3,
        examples: vec![HOSTILE.into()],
    }];
    report
}

#[test]
fn sarif_lists_every_rule_and_aggregates() {
    let (report, _home) = report();
    let sarif: Value = serde_json::from_str(&text(&report, Rendering::Sarif)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<_> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["UE001", "UE002", "UE003", "UE901"]);
    let results = run["results"].as_array().unwrap();
    let count = |id: &str| {
        results
            .iter()
            .filter(|result| result["ruleId"] == id)
            .count()
    };
    assert_eq!(["UE003", "UE002", "UE001"].map(count), [1, 2, 10]);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(
            result["message"]["text"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
    }
    let keys: std::collections::BTreeSet<_> = results
        .iter()
        .map(|result| {
            result["partialFingerprints"]["ueAuditId/v1"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(keys.len(), results.len(), "fingerprints are told apart");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["invocations"][0]["exitCode"], 1);
}

#[test]
fn sarif_is_capped_and_says_so() {
    let (mut report, _home) = report();
    report.flagged = (0..3000)
        .map(|row| format!("train.parquet#{row}"))
        .collect();
    report.data.format = "parquet".into();
    let sarif: Value = serde_json::from_str(&text(&report, Rendering::Sarif)).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 1003);
    assert_eq!(run["properties"]["flagged"], 3000);
    assert_eq!(run["properties"]["flaggedListed"], 1000);
    let location = &run["results"][3]["locations"][0];
    assert_eq!(
        location["physicalLocation"]["artifactLocation"]["uri"],
        "train.parquet"
    );
    assert_eq!(
        location["logicalLocations"][0]["fullyQualifiedName"],
        "train.parquet#0"
    );
    let page = text(&report, Rendering::Html);
    assert_eq!(page.matches("<li>").count(), 1000);
    assert!(page.contains("3000 flagged rows, the first 1000"));
}

#[test]
fn an_inconclusive_run_is_no_success() {
    let (mut report, _home) = report();
    report.verdict = ue_audit::decide::Verdict::Inconclusive;
    report.gate.exit = ue_audit::decide::gate::Exit::Inconclusive;
    report.flagged.clear();
    let sarif: Value = serde_json::from_str(&text(&report, Rendering::Sarif)).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["results"][0]["ruleId"], "UE901");
    let junit =
        quick_junit::Report::deserialize_from_str(&text(&report, Rendering::Junit)).unwrap();
    assert_eq!(junit.errors, 1);
}

#[test]
fn hostile_names_stay_names() {
    let report = hostile();
    let sarif: Value = serde_json::from_str(&text(&report, Rendering::Sarif)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let sample = results
        .iter()
        .find(|result| result["ruleId"] == "UE001")
        .unwrap();
    let uri = sample["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        .as_str()
        .unwrap();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
    assert!(uri.chars().all(plain), "{uri}");

    let page = text(&report, Rendering::Html);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    for part in ["http://", "https://", "src=", "<link", "url("] {
        assert!(!page.contains(part), "the page loads {part}");
    }

    let junit =
        quick_junit::Report::deserialize_from_str(&text(&report, Rendering::Junit)).unwrap();
    let cases = &junit.test_suites[0].test_cases;
    assert_eq!(cases.len(), 3);
    assert!(
        cases[1]
            .name
            .as_str()
            .starts_with("=<script>alert(1)</script>|&\"']]>#1 %")
    );

    let markdown = text(&report, Rendering::Md);
    assert!(!markdown.contains("<script") && markdown.contains("&lt;script"));
    let row = markdown
        .lines()
        .find(|line| line.starts_with("| ="))
        .unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");

    let csv = text(&report, Rendering::Csv);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1 + 2 + 10);
    assert_eq!(&rows[1][1], format!("'{HOSTILE}"), "formulas are defused");
}

#[test]
fn junit_fails_where_the_gate_does() {
    let (mut report, _home) = report();
    let read = |report: &Report| {
        quick_junit::Report::deserialize_from_str(&text(report, Rendering::Junit)).unwrap()
    };
    let failed = read(&report);
    assert_eq!((failed.tests, failed.failures, failed.errors), (3, 3, 0));
    report.gate.exit = ue_audit::decide::gate::Exit::Passed;
    let passed = read(&report);
    assert_eq!((passed.tests, passed.failures, passed.errors), (3, 0, 0));
    assert!(!text(&report, Rendering::Junit).contains("timestamp"));
}

#[test]
fn the_command_writes_one_file_or_to_standard_output() {
    let (report, home) = report();
    for (name, rendering) in ["html", "csv", "sarif", "junit", "md"]
        .iter()
        .zip(Rendering::ALL)
    {
        let args = ["report", "out/results.json", "--format", name];
        let (_, stdout) = ends(ue_audit(home.path()).args(args), 0);
        let expected = text(&report, rendering);
        assert_eq!(stdout.trim_end(), expected.trim_end());
        ends(ue_audit(home.path()).args(args).args(["--out", name]), 0);
        assert_eq!(
            std::fs::read_to_string(home.path().join(name)).unwrap(),
            expected
        );
        ends(ue_audit(home.path()).args(args).args(["--out", name]), 2);
        ends(
            ue_audit(home.path())
                .args(args)
                .args(["--force", "--out", name]),
            0,
        );
    }
    ends(
        ue_audit(home.path()).args(["report", "out/samples.csv", "--format", "md"]),
        2,
    );
}
