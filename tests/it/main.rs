//! Integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[cfg(feature = "lab")]
mod attacks;
mod bad_inputs;
mod bench;
mod classifier_ops;
mod cli;
mod copies;
mod drop;
mod dvae;
mod golden;
mod gradients;
mod idx;
mod layering;
mod npz;
#[cfg(feature = "lab")]
mod poison;
mod purify;
mod purify_command;
mod readers;
#[cfg(feature = "lab")]
mod readme;
mod renderings;
mod report;
mod rivals;
mod same10;
mod scan;
mod support;
mod trajectory;
mod webdataset;
mod zoo;
mod zoo_golden;
