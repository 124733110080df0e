//! Copies of WebDataset archives: what is kept block by block, what is replaced as PNG under a name that says so, and a dropped
//! sample with all of its files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use tar::{Builder, Header};

use super::{Copier, Edit};
use crate::data::encode::encode_png;
use crate::data::read::{Reader, Sample, TarMember, WebDataset};
use crate::{Error, Result};

pub(in crate::data) fn webdataset(source: &WebDataset, copy: &mut Copier<'_>) -> Result<()> {
    for shard in source.shards() {
        let entry = &source.tree().entries()[shard.entry];
        let path = source.tree().path(entry);
        let failed = || Error::io(&path);
        let mut archive = File::open(&path).map_err(failed())?;
        let mut builder = Builder::new(BufWriter::new(copy.create(&entry.id)?));
        let mut changed = false;
        for sample in &shard.samples {
            let edit = match sample.is_row() {
                true => copy.next_edit()?,
                false => Edit::Keep,
            };
            changed = changed || edit != Edit::Keep;
            let stays = edit != Edit::Drop;
            if stays {
                write(&mut archive, sample, &edit, &mut builder).map_err(failed())?;
            }
            if sample.is_row() {
                copy.placed(stays.then(|| format!("{}!{}", entry.id, sample.key)));
            }
        }
        let done = builder.into_inner().and_then(|mut file| file.flush());
        done.map_err(failed())?;
        if !changed {
            // Its end, too.
            copy.file(source.tree(), entry)?;
        }
    }
    match source.names_path() {
        // Beside a single file, so not among the side files of the copy.
        Some(names) if source.tree().is_single_file() => {
            let name = names.file_name().unwrap_or_default().to_string_lossy();
            let path = copy.path(&name)?;
            fs::copy(names, &path).map_err(Error::io(path))?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn write(
    archive: &mut File,
    sample: &Sample,
    edit: &Edit,
    builder: &mut Builder<BufWriter<File>>,
) -> io::Result<()> {
    for member in &sample.members {
        match edit {
            Edit::Replace(image) if member.is_picture() => {
                let png = encode_png(image).map_err(io::Error::other)?;
                let mut header = header(archive, member)?;
                header.set_size(png.len() as u64);
                let name = png_name(&sample.key, &member.suffix);
                builder.append_data(&mut header, Path::new(&name), &*png)?;
            }
            _ => blocks(archive, &member.blocks, builder.get_mut())?,
        }
    }
    Ok(())
}

/// The header of a member, for its owner, mode and time.
fn header(archive: &mut File, member: &TarMember) -> io::Result<Header> {
    let mut header = Header::new_old();
    archive.seek(SeekFrom::Start(member.header))?;
    archive.read_exact(header.as_mut_bytes())?;
    Ok(header)
}

/// Copies blocks as they are.
fn blocks(archive: &mut File, range: &Range<u64>, out: &mut impl Write) -> io::Result<()> {
    archive.seek(SeekFrom::Start(range.start))?;
    let wanted = range.end - range.start;
    let copied = io::copy(&mut archive.take(wanted), out)?;
    // The last member of a file that ends early may lack what fills its block.
    io::copy(&mut io::repeat(0).take(wanted - copied), out)?;
    Ok(())
}

/// `a.seg.jpg` becomes `a.seg.png`.
fn png_name(key: &str, suffix: &str) -> String {
    match suffix.rsplit_once('.') {
        Some((before, _)) => format!("{key}.{before}.png"),
        None if suffix.eq_ignore_ascii_case("png") => format!("{key}.{suffix}"),
        None => format!("{key}.png"),
    }
}
