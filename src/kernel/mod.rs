//! Where the program leaves what the compiler can check: the only module with `unsafe` code. Two calls, each behind a
//! function that is safe to call.
#![allow(unsafe_code)]

mod matmul;
mod memory;

pub(crate) use matmul::{Matrix, matmul};
pub use memory::{keep_freed_memory, peak_memory_mib};
