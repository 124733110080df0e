//! Parts of the evidence, any one of which can be left out to measure what it adds.

use super::View;

/// What the evidence is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the D-VAE leaves of a picture: how much, and its class template.
    Dvae,
    /// Energy and noise floor, and the levels that they are read from.
    Loudness,
    /// The class template of the pixels.
    Template,
    /// Textures.
    Texture,
    /// Single pixels.
    Pixel,
    /// The network that learns the classes from the grain.
    Net,
    /// The networks that tell the rows of what was found.
    Exact,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Dvae,
        Self::Loudness,
        Self::Template,
        Self::Texture,
        Self::Pixel,
        Self::Net,
        Self::Exact,
    ];

    /// Whether `view` belongs to it.
    pub(super) fn holds(self, view: &View) -> bool {
        let views: &[&str] = match self {
            Self::Dvae => &["left_over", "residual"],
            Self::Loudness => &["energy", "floor"],
            Self::Template => &["template"],
            Self::Texture => &["texture"],
            Self::Pixel => &["pixel"],
            Self::Net => &["net"],
            Self::Exact => &[],
        };
        views.contains(&view.name)
    }
}
