//! What the flagged rows of a class have in common, as pictures that a person can judge: a pattern in its place, and the
//! spectrum of a texture that has none.
//!
//! Both compare what the model leaves of pictures, x - x̂, between flagged rows of the class and other rows. A template
//! shows what lies in the same place in many rows (LSP, OPS, class-wise noise); a spectrum what repeats anywhere (AR, and
//! the fine structure of noise that networks make).

use std::f32::consts::PI;

use image::Rgb;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::panels::{Strip, amplified, draw, panel};
use super::sheet::TakeApart;
use crate::Result;
use crate::data::Dataset;

/// Fewer flagged rows of a class show their own pictures rather than what they share.
pub const LEAST: usize = 8;
/// Classes on the sheet, those with most flagged rows.
const CLASSES: usize = 20;
/// Rows that a mean is taken over, at most.
const ROWS: usize = 300;
/// Rows that the model is asked for at once.
const BATCH: usize = 64;
const RED: Rgb<u8> = Rgb([200, 30, 30]);

/// What the flagged rows of a class share.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortcut {
    /// The class.
    pub label: u32,
    /// Its first flagged row, in block order.
    pub example: usize,
    /// Mean of x - x̂ over its flagged rows less that over other rows, `[height, width, 3]` in [0, 1] pixel units.
    pub template: Vec<f32>,
    /// Power of x - x̂ on its flagged rows over that on other rows, as a logarithm to base 2, `[height, width]`; the mean of
    /// a picture is in the middle, the finest stripes at the edges.
    pub spectrum: Vec<f32>,
}

impl Shortcut {
    /// Of the class `label`; `None` if fewer than [`LEAST`] of its rows are flagged. `flagged` has an entry for each
    /// readable row.
    ///
    /// The other rows are those without a flag, or where fewer than [`LEAST`] are, those of the other classes.
    ///
    /// # Errors
    /// Whatever `take_apart` returns.
    pub fn of(
        label: u32,
        dataset: &Dataset,
        flagged: &[bool],
        take_apart: &TakeApart<'_>,
    ) -> Result<Option<Self>> {
        let labels = dataset.labels();
        if rows(&labels, |k| labels[k] == label && flagged[k]).len() < LEAST {
            return Ok(None);
        }
        let rest = Traits::of_rest(dataset, flagged, take_apart)?;
        Self::beside(rest.as_ref(), label, dataset, flagged, take_apart).map(Some)
    }

    /// Of a class with flagged rows, beside the `rest` of the drop, or the other classes where there is none.
    fn beside(
        rest: Option<&Traits>,
        label: u32,
        dataset: &Dataset,
        flagged: &[bool],
        take_apart: &TakeApart<'_>,
    ) -> Result<Self> {
        let labels = dataset.labels();
        let carry = rows(&labels, |k| labels[k] == label && flagged[k]);
        let carried = Traits::of(&carry, dataset, take_apart)?;
        let others;
        let natural = match rest {
            Some(rest) => rest,
            None => {
                let classes = rows(&labels, |k| labels[k] != label);
                others = Traits::of(&classes, dataset, take_apart)?;
                &others
            }
        };
        let ratio = |(a, b): (&f32, &f32)| (a.max(f32::MIN_POSITIVE) / b.max(1e-12)).log2();
        let pairs = carried.mean.iter().zip(&natural.mean);
        let powers = carried.power.iter().zip(&natural.power);
        Ok(Self {
            label,
            example: carry[0],
            template: pairs.map(|(a, b)| a - b).collect(),
            spectrum: powers.map(ratio).collect(),
        })
    }

    /// The spectrum in grey: mid-grey where the power is equal, white where it is eight times that of other rows or more.
    pub fn spectrum_rgb(&self) -> Vec<u8> {
        let grey = |&octaves: &f32| (128.0 + octaves * 127.0 / 3.0).round() as u8;
        self.spectrum.iter().flat_map(|v| [grey(v); 3]).collect()
    }
}

/// The bytes of the sheet of all classes with [`LEAST`] flagged rows, by label, a PNG; `None` if there are none. Each
/// strip shows the first flagged picture, the template around mid-grey, amplified, and the spectrum.
///
/// # Errors
/// Whatever `take_apart` returns, and [`Error::Numeric`](crate::Error::Numeric) if the sheet cannot be encoded.
pub fn render(
    dataset: &Dataset,
    flagged: &[bool],
    take_apart: &TakeApart<'_>,
) -> Result<Option<Vec<u8>>> {
    let mut counts: Vec<(usize, u32)> = (0..dataset.class_names.len() as u32)
        .map(|label| (0, label))
        .collect();
    for (label, _) in dataset
        .labels()
        .iter()
        .zip(flagged)
        .filter(|(_, flag)| **flag)
    {
        counts[*label as usize].0 += 1;
    }
    counts.retain(|&(count, _)| count >= LEAST);
    counts.sort_by_key(|&(count, label)| (std::cmp::Reverse(count), label));
    counts.truncate(CLASSES);
    counts.sort_by_key(|&(_, label)| label);
    if counts.is_empty() {
        return Ok(None);
    }
    let rest = Traits::of_rest(dataset, flagged, take_apart)?;
    let mut strips = Vec::new();
    let size = (dataset.height, dataset.width);
    for (_, label) in counts {
        let shortcut = Shortcut::beside(rest.as_ref(), label, dataset, flagged, take_apart)?;
        strips.push(Strip {
            colour: RED,
            panels: vec![
                panel(size, dataset.image(shortcut.example)),
                panel(size, &amplified(&shortcut.template)),
                panel(size, &shortcut.spectrum_rgb()),
            ],
        });
    }
    let (left, right) = strips.split_at(strips.len().div_ceil(2));
    draw([left, right], size).map(Some)
}

/// Numbers of the rows that are `chosen` among those that `all` has an entry for.
fn rows<T>(all: &[T], chosen: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..all.len()).filter(|&k| chosen(k)).collect()
}

/// What a reconstruction leaves of a picture, x - x̂.
pub(super) fn left_over(picture: &[u8], reconstruction: &[f32]) -> Vec<f32> {
    let pairs = picture.iter().zip(reconstruction);
    pairs.map(|(&x, r)| f32::from(x) / 255.0 - r).collect()
}

/// Mean and power spectrum of what a model leaves of some rows.
struct Traits {
    mean: Vec<f32>,
    power: Vec<f32>,
}

impl Traits {
    /// Of the rows without a flag; `None` if fewer than [`LEAST`] are.
    fn of_rest(
        dataset: &Dataset,
        flagged: &[bool],
        take_apart: &TakeApart<'_>,
    ) -> Result<Option<Self>> {
        let rest = rows(flagged, |k| !flagged[k]);
        let enough = rest.len() >= LEAST;
        enough
            .then(|| Self::of(&rest, dataset, take_apart))
            .transpose()
    }

    /// Of at most [`ROWS`] of the `rows`, spread evenly.
    fn of(rows: &[usize], dataset: &Dataset, take_apart: &TakeApart<'_>) -> Result<Self> {
        let count = rows.len().min(ROWS);
        let chosen: Vec<usize> = (0..count).map(|i| rows[i * rows.len() / count]).collect();
        let (height, width) = (dataset.height, dataset.width);
        let size = height * width * 3;
        let mut spectra = Spectra::new(height, width);
        let mut mean = vec![0.0; size];
        for rows in chosen.chunks(BATCH) {
            let (reconstruction, _) = take_apart(rows)?;
            for (&k, reconstruction) in rows.iter().zip(reconstruction.chunks_exact(size)) {
                let left = left_over(dataset.image(k), reconstruction);
                mean.iter_mut()
                    .zip(&left)
                    .for_each(|(m, v)| *m += v / count as f32);
                spectra.add(&left);
            }
        }
        Ok(Self {
            mean,
            power: spectra.power.iter().map(|sum| sum / count as f32).collect(),
        })
    }
}

/// Sum of the power spectra of pictures, all channels, `[height, width]` with frequency zero in the middle.
struct Spectra {
    power: Vec<f32>,
    along: std::sync::Arc<dyn Fft<f32>>,
    down: std::sync::Arc<dyn Fft<f32>>,
    /// Falls to zero at the border, so that the jump between opposite borders is no stripe.
    window: Vec<f32>,
}

impl Spectra {
    fn new(height: usize, width: usize) -> Self {
        let mut planner = FftPlanner::new();
        let hann =
            |at: usize, of: usize| 0.5 - 0.5 * (2.0 * PI * (at as f32 + 0.5) / of as f32).cos();
        let window = |at: usize| hann(at / width, height) * hann(at % width, width);
        Self {
            power: vec![0.0; height * width],
            along: planner.plan_fft_forward(width),
            down: planner.plan_fft_forward(height),
            window: (0..height * width).map(window).collect(),
        }
    }

    /// Adds a picture, `[height, width, 3]`.
    fn add(&mut self, picture: &[f32]) {
        let (height, width) = (self.down.len(), self.along.len());
        for channel in 0..3 {
            let values = picture.iter().skip(channel).step_by(3).zip(&self.window);
            let mut lines: Vec<Complex<f32>> = values.map(|(v, w)| Complex::from(v * w)).collect();
            self.along.process(&mut lines);
            for x in 0..width {
                let mut column: Vec<_> = (0..height).map(|y| lines[y * width + x]).collect();
                self.down.process(&mut column);
                for (y, value) in column.iter().enumerate() {
                    let (top, left) = ((y + height / 2) % height, (x + width / 2) % width);
                    self.power[top * width + left] += value.norm_sqr();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SIZE: (usize, usize) = (8, 8);

    /// 40 rows of two classes on mid-grey; half of each class is `changed`.
    fn drop(changed: impl Fn(usize, usize) -> u8) -> (Dataset, Vec<bool>) {
        let flagged: Vec<bool> = (0..40).map(|k| k % 4 < 2).collect();
        let pixel = |k: usize, at: usize| if flagged[k] { changed(k, at) } else { 128 };
        let pixels = (0..40).flat_map(|k| (0..192).map(move |at| (k, at)));
        let pixels = pixels.map(|(k, at)| pixel(k, at)).collect();
        let labels: Vec<u32> = (0..40).map(|k| k % 2).collect();
        let names = ["a", "b"].map(String::from).to_vec();
        let data = Dataset::from_pixels("test", "test", names, SIZE, pixels, &labels);
        (data, flagged)
    }

    /// A model that reconstructs mid-grey.
    fn grey(rows: &[usize]) -> Result<(Vec<f32>, Vec<f32>)> {
        let size = rows.len() * SIZE.0 * SIZE.1 * 3;
        Ok((vec![128.0 / 255.0; size], vec![0.0; size]))
    }

    #[test]
    fn a_pattern_in_its_place_is_the_template() {
        let (data, flagged) = drop(|_, at| if at == 5 { 255 } else { 128 });
        let shortcut = Shortcut::of(1, &data, &flagged, &grey).unwrap().unwrap();
        assert_eq!((shortcut.label, shortcut.example), (1, 1));
        for (at, value) in shortcut.template.iter().enumerate() {
            let expected = if at == 5 { 127.0 / 255.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-5, "{at}: {value}");
        }
    }

    #[test]
    fn a_texture_without_a_place_is_in_the_spectrum_alone() {
        // Upright stripes of two pixels, their sign and so their place by the row.
        let stripe =
            |k: usize, at: usize| 128 + 20 * u8::from((at / 3).is_multiple_of(2) == (k % 8 < 4));
        let (data, flagged) = drop(stripe);
        let shortcut = Shortcut::of(0, &data, &flagged, &grey).unwrap().unwrap();
        // Zero frequency is at (4, 4), stripes of two pixels at the left edge of its line.
        let most = shortcut.spectrum.iter().copied().fold(f32::MIN, f32::max);
        let (stripes, upright) = (shortcut.spectrum[4 * 8], shortcut.spectrum[4]);
        assert!(
            stripes > most - 3.0 && stripes > upright + 3.0,
            "{stripes} {upright} {most}"
        );
        let flat = shortcut.template.iter().map(|v| (v - 10.0 / 255.0).abs());
        assert!(flat.fold(0.0, f32::max) < 1e-5);
    }

    #[test]
    fn a_class_that_is_flagged_whole_is_compared_with_the_others_and_few_rows_show_nothing() {
        let (data, _) = drop(|_, _| 200);
        let all = vec![true; 40];
        assert!(Shortcut::of(0, &data, &all, &grey).unwrap().is_some());
        let mut few = vec![false; 40];
        few[..2 * LEAST - 2].fill(true);
        assert!(Shortcut::of(0, &data, &few, &grey).unwrap().is_none());
        assert!(render(&data, &few, &grey).unwrap().is_none());
        let sheet = render(&data, &all, &grey).unwrap().unwrap();
        assert!(image::load_from_memory(&sheet).is_ok());
    }
}
