//! The README keeps its word: each `$ ue-audit ...` line of its `console` blocks is run in order, ends with the code in
//! its comment, and prints the lines that follow it.

use std::fs;
use std::path::Path;

use crate::cli::{ends, ue_audit};
use crate::support;

/// A command that is too long for a test, with what it leaves behind for the commands after it.
struct Exempt {
    command: &'static str,
    leave: fn(&Path),
}

/// Scanning thousands of rows trains a network for minutes; `scan.rs` holds the same promises on fewer rows.
const EXEMPT: [Exempt; 1] = [Exempt {
    command: "scan poisoned --truth poisoned/truth.csv --out audit",
    leave: |home| {
        let dataset = support::loaded(&home.join("poisoned"));
        support::audit(&dataset, None, &home.join("audit"));
    },
}];

/// One command of the README.
struct Example<'a> {
    command: &'a str,
    code: i32,
    output: Vec<&'a str>,
}

#[test]
fn every_command_does_what_it_says() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let home = tempfile::tempdir().unwrap();
    copy_fixture(home.path());
    support::image_folder(&home.path().join("photos"), 40, 2);
    let examples = examples(&readme);
    assert!(examples.len() >= 5, "found {} commands", examples.len());
    let mut exempted = 0;
    for Example {
        command,
        code,
        output,
    } in examples
    {
        if let Some(exempt) = EXEMPT.iter().find(|exempt| exempt.command == command) {
            (exempt.leave)(home.path());
            exempted += 1;
            continue;
        }
        let (stderr, stdout) = ends(ue_audit(home.path()).args(command.split(' ')), code);
        let printed = format!("{stdout}{stderr}");
        for line in output {
            let found = printed.lines().any(|other| other.trim_end() == line);
            assert!(found, "{command}: not printed: {line}\n{printed}");
        }
    }
    assert_eq!(exempted, EXEMPT.len(), "an exempted command is not there");
}

/// The commands, each up to the next one or the end of its block.
fn examples(readme: &str) -> Vec<Example<'_>> {
    let blocks = readme.split("```console\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let mut examples: Vec<Example> = Vec::new();
    for line in lines {
        if let Some(typed) = line.strip_prefix("$ ") {
            let typed = typed.strip_prefix("ue-audit ").expect(line);
            let (command, code) = typed.split_once("# exit ").expect(line);
            examples.push(Example {
                command: command.trim_end(),
                code: code.parse().expect(line),
                output: Vec::new(),
            });
        } else if !line.is_empty() {
            examples
                .last_mut()
                .expect(line)
                .output
                .push(line.trim_end());
        }
    }
    examples
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paths in the README are those of the repository.
fn copy_fixture(home: &Path) {
    let folder = Path::new("fixtures/same10/parquet");
    fs::create_dir_all(home.join(folder)).unwrap();
    let mut copied = 0;
    for entry in fs::read_dir(repository().join(folder)).unwrap() {
        let name = entry.unwrap().file_name();
        let file = folder.join(name);
        fs::copy(repository().join(&file), home.join(&file)).unwrap();
        copied += 1;
    }
    assert_eq!(copied, 2, "shards");
}
