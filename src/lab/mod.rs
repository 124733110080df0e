//! The research side: what makes poison, to show and to test an audit on. No product module names it.

pub mod attack;
pub mod experiment;
pub mod poison;
mod sheet;
