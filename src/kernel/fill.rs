//! New vectors, written once and by all threads: a vector of zeros to be overwritten costs a pass over memory of its own.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Numbers that a thread writes at a time.
const PART: usize = 1 << 15;

/// So many zeros.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    written(len, |_, part| part.fill(MaybeUninit::new(0.0)))
}

/// A new vector from two equally long ones, element by element.
///
/// # Panics
/// If their lengths differ: a defect in the caller.
pub(crate) fn map2(left: &[f32], right: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    assert_eq!(left.len(), right.len(), "equally long operands");
    written(left.len(), |start, part| {
        let sides = left[start..].iter().zip(&right[start..]);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (out, (&left, &right)) in part.iter_mut().zip(sides) {
                    out.write(f(left, right));
                }
            },
        );
    })
}

/// A vector of `len` numbers; `write`, told where a part starts, must write all of it.
fn written(len: usize, write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    values.spare_capacity_mut()[..len]
        .par_chunks_mut(PART)
        .enumerate()
        .for_each(|(index, part)| write(index * PART, part));
    // SAFETY: the capacity is at least `len`, and the parts, which `write` fills, are all of its first `len` numbers: both
    // callers above write every element of a part, `map2` because both sides reach as far as the vector.
    unsafe { values.set_len(len) };
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_written() {
        for len in [0, 1, PART - 1, PART, 2 * PART + 5] {
            assert_eq!(zeros(len), vec![0.0; len]);
            let left: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let expected: Vec<f32> = left.iter().map(|x| x - 0.5 * x).collect();
            assert_eq!(map2(&left, &left, |a, b| a - 0.5 * b), expected);
        }
    }
}
