//! Every format gives the same pixels, labels and names, and every layout the classes that it should.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::tempdir;
use ue_audit::Error;
use ue_audit::data::{self, Limits, LoadOptions, Status};
use ue_audit::observe::Silent;

use crate::same10::{NAMES, content, expected, folder, load, open, picture};

#[test]
fn the_same_ten_pictures_in_every_format() {
    let mut seen = 0;
    for format in data::FORMATS {
        let dataset = load(&folder(format.name));
        assert_eq!(dataset.format, format.name);
        assert_eq!(dataset.class_names, NAMES);
        assert_eq!(
            (dataset.height, dataset.width, dataset.resized),
            (32, 32, 0)
        );
        assert_eq!(dataset.rows.len(), 10, "{}", format.name);
        assert!(
            content(&dataset) == expected(0..10),
            "{} differs",
            format.name
        );
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn ids_are_paths_below_the_scanned_one() {
    let ids = |path: &Path| {
        load(path)
            .rows
            .into_iter()
            .map(|row| row.id)
            .collect::<Vec<_>>()
    };
    let pictures = ids(&folder("imagefolder"));
    assert_eq!(pictures[..2], ["ant/0.png", "ant/3.png"]);
    let shards = ids(&folder("parquet"));
    assert_eq!(shards[5], "train-00000-of-00002.parquet#5");
    assert_eq!(shards[6], "train-00001-of-00002.parquet#0");
    let shard = ids(&folder("parquet/train-00001-of-00002.parquet"));
    assert_eq!(
        (shard.len(), &*shard[0]),
        (4, "train-00001-of-00002.parquet#0")
    );
    assert_eq!(
        ids(&folder("cifar/data_batch_2.bin"))[3],
        "data_batch_2.bin#3"
    );
}

#[test]
fn one_thread_and_three_give_the_same_dataset() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| load(&folder("imagefolder")))
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one.fingerprint, three.fingerprint);
    assert_eq!(one.pixels(), three.pixels());
}

/// Class names and labels of an image folder with these files.
fn classes_of(files: &[&str]) -> (Vec<String>, Vec<u32>) {
    let home = tempdir().unwrap();
    for file in files {
        let path = home.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data::encode_png(&picture(0)).unwrap()).unwrap();
    }
    let dataset = load(home.path());
    assert_eq!(dataset.rows.len(), files.len());
    (
        dataset.class_names,
        dataset.rows.iter().map(|row| row.label).collect(),
    )
}

#[test]
fn the_class_is_the_first_folder_below_wrappers_and_splits() {
    let check = |files: &[&str], names: &[&str], labels: &[u32]| {
        let found = classes_of(files);
        assert_eq!(
            (&found.0[..], &found.1[..]),
            (&names.map_to_strings()[..], labels),
            "{files:?}"
        );
    };
    check(
        &["cat/a.png", "dog/2020/b.png", "dog/c.PNG"],
        &["cat", "dog"],
        &[0, 1, 1],
    );
    check(
        &["data/cat/a.png", "data/dog/b.png"],
        &["cat", "dog"],
        &[0, 1],
    );
    let split = [
        "test/cat/a.png",
        "test/dog/b.png",
        "train/cat/c.png",
        "train/dog/d.png",
    ];
    check(&split, &["cat", "dog"], &[0, 1, 0, 1]);
    check(&["cat/a.png", "cat/b.png"], &["cat"], &[0, 0]);
    check(&["a.png", "b.png"], &["unlabelled"], &[0, 0]);
}

trait MapToStrings {
    fn map_to_strings(&self) -> Vec<String>;
}

impl MapToStrings for [&str] {
    fn map_to_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn sizes_decide_the_block() {
    let home = tempdir().unwrap();
    let write = |name: &str, height: usize, width: usize| {
        let rgb = vec![9; height * width * 3];
        let bytes = data::encode_png(&data::Image { height, width, rgb }).unwrap();
        fs::write(home.path().join(name), bytes).unwrap();
    };
    write("a.png", 12, 16);
    write("b.png", 12, 16);
    let small = load(home.path());
    assert_eq!((small.height, small.width, small.resized), (12, 16, 0));
    write("c.png", 48, 16);
    write("d.png", 32, 32);
    let mixed = load(home.path());
    assert_eq!((mixed.height, mixed.width, mixed.resized), (32, 32, 3));
    assert_eq!(mixed.pixels(), vec![9; 4 * 32 * 32 * 3]);
    assert_eq!(
        small.rows[0].fingerprint, mixed.rows[0].fingerprint,
        "taken before resizing"
    );
    let found = data::inspect(&*open(home.path()), &LoadOptions::default(), &Silent).unwrap();
    let sizes: Vec<_> = found
        .sizes
        .iter()
        .map(|s| (s.height, s.width, s.rows))
        .collect();
    assert_eq!(sizes, [(12, 16, 2), (32, 32, 1), (48, 16, 1)]);
}

#[test]
fn a_sample_is_spread_over_the_drop_and_says_what_it_left_out() {
    let options = LoadOptions {
        max_rows: Some(3),
        ..LoadOptions::default()
    };
    let dataset = data::load(&*open(&folder("imagefolder")), &options, &Silent).unwrap();
    assert_eq!(dataset.rows.len(), 10);
    // One of the rows 0 to 3, one of 4 to 6 and one of 7 to 9.
    assert_eq!(dataset.readable(), [3, 6, 7]);
    assert!(matches!(&dataset.rows[0].status, Status::Skipped(reason) if reason.contains('3')));
}

#[test]
fn a_path_with_two_formats_needs_a_choice() {
    let home = tempdir().unwrap();
    fs::write(
        home.path().join("a.png"),
        data::encode_png(&picture(0)).unwrap(),
    )
    .unwrap();
    fs::copy(
        folder("cifar/data_batch_1.bin"),
        home.path().join("data_batch_1.bin"),
    )
    .unwrap();
    let open = |format: &str| data::open(home.path(), format, &Limits::default());
    assert!(
        matches!(open("auto").err(), Some(Error::Input { problem, .. }) if problem.contains("--format"))
    );
    assert_eq!(open("cifar").unwrap().rows(), 6);
    assert_eq!(open("imagefolder").unwrap().rows(), 1);
    assert!(matches!(open("tar").err(), Some(Error::Settings { .. })));
}

#[test]
fn cifar_100_is_classed_by_its_fine_label() {
    let home = tempdir().unwrap();
    let mut record = vec![7, 42];
    record.extend((0..3072).map(|byte| (byte / 1024) as u8));
    fs::write(home.path().join("train.bin"), record).unwrap();
    let dataset = load(home.path());
    assert_eq!(dataset.class_names[dataset.rows[0].label as usize], "42");
    assert_eq!(dataset.class_names.len(), 100);
    assert_eq!(dataset.image(0)[..6], [0, 1, 2, 0, 1, 2]);
}

#[test]
fn real_cifar_10() {
    let path = Path::new("../shared/data/cifar10/test-00000-of-00001.parquet");
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return;
    }
    let dataset = load(path);
    assert_eq!(
        (dataset.readable().len(), dataset.class_names.len()),
        (10_000, 10)
    );
    assert_eq!(dataset.class_names[9], "truck");
    let mut counts = [0; 10];
    dataset
        .labels()
        .iter()
        .for_each(|&label| counts[label as usize] += 1);
    assert_eq!(counts, [1000; 10]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_pixels_survive_a_cifar_file(bytes in prop::collection::vec(any::<u8>(), 3073)) {
        let home = tempdir().unwrap();
        let record = [&[bytes[0] % 10], &bytes[1..]].concat();
        fs::write(home.path().join("data_batch_1.bin"), &record).unwrap();
        let dataset = load(home.path());
        prop_assert_eq!(dataset.labels(), [u32::from(record[0])]);
        for (pixel, rgb) in dataset.image(0).chunks_exact(3).enumerate() {
            for channel in 0..3 {
                prop_assert_eq!(rgb[channel], record[1 + channel * 1024 + pixel]);
            }
        }
    }
}
