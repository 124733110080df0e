//! `rewrite`: what is kept is kept to the byte, what is replaced reads back exactly, what is dropped is gone.

use std::fs;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::tempdir;
use ue_audit::data::{self, Edit, FORMATS, RowMap};
use ue_audit::observe::Silent;
use ue_audit::{Error, Result};

use crate::same10::{content, expected, folder, load, open, picture};

fn rewrite(source: &Path, out: &Path, mut edit: impl FnMut(usize) -> Edit) -> Result<RowMap> {
    data::rewrite(
        &*open(source),
        out,
        false,
        &mut |row| Ok(edit(row)),
        &Silent,
    )
}

/// Relative path and bytes of every file, sorted.
pub(crate) fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let found = walkdir::WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    found
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let relative = entry
                .path()
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (relative, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn keeping_everything_copies_every_byte() {
    for format in FORMATS {
        let home = tempdir().unwrap();
        let out = home.path().join("copy");
        let source = folder(format.name);
        let map = rewrite(&source, &out, |_| Edit::Keep).unwrap();
        assert!(files(&out) == files(&source), "{}", format.name);
        let ids: Vec<_> = load(&source)
            .rows
            .into_iter()
            .map(|row| Some(row.id))
            .collect();
        assert_eq!(map, ids);
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "no scratch is left"
        );
    }
}

#[test]
fn dropped_rows_are_gone_and_the_map_says_where_the_others_went() {
    for format in FORMATS {
        let home = tempdir().unwrap();
        let out = home.path().join("copy");
        let before = load(&folder(format.name));
        let drop = |row: usize| [0, 4, 9].contains(&row);
        let edit = |row| if drop(row) { Edit::Drop } else { Edit::Keep };
        let map = rewrite(&folder(format.name), &out, edit).unwrap();
        let after = load(&out);
        assert_eq!(after.rows.len(), 7);
        assert_eq!(after.class_names, before.class_names);
        for (row, id) in map.iter().enumerate() {
            assert_eq!(id.is_none(), drop(row));
            let Some(id) = id else { continue };
            let found = after.rows.iter().find(|new| new.id == *id).unwrap();
            assert_eq!(found.fingerprint, before.rows[row].fingerprint);
        }
    }
}

#[test]
fn replaced_rows_read_back_exactly_with_their_labels() {
    for format in FORMATS {
        let home = tempdir().unwrap();
        let out = home.path().join("copy");
        let source = load(&folder(format.name));
        let fresh = picture(77);
        let edit = |row| {
            if row == 5 {
                Edit::Replace(fresh.clone())
            } else {
                Edit::Keep
            }
        };
        let map = rewrite(&folder(format.name), &out, edit).unwrap();
        let after = load(&out);
        let row = after
            .rows
            .iter()
            .position(|row| Some(&row.id) == map[5].as_ref())
            .unwrap();
        assert_eq!(after.image(row), fresh.rgb);
        assert_eq!(after.rows[row].label, source.rows[5].label);
        let same = content(&after)
            .iter()
            .filter(|row| expected(0..10).contains(row))
            .count();
        assert_eq!(same, 9, "{}", format.name);
    }
}

fn batches(path: &Path) -> (Vec<RecordBatch>, ParquetRecordBatchReaderBuilder<fs::File>) {
    let builder =
        || ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    (
        builder().build().unwrap().map(Result::unwrap).collect(),
        builder(),
    )
}

#[test]
fn a_changed_shard_keeps_its_other_cells_and_its_form() {
    let home = tempdir().unwrap();
    let out = home.path().join("copy");
    let edit = |row| {
        if row == 1 {
            Edit::Replace(picture(50))
        } else {
            Edit::Keep
        }
    };
    rewrite(&folder("parquet"), &out, edit).unwrap();
    let name = "train-00000-of-00002.parquet";
    let (old, old_file) = batches(&folder("parquet").join(name));
    let (new, new_file) = batches(&out.join(name));
    assert_eq!(
        old_file.schema(),
        new_file.schema(),
        "with the huggingface metadata"
    );
    assert_eq!(
        old_file.metadata().num_row_groups(),
        new_file.metadata().num_row_groups()
    );
    let codec = |file: &ParquetRecordBatchReaderBuilder<fs::File>| {
        let columns = file.metadata().row_group(0).columns();
        columns
            .iter()
            .map(|column| column.compression())
            .collect::<Vec<_>>()
    };
    assert_eq!(codec(&old_file), codec(&new_file));
    let entry = |file: &ParquetRecordBatchReaderBuilder<fs::File>| {
        let entries = file
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .unwrap()
            .clone();
        entries
            .into_iter()
            .find(|entry| entry.key == "huggingface")
            .unwrap()
            .value
    };
    assert_eq!(entry(&old_file), entry(&new_file));
    assert_eq!((old.len(), new.len()), (1, 1));
    assert_eq!(old[0].column(0), new[0].column(0));
    assert_eq!(old[0].column(2), new[0].column(2));
    for row in 0..6 {
        let same = old[0].column(1).slice(row, 1) == new[0].column(1).slice(row, 1);
        assert_eq!(same, row != 1, "row {row}");
    }
}

#[test]
fn side_files_come_along_and_lossy_names_become_png() {
    let home = tempdir().unwrap();
    let source = home.path().join("source");
    fs::create_dir_all(source.join("cat")).unwrap();
    fs::write(source.join("README.md"), "read me").unwrap();
    let jpeg = crate::bad_inputs::jpeg();
    fs::write(source.join("cat/a.jpg"), &jpeg).unwrap();
    fs::write(source.join("cat/b.jpg"), &jpeg).unwrap();
    let out = home.path().join("copy");
    let edit = |row| {
        if row == 0 {
            Edit::Replace(picture(3))
        } else {
            Edit::Keep
        }
    };
    let map = rewrite(&source, &out, edit).unwrap();
    assert_eq!(map, [Some("cat/a.png".into()), Some("cat/b.jpg".into())]);
    let names: Vec<_> = files(&out).into_iter().map(|file| file.0).collect();
    assert_eq!(names, ["README.md", "cat/a.png", "cat/b.jpg"]);
    assert_eq!(fs::read(out.join("cat/b.jpg")).unwrap(), jpeg);
}

#[test]
fn the_copy_of_one_file_keeps_its_class_names() {
    for format in FORMATS.iter().map(|format| folder(format.name)) {
        let home = tempdir().unwrap();
        let out = home.path().join("copy");
        let (name, _) = files(&format)
            .into_iter()
            .find(|(name, _)| !name.ends_with(".txt"))
            .unwrap();
        rewrite(&format.join(&name), &out, |_| Edit::Keep).unwrap();
        let (old, new) = (load(&format.join(&name)), load(&out));
        assert_eq!(old.class_names, new.class_names);
        assert_eq!(old.fingerprint, new.fingerprint);
    }
}

#[test]
fn nothing_is_overwritten_or_half_written() {
    let home = tempdir().unwrap();
    let out = home.path().join("copy");
    let source = folder("cifar");
    let failed = data::rewrite(
        &*open(&source),
        &out,
        false,
        &mut |row| {
            if row < 3 {
                Ok(Edit::Keep)
            } else {
                Err(Error::Interrupted)
            }
        },
        &Silent,
    );
    assert!(matches!(failed, Err(Error::Interrupted)));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "mine").unwrap();
    assert!(matches!(
        rewrite(&source, &out, |_| Edit::Keep),
        Err(Error::Exists { .. })
    ));
    assert!(out.join("mine").exists());
    data::rewrite(
        &*open(&source),
        &out,
        true,
        &mut |_| Ok(Edit::Keep),
        &Silent,
    )
    .unwrap();
    assert!(!out.join("mine").exists() && out.join("batches.meta.txt").exists());
    for inside in [out.clone(), out.join("deeper"), home.path().to_path_buf()] {
        let refused = data::rewrite(
            &*open(&out),
            &inside,
            true,
            &mut |_| Ok(Edit::Keep),
            &Silent,
        );
        assert!(matches!(refused, Err(Error::Settings { .. })), "{inside:?}");
    }
    let wrong = ue_audit::data::Image {
        height: 1,
        width: 1,
        rgb: vec![0; 3],
    };
    let refused = rewrite(&source, &home.path().join("b"), |_| {
        Edit::Replace(wrong.clone())
    });
    assert!(matches!(refused, Err(Error::Settings { .. })));
}
