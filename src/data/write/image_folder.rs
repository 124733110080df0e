//! Copies of image folders: kept files byte for byte, replaced ones as PNG under a name that says so.

use std::collections::BTreeSet;
use std::fs;

use super::{Copier, Edit};
use crate::data::encode::encode_png_like;
use crate::data::read::{ImageFolder, Reader};
use crate::{Error, Result};

pub(in crate::data) fn image_folder(source: &ImageFolder, copy: &mut Copier<'_>) -> Result<()> {
    let tree = source.tree();
    let mut taken: BTreeSet<String> = tree
        .entries()
        .iter()
        .map(|entry| entry.id.clone())
        .collect();
    for entry in source.pictures() {
        let id = match copy.next_edit()? {
            Edit::Keep if entry.trouble.is_none() => {
                copy.file(tree, entry)?;
                Some(entry.id.clone())
            }
            Edit::Keep | Edit::Drop => None,
            Edit::Replace(image) => {
                let source = tree.path(entry);
                let original = || fs::read(&source).map_err(Error::io(&source));
                let png = encode_png_like(original, &image)?;
                let id = png_name(&entry.id, &taken);
                let path = copy.path(&id)?;
                fs::write(&path, png).map_err(Error::io(path))?;
                taken.insert(id.clone());
                Some(id)
            }
        };
        copy.placed(id);
    }
    Ok(())
}

/// `a.jpg` becomes `a.png`, or, where another file has that name, `a.jpg.png`, `a.jpg.1.png` and so on.
fn png_name(id: &str, taken: &BTreeSet<String>) -> String {
    let (stem, extension) = id.rsplit_once('.').unwrap_or((id, ""));
    if extension.eq_ignore_ascii_case("png") {
        return id.into();
    }
    let numbered = (1..).map(|number| format!("{id}.{number}.png"));
    [format!("{stem}.png"), format!("{id}.png")]
        .into_iter()
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| id.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_picture_never_takes_the_name_of_another() {
        let name = |id: &str, taken: &[&str]| {
            png_name(id, &taken.iter().map(ToString::to_string).collect())
        };
        assert_eq!(name("c/a.PNG", &["c/a.PNG"]), "c/a.PNG");
        assert_eq!(name("c/a.jpg", &["c/a.jpg"]), "c/a.png");
        assert_eq!(name("c/a.jpg", &["c/a.png"]), "c/a.jpg.png");
        assert_eq!(
            name("c/a.jpg", &["c/a.png", "c/a.jpg.png"]),
            "c/a.jpg.1.png"
        );
    }
}
