//! NumPy archives: an array of pictures beside one of labels, as Keras, MedMNIST and many papers store them.
//!
//! Which arrays belong together is told by their names ([`PAIRS`]); a file may hold several pairs, for its splits. Pictures are
//! `[n, height, width]` or with one or three channels, last or first, of bytes, or of reals in [0, 1] or [0, 255], whichever all of
//! an array fit. Class names are those of an array of texts, if there is one, and numbers otherwise.

use std::io::Read;
use std::path::Path;

use super::npz_member::{Kind, Member, members};
use super::npz_numbers::{bytes, numbers, texts};
use super::{Format, Reader, Record, Source};
use crate::data::reason::Defect;
use crate::data::tree::{Entry, Tree};
use crate::data::write::Copier;
use crate::data::{Image, Limits};
use crate::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "npz",
    rule: "NumPy archives (.npz) with pictures and labels under names that belong together, such as x_train and y_train",
    claims: |entry| entry.extension() == "npz",
    open: |tree, limits| Ok(Box::new(Npz::open(tree, limits)?)),
};

/// Names of pictures and of their labels.
const PAIRS: [[&str; 2]; 14] = [
    ["x_train", "y_train"],
    ["x_val", "y_val"],
    ["x_test", "y_test"],
    ["train_images", "train_labels"],
    ["val_images", "val_labels"],
    ["test_images", "test_labels"],
    ["images", "labels"],
    ["data", "targets"],
    ["data", "labels"],
    ["data", "label"],
    ["x", "y"],
    ["X", "y"],
    ["X", "Y"],
    ["arr_0", "arr_1"],
];
/// Names of an array of class names.
const NAMES: [&str; 4] = ["class_names", "label_names", "classes", "names"];

/// How the numbers of a picture lie.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    height: usize,
    width: usize,
    channels: usize,
    channels_first: bool,
    /// What a full level of 255 is stored as.
    full: f64,
}

/// Pictures and labels that belong together.
#[derive(Clone, Debug)]
pub(in crate::data) struct Pair {
    pub(in crate::data) images: Member,
    pub(in crate::data) labels: Member,
    layout: Layout,
    classes: Vec<Option<u32>>,
}

impl Pair {
    pub(in crate::data) fn rows(&self) -> usize {
        self.classes.len()
    }

    /// The stored bytes of a picture.
    pub(in crate::data) fn store(&self, image: &Image) -> Option<Vec<u8>> {
        let Layout {
            height,
            width,
            channels,
            channels_first,
            full,
        } = self.layout;
        if (image.height, image.width) != (height, width) {
            return None;
        }
        let pixels = image.rgb.as_chunks::<3>().0;
        // A grey picture that was made colourful cannot be kept.
        let grey = |pixel: &[u8; 3]| pixel.iter().all(|value| *value == pixel[0]);
        if channels == 1 && !pixels.iter().all(grey) {
            return None;
        }
        let level = |value: u8| f64::from(value) * full / 255.0;
        let numbers: Vec<f64> = match channels_first {
            true => (0..channels)
                .flat_map(|channel| pixels.iter().map(move |pixel| level(pixel[channel])))
                .collect(),
            false => pixels
                .iter()
                .flat_map(|pixel| pixel[..channels].iter().map(|value| level(*value)))
                .collect(),
        };
        bytes(&self.images, numbers.into_iter())
    }

    fn image(&self, row: &[u8]) -> Option<Image> {
        let Layout {
            height,
            width,
            channels,
            channels_first,
            full,
        } = self.layout;
        let numbers = numbers(&self.images, row)?;
        let level = |number: f64| (number * 255.0 / full).round().clamp(0.0, 255.0) as u8;
        let place = |pixel: usize, channel: usize| match channels_first {
            true => channel * height * width + pixel,
            false => pixel * channels + channel,
        };
        let pixel = |pixel| [0, 1, 2].map(|c| level(numbers[place(pixel, c.min(channels - 1))]));
        Some(Image {
            height,
            width,
            rgb: (0..height * width).flat_map(pixel).collect(),
        })
    }
}

/// One archive.
pub(in crate::data) struct Archive {
    pub(in crate::data) entry: usize,
    pub(in crate::data) pairs: Vec<Pair>,
    pub(in crate::data) members: Vec<Member>,
}

/// One or more archives.
pub(in crate::data) struct Npz {
    tree: Tree,
    class_names: Vec<String>,
    archives: Vec<Archive>,
}

impl Npz {
    fn open(tree: Tree, limits: &Limits) -> Result<Self> {
        let (mut archives, mut names, mut classes) = (Vec::new(), None, 0);
        for (number, entry) in tree.entries().iter().enumerate() {
            if !(FORMAT.claims)(entry) {
                continue;
            }
            let path = tree.readable(entry)?;
            let wrong = |problem: String| Error::input(&path, problem);
            let members = members(&path).map_err(wrong)?;
            let pairs = pairs(&path, &members, limits).map_err(wrong)?;
            if let Some(member) = members.iter().find(|member| names_classes(member)) {
                let read = class_names(&path, member, limits).map_err(wrong)?;
                if names.get_or_insert_with(|| read.clone()) != &read {
                    return Err(wrong("its class names are not those of the others".into()));
                }
            }
            let most = pairs.iter().flat_map(|pair| &pair.classes).flatten().max();
            classes = classes.max(most.map_or(0, |&most| most as usize + 1));
            archives.push(Archive {
                entry: number,
                pairs,
                members,
            });
        }
        let class_names =
            names.unwrap_or_else(|| (0..classes.max(1)).map(|class| class.to_string()).collect());
        Ok(Self {
            tree,
            class_names,
            archives,
        })
    }

    pub(in crate::data) fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// The rows of one pair, whose first has this number in its archive.
    fn pair_records<'a>(
        &'a self,
        entry: &'a Entry,
        pair: &'a Pair,
        first: usize,
    ) -> impl Iterator<Item = Result<Record>> + 'a {
        let path = self.tree.path(entry);
        let mut bytes = pair.images.bytes(&path);
        let size = pair.images.row();
        pair.classes.iter().enumerate().map(move |(row, class)| {
            let mut stored = vec![0; size];
            let read = match &mut bytes {
                Ok(bytes) => bytes.read_exact(&mut stored).map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let label = class.filter(|&class| (class as usize) < self.class_names.len());
            let source = match (read, label) {
                (Err(problem), _) => Source::Bad(Defect::Truncated.because(problem)),
                (_, None) => Source::Bad(Defect::BadLabel.because("names no class")),
                (Ok(()), Some(_)) => match pair.image(&stored) {
                    Some(image) => Source::Pixels(image),
                    None => Source::Bad(Defect::Unsupported.because(&pair.images.descr)),
                },
            };
            Ok(Record {
                id: format!("{}[{}]", entry.id, first + row),
                label,
                source,
            })
        })
    }
}

/// Whether an array holds class names, of which there may be as many as pictures.
pub(in crate::data) fn names_classes(member: &Member) -> bool {
    member.kind == Kind::Text && NAMES.contains(&&*member.name)
}

fn find<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}

fn pairs(path: &Path, members: &[Member], limits: &Limits) -> Result<Vec<Pair>, String> {
    let mut pairs: Vec<Pair> = Vec::new();
    for [images, labels] in PAIRS {
        let (Some(images), Some(labels)) = (find(members, images), find(members, labels)) else {
            continue;
        };
        let taken = |member: &Member| {
            pairs.iter().any(|pair: &Pair| {
                pair.images.name == member.name || pair.labels.name == member.name
            })
        };
        if taken(images) || taken(labels) {
            continue;
        }
        pairs.push(pair(path, images, labels, limits)?);
    }
    if pairs.is_empty() {
        let known: Vec<String> = PAIRS.map(|[x, y]| format!("{x} and {y}")).into();
        let found: Vec<&str> = members.iter().map(|member| &*member.name).collect();
        return Err(format!(
            "holds {}; pictures and labels are recognised as {}",
            found.join(", "),
            known.join(", ")
        ));
    }
    Ok(pairs)
}

fn pair(path: &Path, images: &Member, labels: &Member, limits: &Limits) -> Result<Pair, String> {
    let mut layout = layout(images)?;
    if let Some(problem) = limits.refuse(layout.height as u64, layout.width as u64) {
        return Err(format!("{}: {problem}", images.name));
    }
    if images.row() as u64 > limits.max_encoded_bytes {
        return Err(format!(
            "a picture of {} has {} bytes",
            images.name,
            images.row()
        ));
    }
    let rows = images.shape.first().copied().unwrap_or(0);
    if labels.shape.first() != Some(&rows) || labels.numbers() != 1 {
        return Err(format!(
            "{} is {:?} and {} is {:?}; one label for each picture is needed",
            images.name, images.shape, labels.name, labels.shape
        ));
    }
    let whole = |number: f64| {
        let fits = number >= 0.0 && number < limits.max_classes as f64 && number.fract() == 0.0;
        fits.then_some(number as u32)
    };
    let mut classes = Vec::new();
    for_each_row(path, labels, rows, |row| {
        classes.extend(numbers(labels, row).into_iter().flatten().map(whole));
    })?;
    if classes.len() < rows {
        return Err(format!(
            "{} ends after {} labels",
            labels.name,
            classes.len()
        ));
    }
    if images.kind == Kind::Float {
        layout.full = full(path, images, rows)?;
    }
    Ok(Pair {
        images: images.clone(),
        labels: labels.clone(),
        layout,
        classes,
    })
}

/// Visits as many rows of an array as there are bytes for; there is never room for more than one at a time.
fn for_each_row(
    path: &Path,
    member: &Member,
    rows: usize,
    mut visit: impl FnMut(&[u8]),
) -> Result<(), String> {
    let mut bytes = member.bytes(path).map_err(|error| error.to_string())?;
    let mut row = vec![0; member.row()];
    for _ in 0..rows {
        if bytes.read_exact(&mut row).is_err() {
            break;
        }
        visit(&row);
    }
    Ok(())
}

fn layout(images: &Member) -> Result<Layout, String> {
    let known = matches!(
        (images.kind, images.width),
        (Kind::Uint, 1) | (Kind::Float, 4 | 8)
    );
    if !known {
        return Err(format!(
            "{} is of type {}; bytes (u1) or reals (f4, f8) are needed",
            images.name, images.descr
        ));
    }
    let colour = |side: usize| side == 1 || side == 3;
    let (height, width, channels, channels_first) = match images.shape[..] {
        [_, height, width] => (height, width, 1, false),
        [_, channels, height, width] if colour(channels) && !colour(width) => {
            (height, width, channels, true)
        }
        [_, height, width, channels] if colour(channels) && !colour(height) => {
            (height, width, channels, false)
        }
        _ => {
            return Err(format!(
                "{} is {:?}; [n, height, width], [n, height, width, channels] or [n, channels, height, width] with one or three \
                 channels is needed",
                images.name, images.shape
            ));
        }
    };
    Ok(Layout {
        height,
        width,
        channels,
        channels_first,
        full: 255.0,
    })
}

/// What a full level is stored as: 1 or 255, whichever all numbers of the array fit.
fn full(path: &Path, images: &Member, rows: usize) -> Result<f64, String> {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for_each_row(path, images, rows, |row| {
        for number in numbers(images, row).into_iter().flatten() {
            // Not a number is outside of every range.
            least = least.min(if number.is_nan() {
                f64::NEG_INFINITY
            } else {
                number
            });
            most = most.max(number);
        }
    })?;
    match (least >= 0.0, most) {
        (true, ..=1.0) => Ok(1.0),
        (true, ..=255.0) => Ok(255.0),
        _ => Err(format!(
            "{} holds numbers from {least} to {most}; bytes, or reals in [0, 1] or [0, 255], are needed",
            images.name
        )),
    }
}

fn class_names(path: &Path, member: &Member, limits: &Limits) -> Result<Vec<String>, String> {
    /// Bytes of one name: a thousand characters.
    const NAME: usize = 4000;
    if member.row() > NAME || member.numbers() != 1 {
        return Err(format!(
            "{} is {:?} of {}",
            member.name, member.shape, member.descr
        ));
    }
    let count = member
        .shape
        .first()
        .copied()
        .unwrap_or(0)
        .min(limits.max_classes);
    let mut names = Vec::new();
    for_each_row(path, member, count, |row| {
        names.extend(texts(member, row).into_iter().flatten());
    })?;
    Ok(names)
}

impl Reader for Npz {
    fn format(&self) -> &'static Format {
        &FORMAT
    }

    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn rows(&self) -> usize {
        let pairs = self.archives.iter().flat_map(|archive| &archive.pairs);
        pairs.map(Pair::rows).sum()
    }

    fn records(&self) -> Box<dyn Iterator<Item = Result<Record>> + '_> {
        Box::new(self.archives.iter().flat_map(move |archive| {
            let entry = &self.tree.entries()[archive.entry];
            let first = archive.pairs.iter().scan(0, |before, pair| {
                let first = *before;
                *before += pair.rows();
                Some((pair, first))
            });
            first.flat_map(move |(pair, first)| self.pair_records(entry, pair, first))
        }))
    }

    fn rewrite(&self, copy: &mut Copier<'_>) -> Result<()> {
        crate::data::write::npz(self, copy)
    }
}
