//! Labelled images on their way into a network.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::Result;
use crate::data::Dataset;
use crate::nn::augment::View;
use crate::observe::Observer;

/// Images looked at at once, where none is learnt from.
const BATCH: usize = 128;

/// Labelled images of one size, borrowed from wherever they are.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    /// Rows of pixels of an image.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// `[labels.len(), height, width, 3]`.
    pub images: Images<'a>,
    /// The class of each image.
    pub labels: Vec<u32>,
    /// How many classes there are.
    pub classes: usize,
}

/// Pixels as stored, or as computed.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// 0 to 255.
    Bytes(&'a [u8]),
    /// Nominally 0 to 1; nothing clips them.
    Reals(&'a [f32]),
}

impl<'a> From<&'a Dataset> for Samples<'a> {
    /// The readable rows.
    fn from(data: &'a Dataset) -> Self {
        Self {
            height: data.height,
            width: data.width,
            images: Images::Bytes(data.pixels()),
            labels: data.labels(),
            classes: data.class_names.len(),
        }
    }
}

impl Images<'_> {
    /// The pixel value at `index`, in [0, 1].
    fn value(self, index: usize) -> f32 {
        match self {
            Self::Bytes(bytes) => f32::from(bytes[index]) / 255.0,
            Self::Reals(reals) => reals[index],
        }
    }
}

impl Samples<'_> {
    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// BLAKE3 of pixels, labels and sizes, in hex.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for size in [self.height, self.width, self.classes] {
            hasher.update(&(size as u64).to_le_bytes());
        }
        self.labels.iter().for_each(|label| {
            hasher.update(&label.to_le_bytes());
        });
        match self.images {
            Images::Bytes(bytes) => {
                hasher.update(bytes);
            }
            Images::Reals(reals) => reals.iter().for_each(|value| {
                hasher.update(&value.to_le_bytes());
            }),
        }
        hasher.finalize().to_hex().to_string()
    }

    /// True without any image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Views of some rows, one each, as `[rows, height, width, 3]` in [0, 1].
    ///
    /// # Errors
    /// If the tensor library refuses.
    ///
    /// # Panics
    /// If a row does not exist: a defect in the caller.
    pub fn batch(&self, rows: &[usize], view: impl Fn(usize) -> View + Sync) -> Result<Tensor> {
        let (height, width) = (self.height, self.width);
        let size = height * width * 3;
        let mut values = vec![0.0f32; rows.len() * size];
        values
            .par_chunks_exact_mut(size.max(1))
            .zip(rows)
            .for_each(|(image, &row)| {
                let view = view(row);
                for (at, pixel) in image.chunks_exact_mut(3).enumerate() {
                    let Some((y, x)) = view.source((at / width, at % width), (height, width))
                    else {
                        continue;
                    };
                    let start = row * size + (y * width + x) * 3;
                    for (channel, value) in pixel.iter_mut().enumerate() {
                        *value = self.images.value(start + channel);
                    }
                }
            });
        let shape = (rows.len(), height, width, 3);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Shows some rows to `visit` as they are, a batch at a time, in their order: the rows and their pictures, as from
    /// [`Samples::batch`].
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so, and whatever `visit` returns.
    ///
    /// # Panics
    /// If a row does not exist: a defect in the caller.
    pub fn in_batches(
        &self,
        rows: &[usize],
        observer: &dyn Observer,
        mut visit: impl FnMut(&[usize], &Tensor) -> Result<()>,
    ) -> Result<()> {
        for rows in rows.chunks(BATCH) {
            observer.check()?;
            visit(rows, &self.batch(rows, |_| View::IDENTITY)?)?;
        }
        Ok(())
    }

    /// The labels of some rows.
    pub fn labels_of(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|&row| self.labels[row]).collect()
    }
}
