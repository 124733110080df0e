//! The evidence that may speak: all that was measured but for one part, left out to see what it adds.

use std::borrow::Cow;

use super::View;
use super::evident::Evident;
use super::eye::Kind;
use super::features::features;
use super::linalg::Rows;
use super::measure::Measured;
use super::part::Part;
use super::whole;
use crate::Result;

/// What was `measured`, `without` a part.
pub(super) struct Admitted<'a> {
    pub(super) measured: &'a Measured<'a>,
    pub(super) without: Option<Part>,
}

impl<'a> Admitted<'a> {
    /// Views that look at no label.
    pub(super) fn loud(&self) -> Vec<&'a View> {
        let all = self.measured;
        self.of([&all.energy, &all.floor])
    }

    /// Views that do.
    pub(super) fn labelled(&self) -> Vec<&'a View> {
        let all = self.measured;
        self.of([
            &all.template,
            &all.residual,
            &all.texture,
            &all.pixel,
            &all.net,
        ])
    }

    /// Those of them that honest pictures of a class do not raise.
    pub(super) fn strict(&self) -> Vec<&'a View> {
        let all = self.measured;
        self.of([&all.template, &all.residual, &all.pixel])
    }

    /// Those of them by which rows may stand apart without a search.
    pub(super) fn evident(&self) -> Vec<Evident<'a>> {
        let all = self.measured;
        let evident = [
            Evident::lawful(&all.template, Kind::Place),
            Evident::lawful(&all.residual, Kind::Place),
            Evident::lawless(&all.texture, Kind::Texture),
        ];
        let admitted = evident
            .into_iter()
            .filter(|evident| self.admits(evident.view));
        admitted.collect()
    }

    /// What is asked about whole classes; `None` without the network, in whose place no other view may say that one carries.
    pub(super) fn whole(&self) -> Option<whole::Views<'a>> {
        let all = self.measured;
        let faint = [
            (&all.template, Kind::Place),
            (&all.residual, Kind::Place),
            (&all.texture, Kind::Texture),
            (&all.net, Kind::Any),
        ];
        let faint = faint.into_iter().filter(|(view, _)| self.admits(view));
        self.has(Part::Net).then(|| whole::Views {
            faint: faint.collect(),
            net: &all.net,
            spots: Some(&all.pixel).filter(|view| self.admits(view)),
        })
    }

    /// What a network says of the rows in their own colours and in exchanged ones; `None` without it.
    pub(super) fn throughout(&self) -> Option<[&'a View; 2]> {
        let all = self.measured;
        self.has(Part::Net).then_some([&all.net, &all.exchanged])
    }

    /// What rows are told apart by: few numbers, and all.
    pub(super) fn features(&self) -> Result<[Rows; 2]> {
        let all = self.measured;
        let left_over = Rows::column(&all.left_over.scores);
        features(
            &self.labelled(),
            &self.seen(&all.levels, Part::Loudness),
            &self.seen(&left_over, Part::Dvae),
            &self.seen(&all.textures, Part::Texture),
        )
    }

    /// Whether a part may speak.
    pub(super) fn has(&self, part: Part) -> bool {
        self.without != Some(part)
    }

    fn admits(&self, view: &View) -> bool {
        self.without.is_none_or(|part| !part.holds(view))
    }

    fn of<const N: usize>(&self, views: [&'a View; N]) -> Vec<&'a View> {
        let views = views.into_iter();
        views.filter(|view| self.admits(view)).collect()
    }

    /// Numbers of a part, or as many that say nothing.
    fn seen<'b>(&self, rows: &'b Rows, part: Part) -> Cow<'b, Rows> {
        match self.has(part) {
            true => Cow::Borrowed(rows),
            false => Cow::Owned(rows.clone().blank()),
        }
    }
}
