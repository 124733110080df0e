//! Hostile and broken inputs: each its own clear error or bad row, none a crash.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};
use ue_audit::Error;
use ue_audit::data::{self, Edit, Limits, LoadOptions, Status, decode};
use ue_audit::observe::Silent;

use crate::same10::{folder, load, open, picture};

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn rgb() -> RgbImage {
    RgbImage::from_raw(32, 32, picture(1).rgb).unwrap()
}

pub(crate) fn jpeg() -> Vec<u8> {
    encode(rgb(), ImageFormat::Jpeg)
}

/// The reason for which these bytes do not decode, or "" if they do.
fn reason(bytes: &[u8]) -> String {
    decode(bytes, &Limits::default())
        .err()
        .map(|reason| reason.to_string())
        .unwrap_or_default()
}

#[test]
fn a_cut_anywhere_in_the_pixels_is_noticed() {
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
    ] {
        let whole = encode(rgb(), format);
        assert_eq!(reason(&whole), "", "{format:?}");
        // The last twelve bytes of a PNG are its end chunk, which carries no pixels.
        for cut in [60, whole.len() / 2, whole.len() * 9 / 10, whole.len() - 17] {
            let reason = reason(&whole[..cut]);
            assert!(
                !reason.is_empty(),
                "{format:?} cut at {cut} of {} decoded",
                whole.len()
            );
            assert!(!reason.starts_with("decode-panic"), "{reason}");
        }
        let half = reason(&whole[..whole.len() / 2]);
        assert!(half.starts_with("truncated"), "{format:?}: {half}");
    }
    let whole = jpeg();
    for cut in 0..whole.len() {
        assert_ne!(reason(&whole[..cut]), "", "JPEG cut at {cut}");
    }
}

#[test]
fn each_kind_of_bad_bytes_has_its_word() {
    let starts = |bytes: &[u8], word: &str| {
        let reason = reason(bytes);
        assert!(reason.starts_with(&format!("{word}: ")), "{word}: {reason}");
    };
    starts(b"", "empty");
    starts(b"sample_id,poisoned\n", "not-an-image");
    starts(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "unsupported");
    let mut damaged = encode(rgb(), ImageFormat::Png);
    damaged[60] ^= 0x55;
    starts(&damaged, "corrupt");
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A PNG header that claims 60,000 x 60,000 pixels, with a valid checksum.
    let mut png = encode(rgb(), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(reason(&png).starts_with("too-large"), "{}", reason(&png));
    let tight = Limits {
        max_pixels: 1023,
        ..Limits::default()
    };
    for bytes in [encode(rgb(), ImageFormat::Png), jpeg()] {
        assert!(
            decode(&bytes, &tight)
                .unwrap_err()
                .to_string()
                .starts_with("too-large")
        );
    }
    let few = Limits {
        max_encoded_bytes: 100,
        ..Limits::default()
    };
    assert!(
        decode(&jpeg(), &few)
            .unwrap_err()
            .to_string()
            .starts_with("too-large")
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn every_colour_type_becomes_rgb() {
    let first = |picture: DynamicImage| {
        let image = decode(&encode(picture, ImageFormat::Png), &Limits::default()).unwrap();
        [image.rgb[0], image.rgb[1], image.rgb[2]]
    };
    let see_through = RgbaImage::from_pixel(2, 2, image::Rgba([200, 100, 50, 0]));
    assert_eq!(
        first(see_through.into()),
        [200, 100, 50],
        "alpha is dropped, not blended"
    );
    let grey = image::GrayImage::from_pixel(2, 2, image::Luma([77]));
    assert_eq!(first(grey.into()), [77; 3]);
    let deep = image::ImageBuffer::from_pixel(2, 2, image::Rgb([65535_u16, 257 * 128, 0]));
    assert_eq!(first(DynamicImage::ImageRgb16(deep)), [255, 128, 0]);
}

fn folder_of(files: &[(&str, &[u8])]) -> TempDir {
    let home = tempdir().unwrap();
    for (name, bytes) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    home
}

/// Id and reason of each unreadable row.
fn unreadable(path: &Path) -> Vec<(String, String)> {
    let rows = load(path).rows.into_iter();
    rows.filter_map(|row| match row.status {
        Status::Unreadable(reason) => Some((row.id, reason)),
        _ => None,
    })
    .collect()
}

#[test]
fn bad_files_are_rows_with_reasons_among_good_ones() {
    let png = encode(rgb(), ImageFormat::Png);
    let home = folder_of(&[
        ("cat/good.png", &png),
        ("cat/empty.png", b""),
        ("dog/really_a_png.jpg", &png),
        ("dog/text.png", b"hello"),
        ("dog/scan.tif", b"II*\0\x08\0\0\0"),
        ("dog/notes.txt", b"not a row"),
        ("stray.png", &png),
        (".hidden/x.png", &png),
    ]);
    let elsewhere = folder_of(&[("secret.png", &png)]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(
            home.path().join("nowhere"),
            home.path().join("cat/dangling.png"),
        )
        .unwrap();
        symlink(
            elsewhere.path().join("secret.png"),
            home.path().join("cat/outside.png"),
        )
        .unwrap();
        symlink(
            home.path().join("cat/good.png"),
            home.path().join("cat/within.png"),
        )
        .unwrap();
        fs::create_dir(home.path().join("cat/folder.png")).unwrap();
    }
    let found = unreadable(home.path());
    let expected = [
        ("cat/dangling.png", "missing"),
        ("cat/empty.png", "empty"),
        ("cat/outside.png", "unsupported"),
        ("dog/scan.tif", "unsupported"),
        ("dog/text.png", "not-an-image"),
        ("stray.png", "bad-label"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((id, reason), (wanted, word)) in found.iter().zip(expected) {
        assert_eq!(id, wanted);
        assert!(reason.starts_with(word), "{id}: {reason}");
    }
    let inventory = data::inspect(&*open(home.path()), &LoadOptions::default(), &Silent).unwrap();
    assert_eq!(
        (inventory.rows, inventory.readable, inventory.ignored_files),
        (9, 3, 1)
    );
    let stray = inventory.classes.last().unwrap();
    assert_eq!(
        (&*stray.name, stray.rows, stray.unreadable),
        ("(unknown)", 1, 1)
    );
    let two = inventory
        .unreadable
        .iter()
        .find(|kind| kind.defect == "unsupported")
        .unwrap();
    assert_eq!((two.rows, two.examples.len()), (2, 2));
}

#[cfg(unix)]
#[test]
fn a_linked_folder_is_refused() {
    let elsewhere = folder_of(&[("a.png", b"")]);
    let home = folder_of(&[("cat/a.png", b"")]);
    std::os::unix::fs::symlink(elsewhere.path(), home.path().join("dog")).unwrap();
    let error = data::open(home.path(), "auto", &Limits::default()).err();
    assert!(
        matches!(error, Some(Error::Input { problem, .. }) if problem.contains("link to a folder"))
    );
}

#[test]
fn paths_without_a_data_set_say_so() {
    let open = |path: &Path| data::open(path, "auto", &Limits::default()).err();
    let nothing = tempdir().unwrap();
    assert!(matches!(open(nothing.path()), Some(Error::Empty { .. })));
    assert!(matches!(
        open(&nothing.path().join("gone")),
        Some(Error::Io { .. })
    ));
    let text = folder_of(&[("README.md", b"hello")]);
    let error = open(text.path()).unwrap().to_string();
    for format in data::FORMATS {
        assert!(error.contains(format.name), "{error}");
    }
    let record = folder_of(&[("data_batch_1.bin", b"")]);
    assert!(matches!(open(record.path()), Some(Error::Empty { .. })));
}

#[test]
fn cifar_files_with_a_cut_record_and_a_wrong_label() {
    let mut bytes = fs::read(folder("cifar/data_batch_1.bin")).unwrap();
    bytes[3073] = 10;
    bytes.truncate(3073 * 3 + 100);
    let home = folder_of(&[("data_batch_1.bin", &bytes)]);
    let found = unreadable(home.path());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, "data_batch_1.bin#1");
    assert!(found[0].1.starts_with("bad-label: 10"), "{}", found[0].1);
    assert!(
        found[1].1.starts_with("truncated: 100 bytes"),
        "{}",
        found[1].1
    );
}

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> TempDir {
    parquet_with(None, columns)
}

fn parquet_with(properties: Option<WriterProperties>, columns: Vec<(&str, ArrayRef)>) -> TempDir {
    let home = tempdir().unwrap();
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)));
    let batch = batch.unwrap();
    let file = fs::File::create(home.path().join("a.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), properties).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    home
}

#[test]
fn wrong_labels_and_cells_in_parquet_are_bad_rows() {
    let png = encode(rgb(), ImageFormat::Png);
    let cells = vec![Some(&png[..]), Some(&png), Some(&png), None, Some(b"text")];
    let pictures: ArrayRef = Arc::new(BinaryArray::from_iter(cells));
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(7),
        None,
        Some(-1),
        Some(7),
        Some(9),
    ]));
    let home = parquet_of(vec![("x", pictures.clone()), ("label", labels)]);
    let dataset = load(home.path());
    assert_eq!(dataset.class_names, ["7", "9", "(unknown)"]);
    assert_eq!(dataset.readable(), [0]);
    let words: Vec<_> = unreadable(home.path())
        .into_iter()
        .map(|(_, reason)| reason.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["bad-label", "bad-label", "missing", "not-an-image"]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "b", "a", "a"]));
    let home = parquet_of(vec![("x", pictures), ("category", names)]);
    let dataset = load(home.path());
    assert_eq!(dataset.class_names, ["a", "b"]);
    assert_eq!(dataset.rows[0].label, 1);
}

#[test]
fn parquet_files_that_cannot_be_used_say_why() {
    let refused = |home: &Path, part: &str| {
        let error = data::open(home, "auto", &Limits::default()).err().unwrap();
        assert!(
            matches!(&error, Error::Input { problem, .. } | Error::Broken { problem, .. } if problem.contains(part)),
            "{error}"
        );
    };
    let good = fs::read(folder("parquet/train-00000-of-00002.parquet")).unwrap();
    let mut footer = good.clone();
    let end = footer.len();
    footer[end - 200..end - 8].fill(0xFF);
    for bytes in [&good[..good.len() / 2], &footer, b"", b"PAR1PAR1"] {
        refused(
            folder_of(&[("a.parquet", bytes)]).path(),
            "not a usable Parquet file",
        );
    }
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let pictures: ArrayRef = Arc::new(BinaryArray::from(vec![&b"x"[..]]));
    refused(
        parquet_of(vec![("label", numbers)]).path(),
        "holds pictures",
    );
    refused(parquet_of(vec![("image", pictures)]).path(), "holds labels");
}

#[test]
fn a_broken_file_among_others_is_one_bad_row_after_theirs() {
    let file = |path: &str| fs::read(folder(path)).unwrap();
    for (good, name, other) in [
        (
            "parquet/train-00000-of-00002.parquet",
            "a.parquet",
            "b.parquet",
        ),
        ("npz/a.npz", "a.npz", "b.npz"),
        ("webdataset/photos-000000.tar", "a.tar", "b.tar"),
    ] {
        let whole = file(good);
        // The broken one is the first of the folder, and still the last of the rows.
        let home = folder_of(&[(name, &[b'x'; 2000]), (other, &whole)]);
        let alone = load(folder_of(&[(other, &whole)]).path());
        let dataset = load(home.path());
        let count = dataset.rows.len();
        assert_eq!(count, alone.rows.len() + 1, "{name}");
        assert_eq!(dataset.rows[0].id, alone.rows[0].id);
        assert_eq!(dataset.rows[count - 1].id, name);
        let found = unreadable(home.path());
        assert!(found[0].1.starts_with("broken-file: "), "{}", found[0].1);
        let here = home.path().to_str().unwrap();
        assert!(
            !found[0].1.contains(here),
            "no path in an audit: {}",
            found[0].1
        );

        // Nor is it left out when few rows are asked for.
        let few = LoadOptions {
            max_rows: Some(1),
            ..LoadOptions::default()
        };
        let sampled = data::load(&*open(home.path()), &few, &Silent).unwrap();
        assert!(matches!(
            sampled.rows[count - 1].status,
            Status::Unreadable(_)
        ));

        // A copy keeps its bytes, or leaves it out.
        let copies = tempdir().unwrap();
        for (copy, edit) in [("kept", Edit::Keep), ("dropped", Edit::Drop)] {
            let out = copies.path().join(copy);
            let last = |row| {
                Ok(if row + 1 == count {
                    edit.clone()
                } else {
                    Edit::Keep
                })
            };
            let ids = data::rewrite(&*open(home.path()), &out, false, &mut { last }, &Silent);
            let stays = edit == Edit::Keep;
            assert_eq!(ids.unwrap()[count - 1].is_some(), stays);
            assert_eq!(
                fs::read(out.join(name)).ok(),
                stays.then(|| vec![b'x'; 2000])
            );
            assert!(out.join(other).exists());
        }
    }
}

#[test]
fn too_many_broken_files_are_no_drop() {
    let good = fs::read(folder("parquet/train-00000-of-00002.parquet")).unwrap();
    let names: Vec<String> = (0..20).map(|i| format!("{i:02}.parquet")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"x"[..])).collect();
    let open = |home: &TempDir| data::open(home.path(), "auto", &Limits::default()).map(|_| ());
    let few = folder_of(&[&files[..16], &[("z.parquet", &good[..])]].concat());
    assert!(open(&few).is_ok());
    let many = folder_of(&[&files[..17], &[("z.parquet", &good[..])]].concat());
    assert!(matches!(open(&many), Err(Error::Broken { .. })));
    assert!(matches!(
        open(&folder_of(&files[..3])),
        Err(Error::Broken { .. })
    ));
}

#[test]
fn where_the_pictures_of_a_shard_cannot_be_read_on_the_rest_of_its_rows_are_bad() {
    let png = encode(rgb(), ImageFormat::Png);
    let count = 300;
    let pictures: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..count).map(|i| {
        let mut picture = rgb();
        picture.put_pixel(0, 0, image::Rgb([(i % 256) as u8, (i / 256) as u8, 7]));
        encode(picture, ImageFormat::Png)
    })));
    let labels: ArrayRef = Arc::new(Int64Array::from_iter_values((0..count).map(|i| i % 3)));
    // Pages of fifty rows.
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_write_batch_size(50)
        .set_data_page_row_count_limit(50)
        .build();
    let home = parquet_with(
        Some(properties),
        vec![("image", pictures), ("label", labels)],
    );
    let path = home.path().join("a.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3 * png.len()].fill(0xFF);
    fs::write(&path, bytes).unwrap();
    let dataset = load(home.path());
    assert_eq!(dataset.rows.len(), count as usize);
    assert!(dataset.class_names.iter().eq(["0", "1", "2"]));
    let found = unreadable(home.path());
    assert!(
        !found.is_empty() && found.len() < count as usize,
        "{}",
        found.len()
    );
    assert_eq!(found.last().unwrap().0, "a.parquet#299");
}

#[cfg(unix)]
#[test]
fn a_file_of_rows_that_lies_elsewhere_is_not_copied() {
    let whole = fs::read(folder("parquet/train-00000-of-00002.parquet")).unwrap();
    let elsewhere = folder_of(&[("secret.parquet", &whole)]);
    let home = folder_of(&[("b.parquet", &whole)]);
    let secret = elsewhere.path().join("secret.parquet");
    std::os::unix::fs::symlink(secret, home.path().join("a.parquet")).unwrap();
    let found = unreadable(home.path());
    assert_eq!((found.len(), &*found[0].0), (1, "a.parquet"));
    let copies = tempdir().unwrap();
    let out = copies.path().join("copy");
    let mut keep = |_| Ok(Edit::Keep);
    let ids = data::rewrite(&*open(home.path()), &out, false, &mut keep, &Silent).unwrap();
    assert_eq!(ids.last(), Some(&None));
    assert!(out.join("b.parquet").exists() && !out.join("a.parquet").exists());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(
        head in prop::sample::select(vec![&b"\x89PNG\r\n\x1a\n"[..], b"\xFF\xD8\xFF", b"BM", b"RIFF\x40\0\0\0WEBPVP8", b""]),
        tail in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = decode(&[head, &tail].concat(), &Limits::default());
    }

    #[test]
    fn no_damage_makes_the_decoder_panic(format in 0..4_usize, at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp][format];
        let mut bytes = encode(rgb(), format);
        let at = at.index(bytes.len());
        bytes[at] = with;
        let _ = decode(&bytes, &Limits::default());
    }

    #[test]
    fn no_damage_makes_the_parquet_reader_panic(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = fs::read(folder("parquet/train-00001-of-00002.parquet")).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let home = folder_of(&[("a.parquet", &bytes)]);
        if let Ok(reader) = data::open(home.path(), "auto", &Limits::default()) {
            let _ = data::load(&*reader, &LoadOptions::default(), &Silent);
        }
    }
}
