//! The speed that no step of training can pass: a matrix product whose operands stay in the nearest caches.

use crate::kernel::{Matrix, matmul};
use std::hint::black_box;
use std::time::Instant;

/// Sides of the product: together 0.2 MB, of which a panel at a time is read again and again.
const ROWS: usize = 192;
const DEPTH: usize = 192;
const WIDTH: usize = 64;
/// Products in one timing, some milliseconds.
const REPEATS: usize = 64;
const TIMINGS: usize = 25;

/// Floating-point operations per second of `f32` products on all threads of the current rayon pool, the best of several
/// timings: what this machine gives while nothing else runs.
pub fn peak_flops() -> f64 {
    let work = (2 * ROWS * DEPTH * WIDTH * REPEATS * rayon::current_num_threads()) as f64;
    let timing = || {
        let start = Instant::now();
        rayon::broadcast(|_| {
            let (left, right) = (vec![0.5; ROWS * DEPTH], vec![0.5; DEPTH * WIDTH]);
            let mut product = vec![0.0; ROWS * WIDTH];
            for _ in 0..REPEATS {
                let left = Matrix::new(black_box(&left), ROWS, DEPTH);
                let right = Matrix::new(black_box(&right), DEPTH, WIDTH);
                matmul(&mut product, left, right, false);
                black_box(&product);
            }
        });
        work / start.elapsed().as_secs_f64()
    };
    (0..TIMINGS).map(|_| timing()).fold(0.0, f64::max)
}
