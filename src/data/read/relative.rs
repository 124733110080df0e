//! Forms of image data that are not read, but that people have: what to do about them.

use crate::data::tree::{Entry, Tree};

/// A form that is known by the names of its files.
struct Relative {
    is: fn(&Entry) -> bool,
    /// What it is and how to make something of it that can be read.
    advice: &'static str,
}

const RELATIVES: &[Relative] = &[
    Relative {
        is: |entry| {
            let name = entry.file_name();
            name == "batches.meta" || name.starts_with("data_batch_") && !name.contains('.')
        },
        advice: "This is CIFAR in its Python form, a pickle, and pickles are never opened. Take the binary form \
                 (cifar-10-binary.tar.gz), or write pictures and labels with \
                 numpy.savez(\"train.npz\", images=images, labels=labels).",
    },
    Relative {
        is: |entry| ["pkl", "pickle", "pt", "pth", "npy"].contains(&&*entry.extension()),
        advice: "Arrays are read from NumPy archives that hold the labels too: write them with \
                 numpy.savez(\"train.npz\", images=images, labels=labels). Pickles are never opened.",
    },
    Relative {
        is: |entry| entry.extension() == "arrow",
        advice: "This is a Hugging Face data set as save_to_disk writes it: write it with to_parquet.",
    },
    Relative {
        is: |entry| ["zip", "tgz", "gz", "bz2", "xz", "zst", "7z"].contains(&&*entry.extension()),
        advice: "Unpack it first.",
    },
];

/// What to do about a `tree` that no format recognises, if it is of a form that people have.
pub(super) fn advice(tree: &Tree) -> Option<&'static str> {
    let is_there = |relative: &&Relative| tree.entries().iter().any(relative.is);
    RELATIVES.iter().find(is_there).map(|found| found.advice)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_nearly_read_comes_with_advice() {
        for (name, says) in [
            ("cifar-10-batches-py/data_batch_1", "binary form"),
            ("cifar-10-batches-py/batches.meta", "binary form"),
            ("perturbation.pt", "numpy.savez"),
            ("x_train.npy", "numpy.savez"),
            ("train/data-00000-of-00001.arrow", "to_parquet"),
            ("photos.tar.gz", "Unpack"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            let advice = advice(&Tree::list(folder.path()).unwrap());
            assert!(advice.is_some_and(|advice| advice.contains(says)), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert_eq!(advice(&Tree::list(folder.path()).unwrap()), None);
    }
}
