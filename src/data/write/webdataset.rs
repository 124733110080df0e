//! Copies of WebDataset archives: what is kept block by block, what is replaced as PNG under a name that says so, and a dropped
//! sample with all of its files.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use tar::{Builder, Header};

use super::{Copier, Edit};
use crate::data::encode::encode_png_like;
use crate::data::read::{Reader, Sample, TarMember, WebDataset};
use crate::{Error, Result};

pub(in crate::data) fn webdataset(source: &WebDataset, copy: &mut Copier<'_>) -> Result<()> {
    for shard in source.shards() {
        let entry = &source.tree().entries()[shard.entry];
        let path = source.tree().path(entry);
        let failed = || Error::io(&path);
        let mut archive = File::open(&path).map_err(failed())?;
        let mut out = BufWriter::new(copy.create(&entry.id)?);
        for sample in &shard.samples {
            let edit = match sample.is_row() {
                true => copy.next_edit()?,
                false => Edit::Keep,
            };
            let stays = edit != Edit::Drop;
            if stays {
                write(&mut archive, &path, sample, &edit, &mut out)?;
            }
            if sample.is_row() {
                copy.placed(stays.then(|| format!("{}!{}", entry.id, sample.key)));
            }
        }
        let members = shard.samples.iter().flat_map(|sample| &sample.members);
        let end = members.map(|member| member.blocks.end).max().unwrap_or(0);
        let rest = archive.seek(SeekFrom::Start(end));
        let rest = rest.and_then(|_| io::copy(&mut archive, &mut out));
        rest.and_then(|_| out.flush()).map_err(failed())?;
    }
    copy.companion(source.tree(), source.names_path())
}

fn write(
    archive: &mut File,
    path: &Path,
    sample: &Sample,
    edit: &Edit,
    out: &mut BufWriter<File>,
) -> Result<()> {
    let failed = || Error::io(path);
    for member in &sample.members {
        match edit {
            Edit::Replace(image) if member.is_picture() => {
                let original = || member.read(archive, u64::MAX).map_err(failed());
                let png = encode_png_like(original, image)?;
                let name = png_name(&sample.key, &member.suffix);
                let header = header(archive, member).map_err(failed())?;
                let member = packed(header, &name, &png).map_err(failed())?;
                out.write_all(&member).map_err(failed())?;
            }
            _ => blocks(archive, &member.blocks, out).map_err(failed())?,
        }
    }
    Ok(())
}

/// The blocks of a file.
fn packed(mut header: Header, name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    /// Two empty blocks that a builder ends an archive with.
    const END: usize = 1024;
    let mut builder = Builder::new(Vec::new());
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes)?;
    let mut blocks = builder.into_inner()?;
    blocks.truncate(blocks.len() - END);
    Ok(blocks)
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
