//! Where the program leaves what the compiler can check: the only module with `unsafe` code, each behind a function that is
//! safe to call.
#![allow(unsafe_code)]

mod fill;
mod matmul;
mod memory;
mod panel;
mod tile;
mod vector;

pub(crate) use fill::{filled, map2};
pub(crate) use matmul::{Matrix, matmul};
pub use memory::{keep_freed_memory, peak_memory_mib};
pub(crate) use panel::{Left, NARROW, Panel, Run, WIDTH, multiply_panel, multiply_runs};
pub(crate) use tile::{BLOCK, Gathered, Pair, has_tiles, multiply_tiles, padded};
pub(crate) use vector::vectorised;
