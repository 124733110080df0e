//! The ten figures, as signed distances in a frame of their own: negative inside, about -1..1 across.

use std::f32::consts::{PI, TAU};

/// A class of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A filled circle.
    Disk,
    /// A circle with a hole.
    Ring,
    /// An equilateral triangle.
    Triangle,
    /// A square.
    Square,
    /// Two crossing bars.
    Cross,
    /// A star of five rays.
    Star,
    /// Straight stripes in a round patch.
    Stripes,
    /// Checks in a round patch.
    Checker,
    /// Wavy stripes in a round patch.
    Waves,
    /// Three separate disks.
    Dots,
}

impl Figure {
    /// The figures, by label.
    pub const ALL: [Self; 10] = [
        Self::Disk,
        Self::Ring,
        Self::Triangle,
        Self::Square,
        Self::Cross,
        Self::Star,
        Self::Stripes,
        Self::Checker,
        Self::Waves,
        Self::Dots,
    ];

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Ring => "ring",
            Self::Triangle => "triangle",
            Self::Square => "square",
            Self::Cross => "cross",
            Self::Star => "star",
            Self::Stripes => "stripes",
            Self::Checker => "checker",
            Self::Waves => "waves",
            Self::Dots => "dots",
        }
    }

    /// Signed distance, near enough for a soft edge, of the point `(x, y)` from the edge of the figure.
    pub(super) fn distance(self, x: f32, y: f32) -> f32 {
        let radius = x.hypot(y);
        let patch = radius - 0.95;
        match self {
            Self::Disk => radius - 0.8,
            Self::Ring => (radius - 0.65).abs() - 0.22,
            Self::Triangle => polygon(x, y, 3) - 0.45,
            Self::Square => polygon(x, y, 4) - 0.68,
            Self::Cross => bar(x, y).min(bar(y, x)),
            Self::Star => radius - 0.62 - 0.33 * (5.0 * y.atan2(x)).cos(),
            Self::Stripes => patch.max((2.5 * PI * x).sin() / (2.5 * PI)),
            Self::Checker => patch.max((2.2 * PI * x).sin() * (2.2 * PI * y).sin() / (2.2 * PI)),
            Self::Waves => {
                let bent = x + 0.22 * (1.8 * PI * y).sin();
                patch.max((2.5 * PI * bent).sin() / (2.5 * PI))
            }
            Self::Dots => [0.0, 1.0, 2.0]
                .map(|k| {
                    let (sin, cos) = (k * TAU / 3.0).sin_cos();
                    (x - 0.6 * cos).hypot(y - 0.6 * sin) - 0.33
                })
                .into_iter()
                .fold(f32::INFINITY, f32::min),
        }
    }
}

/// Distance from the centre towards the nearest side of a regular polygon.
fn polygon(x: f32, y: f32, sides: u8) -> f32 {
    let sector = TAU / f32::from(sides);
    let angle = y.atan2(x).rem_euclid(sector) - sector / 2.0;
    x.hypot(y) * angle.cos()
}

fn bar(x: f32, y: f32) -> f32 {
    (x.abs() - 0.9).max(y.abs() - 0.26)
}
