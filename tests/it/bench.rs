//! The benchmark as a script sees it.

use serde_json::Value;

use crate::cli::{ends, ue_audit};

#[test]
fn bench_prints_json_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let args = ["bench", "--steps", "1", "--batch", "2", "--json"];
    let (_, stdout) = ends(ue_audit(home.path()).args(args), 0);
    let measured: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    let names: Vec<_> = measured.iter().map(|case| &case["network"]).collect();
    assert_eq!(names, ["dvae-fast", "dvae-paper", "resnet18"]);
    for case in &measured {
        assert_eq!(case["threads"], 1);
        assert_eq!(case["batch"], 2);
        assert_eq!(case["steps"], 1);
        let positive = |field: &str| {
            let value = case[field].as_f64().unwrap();
            assert!(value > 0.0, "{field}: {case}");
            value
        };
        let (ms, images) = (positive("ms_per_step"), positive("images_per_s"));
        assert!((images * ms / 2000.0 - 1.0).abs() < 1e-6, "{case}");
        let share = positive("gflops") / positive("peak_gflops");
        assert!((share / positive("share_of_peak") - 1.0).abs() < 1e-6);
        if cfg!(target_os = "linux") {
            positive("peak_rss_mib");
        }
    }
}

/// By hand from the layers of the published network at 32x32, multiply-adds of one image: at full resolution 1024 pixels
/// of 27 x 64 (stem) and four of 576 x 64; at half resolution 256 of 576 x 128, 1152 x 128, 64 x 128 and three of
/// 128 x 256; in each decoder 256 of 128 x 1024, then 1024 of 576 x 64, 576 x 32 and 288 x 3. Three passes, but two
/// for the stem.
#[test]
fn bench_counts_the_work_of_the_layers() {
    let home = tempfile::tempdir().unwrap();
    let args = [
        "bench",
        "--case",
        "dvae-paper",
        "--steps",
        "1",
        "--batch",
        "2",
    ];
    let (_, stdout) = ends(ue_audit(home.path()).args(args), 0);
    let measured: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!(measured.len(), 1);
    let stem: u64 = 1024 * 27 * 64;
    let encoder = 1024 * 4 * 576 * 64 + 256 * (576 * 128 + 1152 * 128 + 64 * 128);
    let latent = 256 * 3 * 128 * 256;
    let decoder = 256 * 128 * 1024 + 1024 * (576 * 64 + 576 * 32 + 288 * 3);
    let flops = 2 * (2 * stem + 3 * (encoder + latent + 2 * decoder)) * 2;
    let field = |name: &str| measured[0][name].as_f64().unwrap();
    let counted = field("gflops") * field("ms_per_step") * 1e6;
    assert!((counted / flops as f64 - 1.0).abs() < 1e-9, "{counted}");
}

#[test]
fn bench_refuses_what_it_cannot_measure() {
    let home = tempfile::tempdir().unwrap();
    for args in [["--case", "vgg"], ["--steps", "0"], ["--batch", "1"]] {
        ends(ue_audit(home.path()).arg("bench").args(args), 2);
    }
}

/// Where the processor has no tile registers, bf16 is refused before anything runs, and in words that say so.
#[test]
fn bench_runs_in_bf16_or_says_why_not() {
    let home = tempfile::tempdir().unwrap();
    let args = [
        "bench",
        "--case",
        "dvae-fast",
        "--steps",
        "1",
        "--batch",
        "2",
    ];
    let run = ue_audit(home.path())
        .args(args)
        .args(["--precision", "bf16"])
        .output()
        .unwrap();
    match run.status.code() {
        Some(0) => {
            let measured: Vec<Value> = serde_json::from_slice(&run.stdout).unwrap();
            assert_eq!(measured[0]["precision"], "bf16");
        }
        code => {
            assert_eq!(code, Some(2));
            let said = String::from_utf8(run.stderr).unwrap();
            assert!(said.contains("AMX"), "{said}");
        }
    }
}
