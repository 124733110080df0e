//! Integration tests, in one binary so that they link once.

mod cli;
mod drop;
mod report;
mod scan;
mod support;
