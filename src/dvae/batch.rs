//! Pixels to network input and back: bytes to [0, 1], and odd sides to even ones by repeating the last row or column.

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// One channel of a pixel as it is stored.
pub(super) trait Value: Copy + 'static {
    /// The value in [0, 1].
    fn unit(self) -> f32;
}

impl Value for u8 {
    fn unit(self) -> f32 {
        f32::from(self) / 255.0
    }
}

/// Already in [0, 1].
impl Value for f32 {
    fn unit(self) -> f32 {
        self
    }
}

/// The image size a model is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Frame {
    const SMALLEST: usize = 8;

    /// # Errors
    /// [`Error::Settings`] for images the network cannot halve meaningfully.
    pub(super) fn new(height: usize, width: usize) -> Result<Self> {
        if height.min(width) < Self::SMALLEST {
            return Err(Error::Settings {
                name: "image size",
                problem: format!(
                    "{height}x{width} is too small for the D-VAE; sides must be at least {}",
                    Self::SMALLEST
                ),
            });
        }
        Ok(Self { height, width })
    }

    /// Height and width inside the network.
    pub(super) fn padded(self) -> (usize, usize) {
        (
            self.height.next_multiple_of(2),
            self.width.next_multiple_of(2),
        )
    }

    /// Images, `height * width * 3` values each, as `[b, padded height, padded width, 3]` in [0, 1].
    pub(super) fn tensor<'a, T: Value>(
        self,
        images: impl Iterator<Item = &'a [T]>,
    ) -> Result<Tensor> {
        let (height, width) = self.padded();
        let mut values = Vec::with_capacity(images.size_hint().0 * height * width * 3);
        let mut batch = 0;
        for image in images {
            batch += 1;
            for y in 0..height {
                let row = &image[y.min(self.height - 1) * self.width * 3..][..self.width * 3];
                let last = &row[row.len() - 3..];
                let repeated = last.iter().cycle().take((width - self.width) * 3);
                values.extend(row.iter().chain(repeated).map(|&value| value.unit()));
            }
        }
        Ok(Tensor::from_vec(
            values,
            (batch, height, width, 3),
            &Device::Cpu,
        )?)
    }

    /// The inverse of the padding: `[b, padded height, padded width, 3]` to `[b, height, width, 3]`.
    pub(super) fn crop(self, images: &Tensor) -> Result<Vec<f32>> {
        let cropped = images.narrow(1, 0, self.height)?.narrow(2, 0, self.width)?;
        Ok(cropped.flatten_all()?.to_vec1()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn odd_sides_repeat_the_edge_and_are_cropped_back() {
        let frame = Frame::new(9, 11).unwrap();
        let image: Vec<u8> = (0..9 * 11 * 3).map(|i| (i % 251) as u8).collect();
        let tensor = frame.tensor([image.as_slice()].into_iter()).unwrap();
        assert_eq!(tensor.dims(), [1, 10, 12, 3]);
        let at = |y: usize, x: usize| -> Vec<f32> {
            let pixel = tensor.get(0).unwrap().get(y).unwrap().get(x).unwrap();
            pixel.to_vec1().unwrap()
        };
        assert_eq!(at(4, 11), at(4, 10));
        assert_eq!(at(9, 3), at(8, 3));
        assert_eq!(at(9, 11), at(8, 10));
        let back: Vec<u8> = frame
            .crop(&tensor)
            .unwrap()
            .iter()
            .map(|value| (value * 255.0).round() as u8)
            .collect();
        assert_eq!(back, image);
    }

    #[test]
    fn tiny_images_are_refused() {
        assert!(matches!(Frame::new(7, 32), Err(Error::Settings { .. })));
    }
}
