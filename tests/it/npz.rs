//! NumPy archives: what lies beside the pictures, and what is refused. Equal pixels and labels are shown with all formats.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use npyz::NpyFile;
use ue_audit::data::{Edit, Limits, open, rewrite};
use ue_audit::observe::Silent;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::same10::{folder, load};

/// An array of NumPy's version 1.0, with whatever bytes behind its header.
fn array(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((text.len() as u16).to_le_bytes());
    array.extend(text.bytes());
    array.extend(bytes);
    array
}

fn archive(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn member(path: &Path, name: &str) -> Vec<u8> {
    let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    let mut entry = zip.by_name(&format!("{name}.npy")).unwrap();
    entry.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Type, shape and numbers.
fn read(path: &Path, name: &str) -> (String, Vec<u64>, Vec<u8>) {
    let bytes = member(path, name);
    let mut rest = Cursor::new(&bytes);
    let file = NpyFile::new(&mut rest).unwrap();
    let (descr, shape) = (file.dtype().descr(), file.shape().to_vec());
    let mut numbers = Vec::new();
    rest.read_to_end(&mut numbers).unwrap();
    (descr, shape, numbers)
}

#[test]
fn what_lies_beside_the_pictures_loses_the_same_rows() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("copy");
    let source = folder("npz");
    let reader = open(&source, "auto", &Limits::default()).unwrap();
    // Row 7 is the second of `b.npz`.
    let edit = &mut |row| Ok(if row == 7 { Edit::Drop } else { Edit::Keep });
    let map = rewrite(&*reader, &out, false, edit, &Silent).unwrap();
    assert_eq!(map[6].as_deref(), Some("b.npz[0]"));
    assert_eq!(map[8].as_deref(), Some("b.npz[1]"));
    let name = "b.npz";
    for (array, row) in [("images", 4 * 3 * 32 * 32), ("labels", 2), ("weights", 4)] {
        let (descr, shape, numbers) = read(&source.join(name), array);
        let (new_descr, new_shape, new_numbers) = read(&out.join(name), array);
        assert_eq!(new_descr, descr, "{array}");
        assert_eq!((shape[0], new_shape[0]), (4, 3), "{array}");
        assert_eq!(new_shape[1..], shape[1..], "{array}");
        let kept = [&numbers[..row], &numbers[2 * row..]].concat();
        assert!(new_numbers == kept, "{array}");
    }
    // Three names for four pictures: no row each.
    assert_eq!(
        member(&out.join(name), "class_names").len(),
        member(&source.join(name), "class_names").len()
    );
    assert_eq!(load(&out).class_names, load(&source).class_names);
}

/// As many classes as pictures: a dropped picture takes no name with it.
#[test]
fn class_names_stay_whole() {
    let home = tempfile::tempdir().unwrap();
    let (path, out) = (home.path().join("two.npz"), home.path().join("copy"));
    let names: Vec<u8> = "ab"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    archive(
        &path,
        &[
            ("images", array("|u1", "2, 8, 8", &[7; 128])),
            ("labels", array("|u1", "2,", &[0, 1])),
            ("class_names", array("<U1", "2,", &names)),
        ],
    );
    let reader = open(&path, "auto", &Limits::default()).unwrap();
    let edit = &mut |row| Ok(if row == 0 { Edit::Drop } else { Edit::Keep });
    rewrite(&*reader, &out, false, edit, &Silent).unwrap();
    let copy = load(&out);
    assert_eq!(copy.class_names, ["a", "b"]);
    assert_eq!(copy.labels(), [1]);
}

#[test]
fn rows_that_an_archive_ends_before_are_unreadable() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("short.npz");
    let labels = [0u8, 1, 0, 1, 1];
    archive(
        &path,
        &[
            ("images", array("|u1", "5, 8, 8, 3", &[7; 3 * 192 + 100])),
            ("labels", array("|u1", "5,", &labels)),
        ],
    );
    let data = load(&path);
    let reasons: Vec<String> = data
        .rows
        .iter()
        .map(|row| format!("{:?}", row.status))
        .collect();
    assert_eq!(data.rows[0].id, "short.npz[0]");
    assert_eq!(&reasons[..3], ["Ok", "Ok", "Ok"]);
    assert!(reasons[3].contains("truncated"), "{}", reasons[3]);
    assert!(reasons[4].contains("truncated"), "{}", reasons[4]);
}

#[test]
fn what_cannot_be_told_is_refused_in_words() {
    let bytes = |shape: &str, len: usize| array("|u1", shape, &vec![1; len]);
    let labels = || array("<i8", "2,", &[0; 16]);
    let real = |value: f32| array("<f4", "2, 1, 1", &[value.to_le_bytes(), [0; 4]].concat());
    for (members, word) in [
        (vec![("images", bytes("2, 8, 8", 128))], "recognised as"),
        (
            vec![
                ("images", bytes("2, 8, 8", 128)),
                ("labels", array("<i8", "3,", &[0; 24])),
            ],
            "one label for each picture",
        ),
        (
            vec![("x", bytes("2, 3, 8, 3", 144)), ("y", labels())],
            "one or three channels",
        ),
        (
            vec![
                ("x", array("|O", "2, 8, 8", b"cos\nsystem\n")),
                ("y", labels()),
            ],
            "never executed",
        ),
        (
            vec![("x", array("<c8", "2, 8, 8", &[])), ("y", labels())],
            "of type",
        ),
        (vec![("x", real(-1.0)), ("y", labels())], "from -1 to"),
        (vec![("x", real(f32::NAN)), ("y", labels())], "from -inf"),
        (vec![("x", real(300.0)), ("y", labels())], "to 300"),
        (
            vec![
                ("x", array("|u1", "2, 99999999999, 99999999999, 3", &[])),
                ("y", labels()),
            ],
            // In so many words, or as the overflow that a checked build of the parser panics with.
            "bad.npz: x",
        ),
        (
            vec![("x", array("|u1", "2, 60000, 60000", &[])), ("y", labels())],
            "60000 x 60000",
        ),
        (vec![("x", b"no array".to_vec()), ("y", labels())], "x: "),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("bad.npz");
        archive(&path, &members);
        let error = match open(&path, "auto", &Limits::default()) {
            Ok(_) => panic!("{word}: opened"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(word), "{word}: {error}");
        assert!(error.contains("bad.npz"), "{error}");
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("bad.npz");
    std::fs::write(&path, b"PK\x03\x04 and nothing else").unwrap();
    assert!(open(&path, "auto", &Limits::default()).is_err());
}
