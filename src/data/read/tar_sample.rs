//! The samples of a tar archive in the manner of WebDataset: neighbouring files whose names agree up to the first dot of their
//! last part.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path};

use serde_json::Value;
use tar::{Archive, EntryType};

use crate::data::guard::catch_panic;

/// What a training loader takes for a picture, decodable here or not.
const PICTURES: [&str; 11] = [
    "png", "jpg", "jpeg", "jpe", "bmp", "webp", "gif", "tif", "tiff", "ppm", "pgm",
];
/// What follows the key in the name of the file that holds the class.
const CLASS: &str = "cls";
/// Most bytes of a label.
const LABEL: u64 = 1 << 16;
/// Bytes of a tar archive's blocks.
const BLOCK: u64 = 512;

/// One file of an archive.
#[derive(Clone, Debug)]
pub(in crate::data) struct Member {
    /// What follows the first dot of its last part.
    pub(in crate::data) suffix: String,
    /// All of its blocks in the archive, its own headers first.
    pub(in crate::data) blocks: Range<u64>,
    /// Where its last header is.
    pub(in crate::data) header: u64,
    /// Its bytes.
    bytes: Range<u64>,
}

impl Member {
    fn extension(&self) -> String {
        let last = self.suffix.rsplit('.').next();
        last.unwrap_or_default().to_ascii_lowercase()
    }

    /// Whether it is a picture, or is named as one.
    pub(in crate::data) fn is_picture(&self) -> bool {
        PICTURES.contains(&&*self.extension())
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// Its bytes, at most so many.
    pub(in crate::data) fn read(&self, archive: &mut File, most: u64) -> io::Result<Vec<u8>> {
        archive.seek(SeekFrom::Start(self.bytes.start))?;
        let mut bytes = Vec::new();
        archive.take(self.len().min(most)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Files that belong together, or one that belongs to none.
#[derive(Clone, Debug)]
pub(in crate::data) struct Sample {
    /// What their names have in common; empty for a file that is not part of a sample.
    pub(in crate::data) key: String,
    pub(in crate::data) members: Vec<Member>,
}

impl Sample {
    /// Whether it is a row: what has neither a picture nor a class is not.
    pub(in crate::data) fn is_row(&self) -> bool {
        let tells = |member: &Member| member.is_picture() || member.suffix == CLASS;
        !self.key.is_empty() && self.members.iter().any(tells)
    }

    /// Whether its name would lead out of a folder that it is unpacked into.
    pub(super) fn leads_out(&self) -> bool {
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        !Path::new(&self.key).components().all(plain)
    }

    /// The class: the number in its `.cls`, or the number that its `.json` calls label or cls.
    pub(super) fn label(&self, archive: &mut File) -> Result<u32, String> {
        let find = |suffix| self.members.iter().find(|member| member.suffix == suffix);
        let mut text = |member: &Member| {
            let bytes = member.read(archive, LABEL).map_err(|e| e.to_string())?;
            String::from_utf8(bytes).map_err(|error| error.to_string())
        };
        if let Some(member) = find(CLASS) {
            let text = text(member)?;
            return (text.trim().parse()).map_err(|_| format!(".cls holds {:?}", text.trim()));
        }
        let member = find("json").ok_or("there is no .cls and no .json beside it")?;
        let json: Value = serde_json::from_str(&text(member)?).map_err(|e| e.to_string())?;
        let label = json.get("label").or_else(|| json.get("cls"));
        let label = label
            .and_then(Value::as_u64)
            .and_then(|label| u32::try_from(label).ok());
        label.ok_or_else(|| ".json holds no whole number as label or cls".into())
    }
}

/// All samples of an archive, in its order.
///
/// # Errors
/// In words, if the archive is broken, or the same sample is in two places.
pub(super) fn samples(path: &Path) -> Result<Vec<Sample>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // Written by strangers, and read by a parser of others.
    catch_panic(|| gathered(file))?
}

fn gathered(file: File) -> Result<Vec<Sample>, String> {
    let words = |error: io::Error| error.to_string();
    let size = file.metadata().map_err(words)?.len();
    let mut archive = Archive::new(BufReader::new(file));
    let (mut samples, mut keys, mut end) = (Vec::<Sample>::new(), BTreeSet::new(), 0);
    for entry in archive.entries_with_seek().map_err(words)? {
        let entry = entry.map_err(words)?;
        let kind = entry.header().entry_type();
        if kind == EntryType::GNUSparse {
            return Err("it holds sparse files, which are not read".into());
        }
        let start = entry.raw_file_position();
        let bytes = start..start.saturating_add(entry.size());
        if bytes.end > size {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            return Err(format!("it ends within {name}"));
        }
        let blocks = end..bytes.end.next_multiple_of(BLOCK);
        end = blocks.end;
        let name = String::from_utf8(entry.path_bytes().into_owned());
        let regular = matches!(kind, EntryType::Regular | EntryType::Continuous);
        let parts = name.ok().filter(|_| regular);
        let (key, suffix) = parts.as_deref().and_then(parted).unwrap_or_default();
        let member = Member {
            suffix: suffix.into(),
            blocks,
            header: entry.raw_header_position(),
            bytes,
        };
        match samples.last_mut() {
            Some(last) if !key.is_empty() && last.key == key => last.members.push(member),
            _ => {
                if !key.is_empty() && !keys.insert(key.to_owned()) {
                    return Err(format!("the files of {key} are not together"));
                }
                samples.push(Sample {
                    key: key.into(),
                    members: vec![member],
                });
            }
        }
    }
    Ok(samples)
}

/// A name up to the first dot of its last part, and what follows; `None` where there is no dot, or nothing before it.
fn parted(name: &str) -> Option<(&str, &str)> {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = last + name[last..].find('.')?;
    (dot > last).then(|| (&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_part_at_the_first_dot_of_their_last_part() {
        assert_eq!(parted("a/b.c/d.seg.png"), Some(("a/b.c/d", "seg.png")));
        assert_eq!(parted("d.cls"), Some(("d", "cls")));
        assert_eq!(parted("a.b/c"), None);
        assert_eq!(parted("a/.hidden"), None);
    }
}
