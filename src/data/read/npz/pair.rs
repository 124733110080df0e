//! Pictures and labels of an archive that belong together, and how the numbers of a picture lie.

use std::path::Path;

use super::member::{Kind, Member};
use super::numbers::{bytes, numbers};
use crate::data::{Image, Limits};

/// Names of pictures and of their labels.
pub(super) const PAIRS: [[&str; 2]; 14] = [
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
    /// Of each row; `None` where the label is no class.
    pub(super) classes: Vec<Option<u32>>,
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
        if channels == 1 && !image.is_grey() {
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

    pub(super) fn image(&self, row: &[u8]) -> Option<Image> {
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

fn find<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}

/// All pairs among the `members` of the archive at `path`, with the classes of their rows.
pub(super) fn pairs(path: &Path, members: &[Member], limits: &Limits) -> Result<Vec<Pair>, String> {
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
    labels.for_each_row(path, rows, |row| {
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
    images.for_each_row(path, rows, |row| {
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
