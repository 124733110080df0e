//! Products in f32, for what minimal filtering does not take: few channels, and kernels of other sizes and strides.

use std::cell::RefCell;

use rayon::prelude::*;

use super::super::lower::Geometry;
use super::super::parts::{room_for, sum_over_images};
use super::super::products::Products;
use super::layout::{Grid, Tap};
use super::{Link, cleared};
use crate::kernel::{Left, NARROW, Panel, Run, WIDTH, filled, multiply_runs};

/// Most channels on the narrower side: beyond, copying windows out costs little beside their products, which `gemm` makes faster.
const CHANNELS: usize = 32;
/// Pixels that are multiplied at once: with their sums they stay in the first cache.
const PIXELS: usize = 256;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What one thread works in.
#[derive(Default)]
struct Scratch {
    /// Images in their layout.
    images: Vec<f32>,
    /// The gradients of others.
    gradients: Vec<f32>,
    sums: Vec<f32>,
}

/// Whether a convolution is handled here.
pub(in crate::nn::ops) fn applies(geometry: &Geometry) -> bool {
    super::applies(geometry) && geometry.fine[2].min(geometry.coarse[2]) <= CHANNELS
}

/// The products, in panels that suit their outputs.
pub(in crate::nn::ops) fn products(geometry: &Geometry) -> Products {
    let [fine, coarse] = [geometry.fine, geometry.coarse].map(|grid| grid[2] > NARROW);
    Products {
        coarsen: if coarse {
            coarsen::<WIDTH>
        } else {
            coarsen::<NARROW>
        },
        refine: if fine {
            refine::<WIDTH>
        } else {
            refine::<NARROW>
        },
        correlate: if coarse {
            correlate::<WIDTH>
        } else {
            correlate::<NARROW>
        },
    }
}

/// Fine images to coarse ones; `weight` in PyTorch's layout.
fn coarsen<const W: usize>(
    geometry: &Geometry,
    fine: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry, 1);
    let filters = Filters::<W>::new(
        &link,
        (0, link.taps.clone()),
        (link.fine, true),
        geometry.coarse[2],
        |tap, i, o| weight[link.place(tap, i, o)],
    );
    let grids = [link.fine, link.coarse];
    convolve(&link, grids, fine, &[filters], bias, batch)
}

/// Coarse images to fine ones.
fn refine<const W: usize>(
    geometry: &Geometry,
    coarse: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let link = Link::new(geometry, 1);
    // Each pixel of a block has taps of its own.
    let filters = (0..geometry.stride * geometry.stride).map(|phase| {
        Filters::<W>::new(
            &link,
            (phase, link.taps_of(phase)),
            (link.coarse, false),
            geometry.fine[2],
            |tap, i, o| weight[link.place(tap, o, i)],
        )
    });
    let filters: Vec<_> = filters.collect();
    let grids = [link.coarse, link.fine];
    convolve(&link, grids, coarse, &filters, bias, batch)
}

/// Weight gradient in PyTorch's layout, from both sides of the convolution.
fn correlate<const W: usize>(geometry: &Geometry, fine: &[f32], coarse: &[f32]) -> Vec<f32> {
    let mut link = Link::new(geometry, 1);
    // The right side of its product is in whole panels.
    link.coarse = Grid::new(geometry.coarse, 1, W);
    let (taps, runs) = ordered(&link, link.taps.clone(), (link.fine, true));
    let sides = [link.fine.channels, link.coarse.padded];
    let size = taps.len() * sides[0] * sides[1];
    let lens = [link.fine.len(), link.coarse.len()];
    let images = [fine, coarse];
    let sums = sum_over_images(images, lens, link.together(), size, |fine, coarse, sums| {
        SCRATCH.with_borrow_mut(|scratch| {
            add_products::<W>(&link, fine, coarse, &runs, scratch, sums);
        });
    });
    link.gradient(&taps, &sums, sides)
}

/// The taps in the order in which what they link lies in the images `from`, and what follows each other there as one run.
fn ordered(
    link: &Link,
    mut taps: Vec<Tap>,
    (from, forwards): (Grid, bool),
) -> (Vec<Tap>, Vec<Run>) {
    taps.sort_by_key(|tap| link.start(*tap, from, forwards));
    let mut runs: Vec<Run> = Vec::new();
    for tap in &taps {
        let (start, len) = (link.start(*tap, from, forwards), from.channels);
        match runs.last_mut() {
            Some(run) if run.start + run.len == start => run.len += len,
            _ => runs.push(Run { start, len }),
        }
    }
    (taps, runs)
}

/// Images of one grid to those of the other.
fn convolve<const W: usize>(
    link: &Link,
    [from, to]: [Grid; 2],
    images: &[f32],
    filters: &[Filters<W>],
    bias: Option<&[f32]>,
    batch: usize,
) -> Vec<f32> {
    let (together, layout) = (link.together(), link.layout);
    filled(batch * to.len(), together * to.len(), |group, out| {
        let count = out.len() / to.len();
        let images = &images[group * together * from.len()..][..count * from.len()];
        SCRATCH.with_borrow_mut(|scratch| {
            let laid = cleared(&mut scratch.images, layout.room(count, 1) * from.depth());
            from.lay(layout, images, laid);
            let sums = room_for(&mut scratch.sums, (PIXELS + layout.pitch) * W);
            for filters in filters {
                for (number, panel) in filters.panels().enumerate() {
                    for (image, out) in out.chunks_exact_mut(to.len()).enumerate() {
                        let step = (PIXELS / layout.pitch).max(1);
                        for row in (0..to.rows()).step_by(step) {
                            let rows = row..(row + step).min(to.rows());
                            let start = layout.pixel(image, row, 0);
                            let left = Left {
                                data: &laid[start * from.depth()..],
                                rows: layout.pixel(0, rows.len() - 1, to.columns()),
                                down: from.depth(),
                                along: 1,
                                runs: &filters.runs,
                            };
                            let panel = Panel {
                                data: panel,
                                stride: W,
                            };
                            multiply_runs::<W>(sums, W, left, panel, false);
                            let place = (filters.phase, number * W);
                            let from = layout.pixel(0, row, 0);
                            to.gather::<W>(layout, (sums, from), place, rows, bias, out);
                        }
                    }
                }
            }
        });
    })
}

/// Adds the products of all runs to `sums`, `[numbers of the runs, coarse channels]`.
fn add_products<const W: usize>(
    link: &Link,
    fine: &[f32],
    coarse: &[f32],
    runs: &[Run],
    scratch: &mut Scratch,
    sums: &mut [f32],
) {
    let (together, layout, across) = (link.together(), link.layout, link.coarse.padded);
    let images = fine
        .chunks(together * link.fine.len())
        .zip(coarse.chunks(together * link.coarse.len()));
    for (fine, coarse) in images {
        let count = fine.len() / link.fine.len();
        let (pixels, room) = (layout.pixels(count, 1), layout.room(count, 1));
        let deep = link.fine.depth();
        let laid = cleared(&mut scratch.images, room * deep);
        link.fine.lay(layout, fine, laid);
        let gradients = cleared(&mut scratch.gradients, room * across);
        link.coarse.lay(layout, coarse, gradients);
        for first in (0..pixels).step_by(PIXELS) {
            let count = PIXELS.min(pixels - first);
            let mut before = 0;
            for run in runs {
                let pixels = Run {
                    start: first * deep + run.start,
                    len: count,
                };
                let left = Left {
                    data: laid,
                    rows: run.len,
                    down: 1,
                    along: deep,
                    runs: &[pixels],
                };
                for column in (0..across).step_by(W) {
                    let panel: Panel<'_, W> = Panel {
                        data: &gradients[(layout.lead + first) * across + column..],
                        stride: across,
                    };
                    let sums = &mut sums[before * across + column..];
                    multiply_runs(sums, across, left, panel, true);
                }
                before += run.len;
            }
        }
    }
}

/// The right sides of the products of one phase, in panels of `W` outputs, each `[depth, W]`, and the runs of their left side.
struct Filters<const W: usize> {
    phase: usize,
    runs: Vec<Run>,
    values: Vec<f32>,
    panels: usize,
}

impl<const W: usize> Filters<W> {
    /// From the weight of a tap between an input and an output.
    fn new(
        link: &Link,
        (phase, taps): (usize, Vec<Tap>),
        (from, forwards): (Grid, bool),
        outputs: usize,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let (taps, runs) = ordered(link, taps, (from, forwards));
        let (size, panels) = (taps.len() * from.channels * W, outputs.div_ceil(W));
        let mut values = vec![0.0; panels * size];
        values
            .par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(number, panel)| {
                for (tap, panel) in taps.iter().zip(panel.chunks_exact_mut(from.channels * W)) {
                    for (input, line) in panel.chunks_exact_mut(W).enumerate() {
                        for (output, value) in (number * W..outputs).zip(line) {
                            *value = weight(tap.number, input, output);
                        }
                    }
                }
            });
        Self {
            phase,
            runs,
            values,
            panels,
        }
    }

    fn panels(&self) -> impl Iterator<Item = &[f32]> {
        let size = self.values.len() / self.panels;
        (0..self.panels).map(move |number| &self.values[number * size..][..size])
    }
}
