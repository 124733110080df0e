//! Copies of CIFAR binary files, record by record.

use std::io::{BufWriter, Write};

use super::{Copier, Edit};
use crate::data::read::{Cifar, Reader, Records};
use crate::{Error, Result};

pub(in crate::data) fn cifar(source: &Cifar, copy: &mut Copier<'_>) -> Result<()> {
    let layout = source.layout();
    for entry in source.files() {
        let path = source.tree().path(entry);
        let failed = || Error::io(&path);
        let mut file = BufWriter::new(copy.create(&entry.id)?);
        let mut kept = 0;
        for record in Records::of(&path, layout).map_err(failed())? {
            let mut record = record.map_err(failed())?;
            match copy.next_edit()? {
                Edit::Drop => {
                    copy.placed(None);
                    continue;
                }
                Edit::Replace(image) if !layout.set_image(&mut record, &image) => {
                    return Err(Error::Settings {
                        name: "image",
                        problem: "a CIFAR record takes 32 x 32 pixels and must be whole".into(),
                    });
                }
                Edit::Keep | Edit::Replace(_) => {}
            }
            file.write_all(&record).map_err(failed())?;
            copy.placed(Some(format!("{}#{kept}", entry.id)));
            kept += 1;
        }
        file.flush().map_err(failed())?;
    }
    copy.companion(source.tree(), source.names_path())
}
