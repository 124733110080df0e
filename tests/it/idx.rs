//! IDX files: which of them belong together, grey pictures, and what is refused. Equal pixels and labels are shown with all
//! formats.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tempfile::tempdir;
use ue_audit::Error;
use ue_audit::data::{self, Edit, Image, Limits, Status};
use ue_audit::observe::Silent;

use crate::same10::{folder, load, open};

const PICTURES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// An IDX file of bytes.
pub(crate) fn array(shape: &[u32], numbers: &[u8]) -> Vec<u8> {
    let mut array = vec![0, 0, 8, shape.len() as u8];
    array.extend(shape.iter().flat_map(|side| side.to_be_bytes()));
    array.extend(numbers);
    array
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Three grey pictures of 8 x 9 pixels.
fn pictures() -> Vec<u8> {
    array(&[3, 8, 9], &Vec::from_iter(0..216))
}

fn labels() -> Vec<u8> {
    array(&[3], &[2, 0, 1])
}

fn write(home: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        fs::write(home.join(name), bytes).unwrap();
    }
}

fn problem(path: &Path) -> String {
    let opened = data::open(path, "auto", &Limits::default()).map(|_| ());
    opened.unwrap_err().to_string()
}

#[test]
fn grey_pictures_are_read_and_written_with_one_channel() {
    for (suffix, form) in [("", None), (".gz", Some(packed as fn(&[u8]) -> Vec<u8>))] {
        let home = tempdir().unwrap();
        let source = home.path().join("source");
        fs::create_dir(&source).unwrap();
        let stored = |bytes: Vec<u8>| form.map_or(bytes.clone(), |pack| pack(&bytes));
        let names = [PICTURES, LABELS].map(|name| format!("{name}{suffix}"));
        write(
            &source,
            &[
                (&names[0], &stored(pictures())),
                (&names[1], &stored(labels())),
            ],
        );
        // The whole folder, or the one file, beside which its labels are found.
        for path in [source.clone(), source.join(&names[0])] {
            let dataset = load(&path);
            assert_eq!((dataset.height, dataset.width), (8, 9));
            assert_eq!(dataset.class_names, ["0", "1", "2"]);
            assert_eq!(dataset.labels(), [2, 0, 1]);
            assert_eq!(dataset.rows[1].id, format!("{}#1", names[0]));
            assert_eq!(dataset.image(1)[..6], [72, 72, 72, 73, 73, 73]);

            let out = home.path().join("out");
            let grey = Image {
                height: 8,
                width: 9,
                rgb: vec![77; 216],
            };
            let mut edits = [Edit::Drop, Edit::Replace(grey), Edit::Keep].into_iter();
            let mut edit = |_| Ok(edits.next().unwrap());
            data::rewrite(&*open(&path), &out, true, &mut edit, &Silent).unwrap();
            let read = |name: &str| {
                let bytes = fs::read(out.join(name)).unwrap();
                let mut plain = Vec::new();
                match form {
                    Some(_) => GzDecoder::new(&bytes[..])
                        .read_to_end(&mut plain)
                        .map(|_| plain),
                    None => Ok(bytes),
                }
                .unwrap()
            };
            let numbers = [vec![77; 72], (144..216).collect()].concat();
            assert_eq!(read(&names[0]), array(&[2, 8, 9], &numbers));
            assert_eq!(read(&names[1]), array(&[2], &[0, 1]));
        }
    }
}

#[test]
fn a_colour_or_another_size_does_not_fit() {
    let home = tempdir().unwrap();
    let source = home.path().join("source");
    fs::create_dir(&source).unwrap();
    write(&source, &[(PICTURES, &pictures()), (LABELS, &labels())]);
    for rgb in [[vec![1, 2, 3], vec![0; 213]].concat(), vec![0; 3]] {
        let width = rgb.len() / 24;
        let height = rgb.len() / 3 / width.max(1);
        let odd = Image { height, width, rgb };
        let mut edit = |_| Ok(Edit::Replace(odd.clone()));
        let out = home.path().join("out");
        let written = data::rewrite(&*open(&source), &out, false, &mut edit, &Silent);
        assert!(matches!(written, Err(Error::Settings { .. })));
        assert!(!out.exists());
    }
}

#[test]
fn packed_and_unpacked_side_by_side_are_one_if_they_hold_the_same() {
    let home = tempdir().unwrap();
    let twin = format!("{PICTURES}.gz");
    write(
        home.path(),
        &[
            (PICTURES, &pictures()),
            (LABELS, &labels()),
            (&twin, &packed(&pictures())),
        ],
    );
    assert_eq!(load(home.path()).rows.len(), 3);
    let mut other = pictures();
    *other.last_mut().unwrap() += 1;
    write(home.path(), &[(&twin, &packed(&other))]);
    let problem = problem(home.path());
    assert!(
        problem.contains("differs from train-images-idx3-ubyte"),
        "{problem}"
    );
}

#[test]
fn files_of_the_same_names_in_two_folders_are_not_mixed_up() {
    let home = tempdir().unwrap();
    for (folder, label) in [("a", 4), ("b", 6)] {
        let folder = home.path().join(folder);
        fs::create_dir(&folder).unwrap();
        let labels = array(&[3], &[label; 3]);
        write(&folder, &[(PICTURES, &pictures()), (LABELS, &labels)]);
    }
    assert_eq!(load(home.path()).labels(), [4, 4, 4, 6, 6, 6]);
}

#[test]
fn pictures_that_a_file_ends_before_are_bad_rows() {
    let home = tempdir().unwrap();
    let cut = &pictures()[..100];
    write(home.path(), &[(PICTURES, cut), (LABELS, &labels())]);
    let dataset = load(home.path());
    let bad = |row: usize| matches!(&dataset.rows[row].status, Status::Unreadable(why) if why.starts_with("truncated: "));
    assert_eq!([0, 1, 2].map(bad), [false, true, true]);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let home = tempdir().unwrap();
    let endless = array(&[u32::MAX, 8, 9], &[0; 100]);
    for (images, labels, expected) in [
        (
            &pictures()[..],
            &array(&[2], &[0, 1])[..],
            "labels of shape [2] for 3 pictures",
        ),
        (&pictures(), &array(&[3], &[0]), "ends after 1 of 3 labels"),
        (&pictures(), b"no header at all", "not an IDX file of bytes"),
        (&endless, &array(&[u32::MAX], &[0; 9]), "ends after 9 of"),
        (b"no header at all", &labels(), "not an IDX file of bytes"),
        (
            &array(&[3, 72], &[0; 216]),
            &labels(),
            "pictures are [n, height, width]",
        ),
        (
            &array(&[3, 0, 9], &[]),
            &labels(),
            "pictures of shape [0, 9]",
        ),
    ] {
        write(home.path(), &[(PICTURES, images), (LABELS, labels)]);
        // The two files are all there is.
        let problem = problem(home.path());
        assert!(problem.contains(expected), "{problem}");
    }
    fs::remove_file(home.path().join(LABELS)).unwrap();
    write(home.path(), &[(PICTURES, &pictures())]);
    let without = problem(home.path());
    assert!(
        without.contains("there is no file beside it of its labels"),
        "{without}"
    );
}

#[test]
fn a_broken_file_takes_the_one_that_belongs_to_it_along() {
    let home = tempdir().unwrap();
    let source = folder("idx");
    for file in fs::read_dir(&source).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), home.path().join(file.file_name())).unwrap();
    }
    for broken in ["t10k-images-idx4-ubyte", "t10k-labels-idx1-ubyte"] {
        let whole = fs::read(home.path().join(broken)).unwrap();
        fs::write(home.path().join(broken), b"broken").unwrap();
        let dataset = load(home.path());
        assert_eq!(
            (dataset.rows.len(), dataset.readable().len()),
            (8, 6),
            "{broken}"
        );
        for row in &dataset.rows[6..] {
            let Status::Unreadable(why) = &row.status else {
                panic!("{} is readable", row.id);
            };
            let own = row.id == broken;
            assert_eq!(own, !why.contains("of no use without"), "{}: {why}", row.id);
        }
        let out = tempdir().unwrap();
        let out = out.path().join("copy");
        let mut keep = |_| Ok(Edit::Keep);
        data::rewrite(&*open(home.path()), &out, false, &mut keep, &Silent).unwrap();
        assert!(crate::copies::files(&out) == crate::copies::files(home.path()));
        fs::write(home.path().join(broken), whole).unwrap();
    }
}
