//! Audits image data sets for *unlearnable examples*: pictures that carry small, class-linked perturbations which make a
//! model learn the perturbation instead of the picture.
//!
//! Data flows one way, and so do the modules:
//!
//! | module | owns |
//! |---|---|
//! | [`data`] | load: recognise a format, decode under limits, one pixel block, rewrite a copy |
//! | [`nn`] | shared networks: operators, layers, optimisers; tensors, not files |
//! | [`dvae`] | model: the rate-constrained VAE that disentangles the perturbation |
//! | [`detect`] | score: one number a row from each view of the evidence |
//! | [`decide`] | decide: scores to verdict, threshold, ratio and gate; no tensors, no files |
//! | [`purify`] | repair: pictures without their perturbation |
//! | [`zoo`] | evaluate: classifiers that say what a training set teaches |
//! | [`report`] | report: pure renderings of one result |
//! | [`kernel`] | the only `unsafe` code: matrix products, memory |
//! | [`mod@bench`] | the speed of training on this machine |
//! | [`demo`] | a procedural drop made from a seed, with nothing to download |
//! | `lab` | research only (feature `lab`): attacks; nothing above may name it |

pub mod audit;
pub mod bench;
pub mod data;
pub mod decide;
pub mod demo;
pub mod detect;
pub mod dvae;
pub mod error;
mod file;
pub mod kernel;
pub mod labels;
pub mod mixture;
pub mod nn;
pub mod observe;
pub mod purify;
pub mod report;
pub mod rng;
pub mod settings;
pub mod stats;
pub mod zoo;

#[cfg(feature = "lab")]
pub mod lab;

pub use error::{Error, Result};
pub use labels::Labels;
pub use rng::Seed;
pub use settings::{Config, Settings};
