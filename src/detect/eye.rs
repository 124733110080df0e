//! What people see, asked when something is found in what they do not see.
//!
//! Honest classes can be told apart, on easy data as well as any poison; then what people see tells them apart at least as
//! well as what they do not see. Rows under a perturbation are the other way round.

use std::cell::OnceCell;

use super::View;
use super::colours::Colours;
use super::grain::Grain;
use super::inquiry::Inquiry;
use super::lens::Band;
use super::spectrum::Spectrum;
use super::{template, texture};
use crate::Result;

/// The faint part of the pictures tells the class this many times as well as the visible part. On clean CIFAR-10 it is 1.0 to
/// 1.3 times, where 100 to 10,000 rows alone teach a network; on rows under adversarial noise 2 and more.
pub(super) const BEYOND: f64 = 1.5;
/// Where what people see tells the class by itself, the faint part tells it this many times as well, or is taken for a part of
/// what is seen. Of 257 horses that stand alike it was 2.0 times, of whole classes of drawn shapes without noise 1.5 to 2.3; of
/// the rows of nine classes under LSP 5 to 60, of whole classes under AR 3.9 and more.
pub(super) const MUCH: f64 = 2.0 * BEYOND;
/// Evidence of this many deviations under wrong labels tells a class by itself.
pub(super) const TOLD: f64 = 2.5;
/// Evidence of this many deviations under noise that drowns perturbations is more than natural pictures of many kinds leave
/// there: whole classes of clean CIFAR-10 or of rows under EM have 0.5 to 1.0, photographs of grass and gravel 1.5 and more.
const BOLD: f64 = 1.2;
/// Where there is that much, the faint part without the noise tells the class this many times as well, or is taken for a part of
/// what is bold. Of grass and gravel it was 3.1 to 3.3 times, of whole classes under EM 4.8 and more.
const DROWNED: f64 = 4.0;

/// How many times as well the faint part must tell a class as something else that tells it so well.
pub(super) fn times(told: f64) -> f64 {
    if told >= TOLD { MUCH } else { BEYOND }
}

/// Whether what is bold explains what is told of a class in the faint part, both in deviations under wrong labels.
pub(super) fn is_bold(faint: f64, bold: f64) -> bool {
    bold >= BOLD && faint < DROWNED * bold
}

/// Views of the visible part of all rows, made when they are first asked.
pub(super) struct Eye<'a> {
    spectrum: &'a Spectrum<'a>,
    /// The visible part of the pictures.
    pub(super) grain: &'a Grain<'a>,
    /// What is left of it under noise that hides small perturbations.
    pub(super) steady: &'a Grain<'a>,
    /// What is too large in the faint part for a perturbation.
    pub(super) contrast: &'a Grain<'a>,
    /// What is left of the faint part under noise that drowns perturbations.
    bold: &'a Grain<'a>,
    inquiry: Inquiry<'a>,
    seen: OnceCell<Seen>,
    large: OnceCell<Large>,
}

/// What a view looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Patterns with a place.
    Place,
    /// Textures.
    Texture,
    /// Whatever a network finds.
    Any,
}

/// Evidence about labels in what people see, standard normal under wrong labels.
pub(super) struct Seen {
    place: Vec<f64>,
    texture: Vec<f64>,
    any: Vec<f64>,
    /// As the network said it, under wrong labels as well.
    net: View,
    exchanged: Vec<f64>,
}

/// Evidence about labels that a network finds in what is large in the faint part, standard normal under wrong labels.
pub(super) struct Large {
    /// In what is too large for a perturbation.
    pub(super) contrast: Vec<f64>,
    /// Under noise that drowns perturbations.
    pub(super) bold: Vec<f64>,
}

impl Seen {
    /// What only a network sees, in any colours.
    #[cfg(test)]
    pub(super) fn by_network(any: Vec<f64>) -> Self {
        Self::in_colours([any.clone(), any])
    }

    /// What only a network sees, in own colours and in exchanged ones.
    #[cfg(test)]
    pub(super) fn in_colours([any, exchanged]: [Vec<f64>; 2]) -> Self {
        let nothing = || vec![0.0; any.len()];
        let net = View {
            name: "net",
            scores: any.clone(),
            null: (0..any.len()).map(|i| (i % 3) as f64 - 1.0).collect(),
        };
        Self {
            place: nothing(),
            texture: nothing(),
            any,
            net,
            exchanged,
        }
    }

    /// The evidence to compare that of a faint view of some kind with: of the same kind, and of a network.
    pub(super) fn beside(&self, kind: Kind) -> [&[f64]; 2] {
        let same = match kind {
            Kind::Place => &self.place,
            Kind::Texture => &self.texture,
            Kind::Any => &self.any,
        };
        [same, &self.any]
    }

    /// What a network sees, in own colours and in exchanged ones.
    pub(super) fn colours(&self) -> [&[f64]; 2] {
        [&self.any, &self.exchanged]
    }

    /// What a network sees, not yet in deviations.
    pub(super) fn net(&self) -> &View {
        &self.net
    }
}

impl<'a> Eye<'a> {
    /// An eye for pictures with this `spectrum`, this visible `grain`, what is left of it under noise, and what is large in the
    /// faint part: its contrast, and what is bold.
    pub(super) fn new(
        spectrum: &'a Spectrum<'a>,
        [grain, steady, contrast, bold]: [&'a Grain<'a>; 4],
        inquiry: Inquiry<'a>,
    ) -> Self {
        Self {
            spectrum,
            grain,
            steady,
            contrast,
            bold,
            inquiry,
            seen: OnceCell::new(),
            large: OnceCell::new(),
        }
    }

    /// What is seen.
    ///
    /// # Errors
    /// [`crate::Error::Numeric`] where a matrix cannot be factored, [`crate::Error::Interrupted`] when the observer says so.
    pub(super) fn look(&self) -> Result<&Seen> {
        if let Some(seen) = self.seen.get() {
            return Ok(seen);
        }
        let Inquiry { labels, folds, .. } = self.inquiry;
        let rows = self.inquiry.rows();
        let standard = |view: View| view.standard(&rows);
        let coordinates = template::coordinates(self.spectrum, Band::Visible, folds);
        let textures = texture::features(self.grain)?;
        let [net, exchanged] = self
            .inquiry
            .learner(self.grain)
            .shown_in(Colours::BOTH, |_| true)?;
        let seen = Seen {
            place: standard(template::view("template", &coordinates, labels, folds)?),
            texture: standard(texture::view(&textures, labels, folds)?),
            any: net.standard(&rows),
            net,
            exchanged: exchanged.standard(&rows),
        };
        Ok(self.seen.get_or_init(|| seen))
    }

    /// What a network finds in what is large in the faint part.
    ///
    /// # Errors
    /// As [`Eye::look`].
    pub(super) fn large(&self) -> Result<&Large> {
        if let Some(large) = self.large.get() {
            return Ok(large);
        }
        let rows = self.inquiry.rows();
        let by_network =
            |grain| -> Result<_> { Ok(self.inquiry.learner(grain).view()?.standard(&rows)) };
        let large = Large {
            contrast: by_network(self.contrast)?,
            bold: by_network(self.bold)?,
        };
        Ok(self.large.get_or_init(|| large))
    }
}
