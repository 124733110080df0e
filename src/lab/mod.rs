//! The research side: what makes poison, to show and to test an audit on, what else defends against it, and why it works.
//! No product module names it.

pub mod attack;
pub mod defense;
pub mod detector;
pub mod experiment;
pub mod planting;
pub mod poison;
pub mod rival;
pub mod selftest;
mod sheet;
pub mod theory;
