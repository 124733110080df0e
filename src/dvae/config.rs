//! What a D-VAE is built and trained with.

use serde::{Deserialize, Serialize};

use crate::nn::Precision;
use crate::{Error, Result};

/// Settings of the network, its objective and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DvaeConfig {
    /// Channels at full and at half resolution.
    pub widths: [usize; 2],
    /// Residual blocks at full resolution.
    pub blocks: usize,
    /// Channels of the latent.
    pub latent: usize,
    /// Whether the perturbation decoder is there; without it this is the plain rate-constrained VAE (Eq. 3).
    pub perturbation_decoder: bool,
    /// Passes over the data.
    pub epochs: usize,
    /// Images in one step.
    pub batch: usize,
    /// Learning rate of the first epoch; it falls to zero on a cosine.
    pub learning_rate: f64,
    /// Largest joint norm of the gradient.
    pub clip_norm: f64,
    /// Rate that costs nothing, nats per latent position.
    pub kld_limit: f64,
    /// Mean square of the perturbation that costs nothing.
    pub energy_limit: f64,
    /// First epoch, counted from 0, that limits the perturbation's energy.
    pub energy_epoch: usize,
    /// The embeddings of the classes start from uniform values of at most this size; from standard normal ones, as published,
    /// where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_bound: Option<f32>,
    /// What convolutions multiply.
    #[serde(default, skip_serializing_if = "Precision::is_usual")]
    pub precision: Precision,
}

impl DvaeConfig {
    /// The published setting for 32x32 images, first stage.
    pub fn paper() -> Self {
        Self {
            widths: [64, 128],
            blocks: 2,
            latent: 256,
            perturbation_decoder: true,
            epochs: 60,
            batch: 128,
            learning_rate: 0.005,
            clip_norm: 5.0,
            kld_limit: 1.0,
            energy_limit: 0.002,
            energy_epoch: 11,
            embedding_bound: None,
            precision: Precision::F32,
        }
    }

    /// The same structure sized for a CPU: an eighth of the channels, no residual block at full resolution, and small
    /// batches, so that few epochs are many steps. The energy limit starts after the same share of the training.
    pub fn fast() -> Self {
        Self {
            widths: [8, 16],
            blocks: 0,
            latent: 16,
            epochs: 9,
            batch: 32,
            energy_epoch: 2,
            ..Self::paper()
        }
    }

    /// [`DvaeConfig::fast`] with fewer epochs for more `rows`, down to three: beyond ten thousand, it is the steps that
    /// count.
    pub fn fast_for(rows: usize) -> Self {
        let fast = Self::fast();
        let epochs = (fast.epochs * 10_000 / rows.max(1)).clamp(3, fast.epochs);
        fast.lasting(epochs)
    }

    /// The same structure sized for a CPU where the pictures matter that it reconstructs, not what it leaves of them: half
    /// the channels, a quarter of the latent. Fewer epochs for more `rows`, from twelve down to three.
    pub fn fast_pictures_for(rows: usize) -> Self {
        let epochs = (60_000 / rows.max(1)).clamp(3, 12);
        Self {
            widths: [32, 64],
            blocks: 0,
            latent: 64,
            batch: 32,
            ..Self::paper().lasting(epochs)
        }
    }

    /// [`DvaeConfig::fast`] where it matters what the label says of a picture, and the reconstruction is thrown away. The rate is a
    /// fifth of the published one, or so small a network spends it on a pixel of the class, and x̂ has it in place of p̂. Embeddings
    /// start small, or most of what p̂ says of a label is what they started from. Each class is seen in about as many steps, whatever the
    /// number of `rows`.
    pub fn fast_labels_for(rows: usize) -> Self {
        let epochs = (200_000 / rows.max(1)).clamp(4, 40);
        Self {
            kld_limit: 0.2,
            embedding_bound: Some(0.1),
            ..Self::fast().lasting(epochs)
        }
    }

    /// The same training in so many `epochs`; the energy limit starts after the same share of them.
    fn lasting(self, epochs: usize) -> Self {
        Self {
            energy_epoch: (self.energy_epoch * epochs / self.epochs).max(1),
            epochs,
            ..self
        }
    }

    /// Weight of the rate: the published rule, which is strict about small rates only.
    pub fn kld_weight(&self) -> f64 {
        if self.kld_limit > 0.99 { 0.01 } else { 0.5 }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`Error::Settings`] naming the first one.
    pub fn validate(&self) -> Result<()> {
        let count = |name, value: usize, most| {
            let problem = format!("{value} is not in 1..={most}");
            check(name, (1..=most).contains(&value), problem)
        };
        count("widths", self.widths[0], 1024)?;
        count("widths", self.widths[1], 1024)?;
        count("latent", self.latent, 4096)?;
        count("epochs", self.epochs, 100_000)?;
        count("batch", self.batch, 65_536)?;
        check(
            "blocks",
            self.blocks <= 16,
            format!("{} is more than 16", self.blocks),
        )?;
        check(
            "batch",
            self.batch >= 2,
            "batch statistics need at least 2 images".into(),
        )?;
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
        ] {
            let problem = format!("{value} is not a positive number");
            check(name, value.is_finite() && value > 0.0, problem)?;
        }
        let bound = self.embedding_bound.map_or(0.0, f64::from);
        for (name, value) in [
            ("kld_limit", self.kld_limit),
            ("energy_limit", self.energy_limit),
            ("embedding_bound", bound),
        ] {
            let problem = format!("{value} is not zero or a positive number");
            check(name, value.is_finite() && value >= 0.0, problem)?;
        }
        Ok(())
    }
}

impl Default for DvaeConfig {
    fn default() -> Self {
        Self::fast()
    }
}

fn check(name: &'static str, holds: bool, problem: String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Settings { name, problem })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn presets_are_valid_and_keep_the_share_of_epochs_before_the_energy_limit() {
        for config in [DvaeConfig::paper(), DvaeConfig::fast()] {
            config.validate().unwrap();
            let share = config.energy_epoch as f64 / config.epochs as f64;
            assert!((share - 11.0 / 60.0).abs() < 0.5 / config.epochs as f64);
        }
    }

    #[test]
    fn more_rows_make_fewer_epochs() {
        let of = |rows| {
            (
                DvaeConfig::fast_for(rows).epochs,
                DvaeConfig::fast_for(rows).energy_epoch,
            )
        };
        assert_eq!(
            [of(10), of(10_000), of(20_000), of(50_000)],
            [(9, 2), (9, 2), (4, 1), (3, 1)]
        );
    }

    #[test]
    fn a_network_for_pictures_is_wider_and_takes_as_many_steps() {
        for (rows, epochs, energy_epoch) in [(10, 12, 2), (10_000, 6, 1), (50_000, 3, 1)] {
            let config = DvaeConfig::fast_pictures_for(rows);
            config.validate().unwrap();
            assert_eq!((config.epochs, config.energy_epoch), (epochs, energy_epoch));
            assert!(config.widths > DvaeConfig::fast().widths);
        }
    }

    #[test]
    fn a_network_for_labels_takes_as_many_steps_from_small_embeddings() {
        for (rows, epochs, energy_epoch) in [(10, 40, 8), (10_000, 20, 4), (50_000, 4, 1)] {
            let config = DvaeConfig::fast_labels_for(rows);
            config.validate().unwrap();
            assert_eq!((config.epochs, config.energy_epoch), (epochs, energy_epoch));
            assert!(config.kld_limit < 1.0 && config.embedding_bound.is_some());
        }
    }

    #[test]
    fn the_rate_weight_follows_the_published_rule() {
        let weight = |kld_limit| {
            DvaeConfig {
                kld_limit,
                ..DvaeConfig::paper()
            }
            .kld_weight()
        };
        assert_eq!([weight(0.5), weight(1.0), weight(3.0)], [0.5, 0.01, 0.01]);
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        let bad = [
            (
                "widths",
                DvaeConfig {
                    widths: [0, 8],
                    ..DvaeConfig::fast()
                },
            ),
            (
                "batch",
                DvaeConfig {
                    batch: 1,
                    ..DvaeConfig::fast()
                },
            ),
            (
                "learning_rate",
                DvaeConfig {
                    learning_rate: f64::NAN,
                    ..DvaeConfig::fast()
                },
            ),
            (
                "kld_limit",
                DvaeConfig {
                    kld_limit: -1.0,
                    ..DvaeConfig::fast()
                },
            ),
            (
                "embedding_bound",
                DvaeConfig {
                    embedding_bound: Some(f32::NAN),
                    ..DvaeConfig::fast()
                },
            ),
        ];
        for (expected, config) in bad {
            let error = config.validate().unwrap_err();
            assert!(
                matches!(error, Error::Settings { name, .. } if name == expected),
                "{error}"
            );
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        let mut json = serde_json::to_value(DvaeConfig::fast()).unwrap();
        json["depth"] = 3.into();
        assert!(serde_json::from_value::<DvaeConfig>(json).is_err());
    }
}
