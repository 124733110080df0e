//! Who may import whom: the table that `docs/ARCHITECTURE.md` repeats, held against every path in the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the library and what it imports, its unit tests included. A name too many is as wrong as one that is
/// missing: the table is the truth, not a wish.
const IMPORTS: [(&str, &[&str]); 21] = [
    ("error", &[]),
    ("rng", &[]),
    ("stats", &[]),
    ("labels", &[]),
    ("observe", &["error"]),
    ("file", &["error"]),
    ("kernel", &[]),
    ("mixture", &[]),
    ("data", &[]),
    ("nn", &[]),
    ("dvae", &["data", "nn"]),
    ("zoo", &["data", "nn"]),
    ("purify", &["data", "demo", "dvae", "nn", "settings"]),
    ("detect", &["data", "dvae", "mixture", "nn"]),
    ("decide", &["detect", "mixture"]),
    ("settings", &["data", "decide"]),
    ("report", &["data", "decide", "detect", "settings"]),
    ("demo", &["data"]),
    ("audit", &["data", "decide", "detect", "dvae", "settings"]),
    ("bench", &["dvae", "nn", "zoo"]),
    (
        "lab",
        &[
            "audit", "data", "decide", "demo", "detect", "dvae", "nn", "purify", "report",
            "settings", "zoo",
        ],
    ),
];

/// What the modules after these seven may use without a word in the table.
const BASE: [&str; 7] = [
    "error", "rng", "stats", "labels", "observe", "file", "kernel",
];

/// Modules of the program that may name the lab: its commands, which the feature switches off with it, and what hands
/// `--detector` to it.
const LAB_FILES: [&str; 6] = [
    "args",
    "demo",
    "pipeline",
    "poison",
    "reproduce",
    "selftest",
];

#[test]
fn modules_import_what_the_table_says() {
    let files = files("src", &["bin", "lib.rs"]);
    for (module, allowed) in IMPORTS {
        let own: Vec<_> = files.iter().filter(|file| file.module == module).collect();
        assert!(!own.is_empty(), "no file of {module} was read");
        let mut used = BTreeSet::new();
        for file in own {
            used.extend(roots(&file.code).into_iter().filter(|&name| {
                name != module && (!BASE.contains(&name) || BASE.contains(&module))
            }));
        }
        let allowed = BTreeSet::from_iter(allowed.iter().copied());
        assert_eq!(used, allowed, "imports of {module}");
    }
    for file in &files {
        let known = IMPORTS.iter().any(|(module, _)| *module == file.module);
        assert!(known, "{} has no row in the table", file.module);
        assert!(
            climbs(&file.code) < file.depth,
            "{}: a chain of super:: leaves the module, where this test cannot follow",
            file.path.display()
        );
    }
}

#[test]
fn every_file_was_read() {
    for (folder, root, left_out) in [
        ("src", "lib.rs", "bin"),
        ("src/bin/ue-audit", "main.rs", ""),
    ] {
        let files = files(folder, &[left_out]);
        let declared = |file: &File| file.code.lines().filter(|line| declares(line)).count();
        let modules: usize = files.iter().map(declared).sum();
        assert!(files.iter().any(|file| file.path.ends_with(root)));
        assert_eq!(files.len(), modules + 1, "{folder}: a file for each `mod`");
    }
}

#[test]
fn only_these_modules_name_the_lab() {
    let files = files("src/bin/ue-audit", &[]);
    let names = |file: &&File| file.code.contains("ue_audit::lab");
    let named = files.iter().filter(names).map(|file| &file.module);
    let named: BTreeSet<_> = named.map(String::as_str).collect();
    assert_eq!(named, BTreeSet::from(LAB_FILES));
}

#[test]
fn the_document_repeats_the_table() {
    let document = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for (module, imports) in IMPORTS {
        let imports: Vec<_> = imports.iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| `{module}` | {} |", imports.join(" "));
        assert!(document.contains(&row), "docs/ARCHITECTURE.md lacks: {row}");
    }
}

/// One file of source.
struct File {
    path: PathBuf,
    /// The first part of its module path.
    module: String,
    /// Parts of its module path.
    depth: usize,
    /// Its text without the lines that are comments: links in documentation are no imports.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder`, less those whose path begins with one of `left_out`, by path.
fn files(folder: &str, left_out: &[&str]) -> Vec<File> {
    let folder = root().join(folder);
    let entries = walkdir::WalkDir::new(&folder).sort_by_file_name();
    let paths = entries.into_iter().map(|entry| entry.unwrap().into_path());
    let sources = paths.filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    sources
        .filter_map(|path| {
            let inside = path.strip_prefix(&folder).unwrap().with_extension("");
            let parts: Vec<_> = inside.iter().filter(|part| *part != "mod").collect();
            let first = parts[0].to_str().unwrap();
            let named = |name: &&str| name.trim_end_matches(".rs") == first;
            if left_out.iter().any(named) {
                return None;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            Some(File {
                module: first.into(),
                depth: parts.len(),
                code: code.collect::<Vec<_>>().join("\n"),
                path,
            })
        })
        .collect()
}

/// The modules that `crate::` paths name, also inside `crate::{...}`, with the homes of what the root re-exports.
fn roots(code: &str) -> Vec<&str> {
    let mut roots = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let path = &code[at + "crate::".len()..];
        match path.strip_prefix('{') {
            Some(group) => roots.extend(items(group).into_iter().map(home)),
            None => roots.push(home(first_name(path))),
        }
    }
    roots
}

/// First names of the items of a group, up to the brace that closes it.
fn items(group: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0, 0);
    let mut names = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

/// The module in which a name at the root of the crate is defined.
fn home(name: &str) -> &str {
    match name {
        "Error" | "Result" => "error",
        "Seed" => "rng",
        "Labels" => "labels",
        "Config" | "Settings" => "settings",
        module => module,
    }
}

/// The longest chain of `super::` that starts outside the unit tests, which lie a module deeper.
fn climbs(code: &str) -> usize {
    let chains = code.split("#[cfg(test)]").enumerate().map(|(part, code)| {
        let mut longest = 0;
        while code.contains(&"super::".repeat(longest + 1)) {
            longest += 1;
        }
        longest.saturating_sub(part.min(1))
    });
    chains.max().unwrap_or_default()
}

fn declares(line: &str) -> bool {
    let line = line.trim_start();
    let open = ["pub ", "pub(super) "].map(|prefix| line.strip_prefix(prefix));
    let line = open.into_iter().flatten().next().unwrap_or(line);
    line.starts_with("mod ") && line.ends_with(';')
}

#[test]
fn paths_are_found_in_every_form() {
    let code = "use crate::data::{Dataset, Row};\nuse crate::{\n    Result,\n    nn::{Tape, ops::{a, b}},\n    Seed,\n};\n\
                fn f(x: crate::decide::gate::Gate) -> crate::Settings {}";
    let expected = ["data", "error", "nn", "rng", "decide", "settings"];
    assert_eq!(roots(code), expected);
    assert_eq!(
        climbs("use super::super::a;\n#[cfg(test)] use super::b;"),
        2
    );
    assert_eq!(climbs("#[cfg(test)]\nmod tests { use super::*; }"), 0);
}
