//! The integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bad_inputs;
mod copies;
mod readers;
mod same10;
