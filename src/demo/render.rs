//! One picture: figure over background, lit, partly hidden, seen by a noisy sensor.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::SIDE;
use super::field::Field;
use super::figure::Figure;

/// Where and how large a figure is: the frame that maps a picture to it.
struct Pose {
    x: f32,
    y: f32,
    sin: f32,
    cos: f32,
    scale: f32,
}

impl Pose {
    fn random(rng: &mut impl Rng) -> Self {
        let (sin, cos) = (TAU * rng.random::<f32>()).sin_cos();
        Self {
            x: rng.random_range(0.35..0.65),
            y: rng.random_range(0.35..0.65),
            sin,
            cos,
            scale: rng.random_range(0.24..0.4),
        }
    }

    /// Share of the pixel at `(x, y)` that `figure` covers, its edge as soft as a lens makes it.
    fn coverage(&self, figure: Figure, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let distance = figure.distance(
            (self.cos * dx + self.sin * dy) / self.scale,
            (self.cos * dy - self.sin * dx) / self.scale,
        );
        let pixels = distance * self.scale * SIDE as f32;
        1.0 / (1.0 + (2.5 * pixels).exp())
    }
}

/// The pixels of a random picture of `figure`, `[SIDE, SIDE, 3]`.
pub(super) fn picture(figure: Figure, rng: &mut impl Rng) -> Vec<u8> {
    let ground = Field::random(rng.random_range(0.08..0.2), rng);
    let paint = painted_apart(&ground, rng);
    let pose = Pose::random(rng);
    // Half of the pictures have something in front of the figure, in other colours, near a corner of it.
    let hidden = rng.random_bool(0.5);
    let veil = Field::random(rng.random_range(0.05..0.15), rng);
    let mut veil_pose = Pose::random(rng);
    veil_pose.scale *= 0.5;
    let shift = pose.scale * 0.9;
    (veil_pose.x, veil_pose.y) = (
        pose.x + shift * veil_pose.cos,
        pose.y + shift * veil_pose.sin,
    );

    let (light_y, light_x) = (TAU * rng.random::<f32>()).sin_cos();
    let light = rng.random_range(0.0..0.5);
    let noise = rng.random_range(0.004..0.016);
    let mut pixels = Vec::with_capacity(SIDE * SIDE * 3);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let (x, y) = (
                (column as f32 + 0.5) / SIDE as f32,
                (row as f32 + 0.5) / SIDE as f32,
            );
            let mut color = ground.at(x, y);
            paint.over(&mut color, pose.coverage(figure, x, y), x, y);
            if hidden {
                veil.over(&mut color, veil_pose.coverage(Figure::Disk, x, y), x, y);
            }
            let lit = 1.0 + light * (light_x * (x - 0.5) + light_y * (y - 0.5));
            for value in color {
                let error: f32 = StandardNormal.sample(rng);
                pixels.push(((value * lit + noise * error) * 255.0).round() as u8);
            }
        }
    }
    pixels
}

/// A field whose colour stands off from the ground's: a figure that cannot be seen teaches nothing.
fn painted_apart(ground: &Field, rng: &mut impl Rng) -> Field {
    loop {
        let paint = Field::random(rng.random_range(0.05..0.15), rng);
        let (a, b) = (paint.base(), ground.base());
        if (0..3).map(|c| (a[c] - b[c]).abs()).sum::<f32>() > 0.6 {
            return paint;
        }
    }
}
