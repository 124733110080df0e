//! The program as a script sees it: exit codes, streams, files.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::support;

pub(crate) fn ue_audit(home: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ue-audit"));
    command.current_dir(home).args(["--threads", "1"]);
    command
}

/// Standard error, and standard output, of a command that ends with `code`.
pub(crate) fn ends(command: &mut Command, code: i32) -> (String, String) {
    let output = command.assert().code(code).get_output().clone();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stderr), text(output.stdout))
}

pub(crate) fn last_line_as_json(stdout: &str) -> Value {
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn usage_errors_end_with_2() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["scan"][..],
        &["no-such-command"],
        &["scan", "x", "--fail-on", "never"],
        &["scan", "x", "--max-flagged", "120%"],
        &["scan", "x", "--threads", "0"],
        &["scan", "x", "--color", "purple"],
        &["scan", "x", "--fdr", "2"],
        &["scan", "x", "--device", "abacus"],
    ] {
        ends(ue_audit(home.path()).args(args), 2);
    }
}

/// The contract's flag: what is there is taken, what is not built in is refused and not ignored.
#[test]
fn the_processor_is_the_only_device() {
    let home = tempfile::tempdir().unwrap();
    let source = crate::same10::folder("cifar");
    let inspect = ["inspect", source.to_str().unwrap(), "--device"];
    ends(ue_audit(home.path()).args(inspect).arg("cpu"), 0);
    for device in ["cuda", "cuda:1"] {
        let (stderr, _) = ends(ue_audit(home.path()).args(inspect).arg(device), 2);
        assert!(stderr.contains("take cpu"), "{stderr}");
    }
}

#[test]
fn help_and_version_end_with_0() {
    let home = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["scan", "--help"]] {
        ends(ue_audit(home.path()).args(args), 0);
    }
}

#[test]
fn a_path_that_is_not_there_ends_with_2() {
    let home = tempfile::tempdir().unwrap();
    let (stderr, stdout) = ends(ue_audit(home.path()).args(["scan", "absent"]), 2);
    assert!(stderr.contains("exit 2: absent"), "{stderr}");
    assert!(stdout.is_empty());
}

#[test]
fn an_empty_folder_ends_with_3() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("empty")).unwrap();
    for command in ["scan", "inspect"] {
        let (stderr, _) = ends(ue_audit(home.path()).args([command, "empty"]), 3);
        assert!(stderr.contains("nothing to scan"), "{stderr}");
    }
}

#[test]
fn a_folder_without_a_data_set_ends_with_3_and_a_strange_file_with_2() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("texts")).unwrap();
    std::fs::write(home.path().join("texts/a.txt"), "x").unwrap();
    for (path, exit) in [("texts", 3), ("texts/a.txt", 2)] {
        let (stderr, _) = ends(ue_audit(home.path()).args(["scan", path]), exit);
        assert!(stderr.contains("not a recognised data set"), "{stderr}");
    }
}

#[test]
fn too_few_rows_are_inconclusive_with_a_truth_as_well() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 20, 2);
    let rows = support::loaded(&home.path().join("data")).rows;
    let truth = rows.iter().map(|row| (&*row.id, false));
    ue_audit::data::write_truth(&home.path().join("t.csv"), truth).unwrap();
    let scan = ["scan", "data", "--truth", "t.csv", "--json"];
    let (_, stdout) = ends(ue_audit(home.path()).args(scan), 4);
    assert_eq!(last_line_as_json(&stdout)["verdict"], "inconclusive");
}

#[cfg(unix)]
#[test]
fn a_link_to_the_folder_is_the_folder() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 8, 2);
    std::os::unix::fs::symlink("data", home.path().join("link")).unwrap();
    let (stderr, _) = ends(ue_audit(home.path()).args(["inspect", "link"]), 0);
    assert!(stderr.contains("8 of 8 rows"), "{stderr}");
}

#[test]
fn output_that_exists_ends_with_2_before_any_work() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 4, 2);
    std::fs::create_dir(home.path().join("out")).unwrap();
    std::fs::write(home.path().join("out/precious"), "x").unwrap();
    let (stderr, _) = ends(
        ue_audit(home.path()).args(["scan", "data", "--out", "out"]),
        2,
    );
    assert!(stderr.contains("--force"), "{stderr}");
}

#[test]
fn output_inside_the_data_ends_with_2() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 4, 2);
    let (stderr, _) = ends(
        ue_audit(home.path()).args(["scan", "data", "--out", "data/audit"]),
        2,
    );
    assert!(stderr.contains("inside the data"), "{stderr}");
}

#[test]
fn an_unknown_key_in_the_settings_file_ends_with_2_and_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.toml"), "max-flaged = 3\n").unwrap();
    let (stderr, _) = ends(
        ue_audit(home.path()).args(["scan", "x", "--config", "a.toml"]),
        2,
    );
    assert!(stderr.contains("max-flaged"), "{stderr}");
}

#[test]
fn inspect_tells_the_rule_and_the_bad_files() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 8, 2);
    std::fs::write(home.path().join("data/disk/zz.png"), "no picture").unwrap();
    let (stderr, stdout) = ends(ue_audit(home.path()).args(["inspect", "data", "--json"]), 0);
    let inventory = last_line_as_json(&stdout);
    assert_eq!(inventory["rows"], 9);
    assert_eq!(inventory["readable"], 8);
    assert_eq!(inventory["unreadable"][0]["defect"], "not-an-image");
    assert!(stdout.contains("zz.png"), "{stdout}");
    assert!(stderr.contains("exit 0: 8 of 9 rows"), "{stderr}");
}

#[test]
fn quiet_leaves_the_json_alone_on_standard_output() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 8, 2);
    let (_, stdout) = ends(
        ue_audit(home.path()).args(["inspect", "data", "--json", "--quiet"]),
        0,
    );
    assert_eq!(stdout.lines().count(), 1);
}

#[test]
fn the_environment_sets_what_flags_do_not() {
    let home = tempfile::tempdir().unwrap();
    support::image_folder(&home.path().join("data"), 8, 2);
    let rows = |args: &[&str]| {
        let mut command = ue_audit(home.path());
        command.env("UE_AUDIT_MAX_IMAGES", "4");
        command.args(["inspect", "data", "--json"]).args(args);
        last_line_as_json(&ends(&mut command, 0).1)["readable"].clone()
    };
    assert_eq!(rows(&[]), 4);
    assert_eq!(rows(&["--max-images", "6"]), 6);
    let lines = |quiet: &str| {
        let mut command = ue_audit(home.path());
        command
            .env("UE_AUDIT_QUIET", quiet)
            .args(["inspect", "data", "--json"]);
        ends(&mut command, 0).1.lines().count()
    };
    assert_eq!(lines("1"), 1);
    assert!(lines("0") > 1);
}

#[cfg(feature = "lab")]
mod lab {
    use super::*;

    fn poison(home: &Path, out: &str, seed: &str) {
        ends(
            ue_audit(home).args([
                "poison", "data", "--attack", "lsp", "--ratio", "0.25", "--seed", seed, "--out",
                out,
            ]),
            0,
        );
    }

    #[test]
    fn poison_writes_a_copy_with_its_truth() {
        let home = tempfile::tempdir().unwrap();
        support::image_folder(&home.path().join("data"), 40, 2);
        poison(home.path(), "poisoned", "1");
        let out = home.path().join("poisoned");
        let truth = std::fs::read_to_string(out.join("truth.csv")).unwrap();
        let marked: Vec<_> = truth
            .lines()
            .skip(1)
            .filter_map(|l| l.strip_suffix(",1"))
            .collect();
        assert_eq!(truth.lines().count(), 41);
        assert_eq!(marked.len(), 10);
        for line in truth.lines().skip(1) {
            let (id, poisoned) = line.rsplit_once(',').unwrap();
            let bytes = |root: &str| std::fs::read(home.path().join(root).join(id)).unwrap();
            assert_eq!(bytes("data") != bytes("poisoned"), poisoned == "1", "{id}");
        }
        let description: Value =
            serde_json::from_slice(&std::fs::read(out.join("poison.json")).unwrap()).unwrap();
        assert_eq!(description["attack"], "lsp");
        assert_eq!(description["poisoned"], 10);
        let bytes = std::fs::read(out.join("perturbation.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("indices").unwrap().shape(), [10]);
        assert_eq!(
            tensors.tensor("perturbation").unwrap().shape(),
            [10, 32, 32, 3]
        );
    }

    #[test]
    fn attacks_are_chosen_on_the_command_line() {
        let home = tempfile::tempdir().unwrap();
        support::image_folder(&home.path().join("data"), 40, 2);
        for attack in ["ar", "lsp-class", "ntga", "ops"] {
            let args = [
                "poison", "data", "--ratio", "0.5", "--attack", attack, "--out", attack,
            ];
            ends(ue_audit(home.path()).args(args), 0);
            let bytes = std::fs::read(home.path().join(attack).join("poison.json")).unwrap();
            let description: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(description["attack"], attack);
        }
    }

    #[test]
    fn poison_depends_on_the_seed_alone() {
        let home = tempfile::tempdir().unwrap();
        support::image_folder(&home.path().join("data"), 40, 2);
        poison(home.path(), "a", "1");
        poison(home.path(), "b", "1");
        poison(home.path(), "c", "2");
        let bytes = |root: &str| {
            std::fs::read(home.path().join(root).join("perturbation.safetensors")).unwrap()
        };
        assert_eq!(bytes("a"), bytes("b"));
        assert_ne!(bytes("a"), bytes("c"));
    }

    #[test]
    fn poison_refuses_what_it_cannot_do() {
        let home = tempfile::tempdir().unwrap();
        support::image_folder(&home.path().join("data"), 8, 2);
        let poison = ["poison", "data", "--out", "out"];
        for args in [
            ["--attack", "none", "--ratio", "0.5"],
            ["--attack", "lsp", "--ratio", "1.5"],
            ["--attack", "lsp", "--ratio", "0.01"],
        ] {
            ends(ue_audit(home.path()).args(poison).args(args), 2);
            assert!(!home.path().join("out").exists());
        }
    }
}
