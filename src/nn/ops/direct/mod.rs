//! The three products behind a convolution by its definition.
//!
//! Images lie in long rows of pixels ([`layout`]), in which every tap of a kernel is a fixed step, so that windows need not be copied
//! out: products read the images themselves.

pub(super) mod exact;
mod layout;
pub(super) mod tiled;

use super::lower::Geometry;
use super::parts::room_for;
use layout::{Grid, Layout, Tap, taps};

/// Pixels that are worked on at once, at least: small images are taken together.
const PIXELS: usize = 1 << 10;

/// Whether a convolution is of a kind that is handled here: its stride divides the image.
fn applies(geometry: &Geometry) -> bool {
    let Geometry {
        stride,
        fine,
        coarse,
        ..
    } = geometry;
    let blocks = *stride == 1 || (0..2).all(|axis| fine[axis] == stride * coarse[axis]);
    let any = geometry.fine_len() > 0 && geometry.coarse_len() > 0;
    blocks && any && geometry.padding < geometry.kernel
}

/// What links the two grids of a convolution.
struct Link {
    taps: Vec<Tap>,
    layout: Layout,
    fine: Grid,
    coarse: Grid,
}

impl Link {
    /// With the channels of both grids padded to whole units.
    fn new(geometry: &Geometry, unit: usize) -> Self {
        let taps = taps(geometry);
        Self {
            layout: Layout::new(geometry, &taps),
            fine: Grid::new(geometry.fine, geometry.stride, unit),
            coarse: Grid::new(geometry.coarse, 1, unit),
            taps,
        }
    }

    /// Where in the weight, in PyTorch's layout, that of a tap between a fine and a coarse channel is.
    fn place(&self, tap: usize, fine: usize, coarse: usize) -> usize {
        (coarse * self.fine.channels + fine) * self.taps.len() + tap
    }

    /// The weight's gradient, in the same layout, from sums of each of `taps`, `[taps, down, across]`: fine and coarse channels.
    fn gradient(&self, taps: &[Tap], sums: &[f32], [down, across]: [usize; 2]) -> Vec<f32> {
        let [inputs, outputs] = [self.fine.channels, self.coarse.channels];
        let mut gradient = vec![0.0; taps.len() * inputs * outputs];
        for (tap, sums) in taps.iter().zip(sums.chunks_exact(down * across)) {
            for (fine, sums) in sums.chunks_exact(across).take(inputs).enumerate() {
                for (coarse, sum) in sums[..outputs].iter().enumerate() {
                    gradient[self.place(tap.number, fine, coarse)] = *sum;
                }
            }
        }
        gradient
    }

    /// Images that are worked on at once.
    fn together(&self) -> usize {
        (PIXELS / self.layout.pixels(1, 1)).max(1)
    }

    /// Where in the images `from`, laid out, what `tap` links to the first pixel starts: forwards from coarse to fine, or backwards.
    fn start(&self, tap: Tap, from: Grid, forwards: bool) -> usize {
        // Only the fine grid has blocks of more than one pixel.
        let phase = if forwards { tap.phase * from.padded } else { 0 };
        self.layout.start(tap, forwards) * from.depth() + phase
    }

    /// The taps of a pixel of a block.
    fn taps_of(&self, phase: usize) -> Vec<Tap> {
        let taps = self.taps.iter().copied();
        taps.filter(|tap| tap.phase == phase).collect()
    }
}

/// As [`room_for`], all zeros: what lies between images must not be anything else.
fn cleared<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    let room = room_for(buffer, len);
    room.fill(T::default());
    room
}
