//! Random colour fields with the spectrum of photographs: power falls with a power of the frequency near 2.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

/// Waves in a field: enough that single ones do not show.
const WAVES: usize = 40;
/// Lowest and highest frequency, in cycles over the picture.
const BAND: (f32, f32) = (0.4, 14.0);

/// One plane wave.
struct Wave {
    x: f32,
    y: f32,
    phase: f32,
    /// Weight in red, green and blue.
    color: [f32; 3],
}

/// A sum of plane waves of random direction and phase. Frequencies are drawn evenly on the logarithmic scale, where equal
/// energy in each octave is power 1/f^2 in the plane.
pub(super) struct Field {
    base: [f32; 3],
    waves: Vec<Wave>,
}

impl Field {
    /// A field around a random colour, with deviations of about `contrast` in [0, 1] units.
    pub(super) fn random(contrast: f32, rng: &mut impl Rng) -> Self {
        let (low, high) = BAND;
        // Photographs vary between busy and smooth: the power falls with an exponent between 1.8 and 3.
        let tilt: f32 = rng.random_range(-0.1..0.5);
        let grey = rng.random_range(0.25..0.75);
        let mut waves: Vec<Wave> = (0..WAVES)
            .map(|_| {
                let frequency = low * (high / low).powf(rng.random::<f32>());
                let (sin, cos) = (TAU * rng.random::<f32>()).sin_cos();
                let weight = frequency.powf(-tilt);
                // Brightness varies more than hue, as in photographs.
                let color = [(); 3].map(|()| weight * (1.0 + rng.random_range(-0.45..0.45)));
                Wave {
                    x: TAU * frequency * cos,
                    y: TAU * frequency * sin,
                    phase: TAU * rng.random::<f32>(),
                    color,
                }
            })
            .collect();
        let energy: f32 = waves.iter().map(|w| w.color[1] * w.color[1] / 2.0).sum();
        for wave in &mut waves {
            wave.color = wave.color.map(|weight| weight * contrast / energy.sqrt());
        }
        let base = [(); 3].map(|()| grey + rng.random_range(-0.15..0.15));
        Self { base, waves }
    }

    /// The colour at a point of the unit square.
    pub(super) fn at(&self, x: f32, y: f32) -> [f32; 3] {
        self.waves.iter().fold(self.base, |color, wave| {
            let value = (wave.x * x + wave.y * y + wave.phase).cos();
            [0, 1, 2].map(|c| color[c] + value * wave.color[c])
        })
    }

    /// Lays the field over `under` where it covers `share` of the pixel at a point of the unit square.
    pub(super) fn over(&self, under: &mut [f32; 3], share: f32, x: f32, y: f32) {
        // Most pixels are not covered at all, and a field is what costs time.
        if share > 1e-3 {
            let paint = self.at(x, y);
            *under = [0, 1, 2].map(|c| under[c] + share * (paint[c] - under[c]));
        }
    }

    /// The colour around which the field varies.
    pub(super) fn base(&self) -> [f32; 3] {
        self.base
    }
}
