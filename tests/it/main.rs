//! Integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used)]

mod cli;
mod drop;
mod dvae;
mod golden;
mod gradients;
mod report;
mod scan;
mod support;
