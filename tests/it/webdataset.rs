//! WebDataset archives: what lies beside the pictures, and what is refused. Equal pixels and labels are shown with all formats.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use tar::{Archive, Builder, Header};
use ue_audit::data::{Edit, Limits, open, rewrite};
use ue_audit::observe::Silent;

use crate::same10::{folder, load, picture};

/// Name and bytes of every file, in order.
fn files(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .map(|mut entry| {
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        })
        .collect()
}

fn archive(path: &Path, files: &[(&str, &[u8])]) {
    let mut builder = Builder::new(File::create(path).unwrap());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap();
}

#[test]
fn a_changed_archive_keeps_all_other_files_in_their_order() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("copy");
    let source = folder("webdataset");
    let reader = open(&source, "auto", &Limits::default()).unwrap();
    let edit = &mut |row| {
        Ok(match row {
            1 => Edit::Drop,
            // The one with the long name.
            3 => Edit::Replace(picture(50)),
            _ => Edit::Keep,
        })
    };
    let map = rewrite(&*reader, &out, false, edit, &Silent).unwrap();
    assert_eq!(map[0].as_deref(), Some("photos-000000.tar!some/0000"));
    assert_eq!(map[1], None);
    let name = "photos-000000.tar";
    let (old, new) = (files(&source.join(name)), files(&out.join(name)));
    assert_eq!(old.len(), 1 + 6 * 3);
    let kept = old
        .iter()
        .filter(|(name, _)| !name.starts_with("some/0001."));
    assert_eq!(new.len(), old.len() - 3);
    for ((name, bytes), (new_name, new_bytes)) in kept.zip(&new) {
        assert_eq!(name, new_name);
        let replaced = name.ends_with("long/0003.png");
        assert_eq!(bytes == new_bytes, !replaced, "{name}");
    }
    let data = load(&out);
    assert_eq!(data.image(2), picture(50).rgb);
}

#[test]
fn rows_without_a_label_or_with_two_pictures_are_unreadable() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("odd.tar");
    let png = ue_audit::data::encode_png(&picture(1)).unwrap();
    archive(
        &path,
        &[
            ("a.png", &png),
            ("a.cls", b" 1\n"),
            ("b.png", &png),
            ("c.png", &png),
            ("c.cls", b"cat"),
            ("d.png", &png),
            ("d.jpg", b"x"),
            ("d.cls", b"0"),
            ("e.json", b"{\"label\": 0}"),
            ("f.tiff", b"II*"),
            ("f.json", b"{\"cls\": 0}"),
        ],
    );
    let data = load(&path);
    let statuses: Vec<(&str, String)> = data
        .rows
        .iter()
        .map(|row| (&*row.id, format!("{:?}", row.status)))
        .collect();
    let expected = [
        ("odd.tar!a", "Ok"),
        ("odd.tar!b", "no .cls"),
        ("odd.tar!c", "cat"),
        ("odd.tar!d", "several pictures"),
        // What has no picture is no row.
        ("odd.tar!f", "Unreadable"),
    ];
    assert_eq!(statuses.len(), expected.len(), "{statuses:?}");
    for ((id, status), (wanted, word)) in statuses.iter().zip(expected) {
        assert_eq!(*id, wanted);
        assert!(status.contains(word), "{id}: {status}");
    }
}

#[test]
fn broken_archives_are_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("bad.tar");
    let refused = |word: &str| {
        let error = match open(&path, "auto", &Limits::default()) {
            Ok(_) => panic!("{word}: opened"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(word) && error.contains("bad.tar"), "{error}");
    };
    archive(&path, &[("a.png", b"x"), ("b.png", b"y"), ("a.cls", b"0")]);
    refused("not together");
    let whole = fs::read(folder("webdataset").join("photos-000000.tar")).unwrap();
    fs::write(&path, &whole[..whole.len() / 2 + 100]).unwrap();
    let cut = open(&path, "auto", &Limits::default()).err().unwrap();
    assert!(cut.to_string().contains("bad.tar"), "{cut}");
    fs::write(&path, vec![b'x'; 2000]).unwrap();
    assert!(open(&path, "auto", &Limits::default()).is_err());
    // Names that lead out of the folder are names; nothing is unpacked.
    let mut builder = Builder::new(File::create(&path).unwrap());
    let mut header = Header::new_old();
    let name = b"../../out.png";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(1);
    header.set_cksum();
    builder.append(&header, &b"x"[..]).unwrap();
    builder.into_inner().unwrap();
    let data = load(&path);
    assert_eq!(data.rows[0].id, "bad.tar!../../out");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn what_has_a_class_and_no_picture_or_a_name_that_leads_out_is_a_bad_row() {
    let home = tempfile::tempdir().unwrap();
    let png = ue_audit::data::encode_png(&picture(0)).unwrap();
    let path = home.path().join("a.tar");
    let mut builder = Builder::new(File::create(&path).unwrap());
    for (name, bytes) in [
        ("good.png", &png[..]),
        ("good.cls", b"0"),
        ("lonely.cls", b"0"),
        ("../../evil.png", &png),
        ("../../evil.cls", b"0"),
    ] {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // Not by `append_data`, which refuses such names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap();
    let reader = open(&path, "auto", &Limits::default()).unwrap();
    let found = ue_audit::data::inspect(&*reader, &Default::default(), &Silent).unwrap();
    assert_eq!((found.rows, found.readable), (3, 1));
}
