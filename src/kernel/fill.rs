//! New vectors, written once and by all threads: a vector of zeros to be overwritten costs a pass over memory of its own.

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::vectorised;

/// Numbers that a thread writes at a time.
const PART: usize = 1 << 15;

/// A new vector from two equally long ones, element by element.
///
/// # Panics
/// If their lengths differ: a defect in the caller.
pub(crate) fn map2(
    left: &[f32],
    right: &[f32],
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Vec<f32> {
    assert_eq!(left.len(), right.len(), "equally long operands");
    written(left.len(), PART, |index, part| {
        let start = index * PART;
        let sides = left[start..].iter().zip(&right[start..]);
        vectorised(
            #[inline(always)]
            // Owned, lest what `f` holds be read anew after each number that is written.
            move || {
                for (out, (&left, &right)) in part.iter_mut().zip(sides) {
                    out.write(f(left, right));
                }
            },
        );
    })
}

/// A new vector in parts of `part` numbers, the last perhaps shorter; `fill` makes the part of such a number out of arbitrary
/// contents. It works in a buffer that stays in the caches, and only what it leaves there goes to memory.
pub(crate) fn filled(len: usize, part: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    written(len, part, |index, part| {
        // Taken, not borrowed: this thread may come by here again while it waits inside `fill`.
        let mut buffer = BUFFER.take();
        if buffer.len() < part.len() {
            buffer.resize(part.len(), 0.0);
        }
        fill(index, &mut buffer[..part.len()]);
        part.write_copy_of_slice(&buffer[..part.len()]);
        BUFFER.set(buffer);
    })
}

thread_local! {
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A vector of `len` numbers; `write`, told the number of a part, must write all of it.
fn written(
    len: usize,
    part: usize,
    write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    values.spare_capacity_mut()[..len]
        .par_chunks_mut(part.max(1))
        .enumerate()
        .for_each(|(index, part)| write(index, part));
    // SAFETY: the capacity is at least `len`, and the parts, which `write` fills, are all of its first `len` numbers. The
    // callers above write every element of a part: `map2` because both sides reach as far as the vector.
    unsafe { values.set_len(len) };
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_written() {
        for len in [0, 1, PART - 1, PART, 2 * PART + 5] {
            let left: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let expected: Vec<f32> = left.iter().map(|x| x - 0.5 * x).collect();
            assert_eq!(map2(&left, &left, |a, b| a - 0.5 * b), expected);
            let halves = filled(len, 1000, |index, part| {
                for (at, value) in part.iter_mut().enumerate() {
                    *value = 0.5 * (index * 1000 + at) as f32;
                }
            });
            assert_eq!(halves, expected);
        }
    }
}
