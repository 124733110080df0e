//! Products of bf16 matrices with sums in f32, on the tile registers (AMX) of processors that have them: 16 rows of 64 bytes
//! each, and one instruction that multiplies two of them. Anywhere else the same products are made number by number.
//!
//! All operands come in whole [`BLOCK`]s, so that there is one register tile and no rests.

use half::bf16;

/// Rows, columns and depth of the smallest product: two tiles by two tiles, in one of their steps.
pub(crate) const BLOCK: usize = 32;
/// Rows of one tile, and columns of one tile of sums.
const TILE: usize = BLOCK / 2;
/// Pairs of numbers in a block of a [`Panel`].
const PAIRS: usize = TILE * BLOCK;

/// `numbers` up to the next whole block.
pub(crate) fn padded(numbers: usize) -> usize {
    numbers.next_multiple_of(BLOCK)
}

/// Two numbers of one column in neighbouring rows, the upper one in the low half.
pub(crate) type Pair = u32;

/// The left side of a product: row `r` of block `b` in depth is the [`BLOCK`] numbers from `starts[b] + r * stride` on.
#[derive(Clone, Copy)]
pub(crate) struct Gathered<'a> {
    pub(crate) data: &'a [bf16],
    pub(crate) stride: usize,
    pub(crate) starts: &'a [usize],
}

/// `out = left * panel`, or `out += left * panel` when accumulating: `rows` (whole blocks) of [`BLOCK`] numbers, one every
/// `stride`. The panel is one block of columns, `[depth / 2, 32]` pairs. Runs on the calling thread.
///
/// # Panics
/// If the shapes do not fit: a defect in the caller.
pub(crate) fn multiply_tiles(
    out: &mut [f32],
    stride: usize,
    rows: usize,
    left: Gathered<'_>,
    panel: &[Pair],
    accumulate: bool,
) {
    assert!(rows.is_multiple_of(BLOCK), "whole blocks of rows");
    assert_eq!(panel.len(), left.starts.len() * PAIRS, "depths agree");
    let (Some(last), Some(&start)) = (rows.checked_sub(1), left.starts.iter().max()) else {
        // A sum of no terms.
        if !accumulate {
            (out.chunks_mut(stride).take(rows)).for_each(|row| row[..BLOCK].fill(0.0));
        }
        return;
    };
    assert!(
        start + last * left.stride + BLOCK <= left.data.len(),
        "the left side is there"
    );
    assert!(stride >= BLOCK, "rows of the result do not overlap");
    assert!(last * stride + BLOCK <= out.len(), "the result has room");
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    if amx::is_granted() {
        // SAFETY: the registers are granted, and the sizes were checked above.
        return unsafe { amx::multiply(out, stride, rows, left, panel, accumulate) };
    }
    portable(out, stride, rows, left, panel, accumulate);
}

/// Whether products of bf16 run on tile registers here.
pub(crate) fn has_tiles() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    return amx::is_granted();
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
    return false;
}

/// The definition: rounding aside, what the tile registers do.
fn portable(
    out: &mut [f32],
    stride: usize,
    rows: usize,
    left: Gathered<'_>,
    panel: &[Pair],
    accumulate: bool,
) {
    for (row, out) in out.chunks_mut(stride).take(rows).enumerate() {
        let mut sums = [0.0f32; BLOCK];
        for (start, panel) in left.starts.iter().zip(panel.chunks_exact(PAIRS)) {
            let left = &left.data[start + row * left.stride..][..BLOCK];
            for (left, pairs) in left.chunks_exact(2).zip(panel.chunks_exact(BLOCK)) {
                let [first, second] = [left[0].to_f32(), left[1].to_f32()];
                for (sum, &pair) in sums.iter_mut().zip(pairs) {
                    let [upper, lower] = [pair << 16, pair & 0xffff_0000].map(f32::from_bits);
                    *sum += first * upper + second * lower;
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if accumulate { *out + sum } else { sum };
        }
    }
}

/// The instructions themselves, which the compiler has no stable names for.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod amx {
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::sync::LazyLock;

    use super::{BLOCK, Gathered, PAIRS, Pair, TILE};

    /// Bits of leaf 7 of the processor's description.
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`: Linux gives the registers to processes that ask.
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;

    /// Whether the processor has the registers and this process may use them; asked once.
    pub(super) fn is_granted() -> bool {
        static GRANTED: LazyLock<bool> = LazyLock::new(|| {
            let wanted = AMX_BF16 | AMX_TILE;
            if __cpuid_count(7, 0).edx & wanted != wanted {
                return false;
            }
            let (ask, tiles) = (ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
            // SAFETY: the call takes two numbers and changes nothing but the permission.
            unsafe { libc::syscall(libc::SYS_arch_prctl, ask, tiles) == 0 }
        });
        *GRANTED
    }

    /// Eight tiles of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Palette([u8; 64]);

    static PALETTE: Palette = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = 64;
            bytes[48 + tile] = TILE as u8;
            tile += 1;
        }
        Palette(bytes)
    };

    /// [`super::multiply_tiles`].
    ///
    /// # Safety
    /// The tiles must be granted, and the operands as long as `multiply_tiles` asks.
    pub(super) unsafe fn multiply(
        out: &mut [f32],
        stride: usize,
        rows: usize,
        left: Gathered<'_>,
        panel: &[Pair],
        accumulate: bool,
    ) {
        // SAFETY: reads 64 bytes that are there. Nothing that the compiler makes touches tiles until they are released.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const PALETTE, options(nostack, readonly)) }
        for row in (0..rows).step_by(BLOCK) {
            let out = out[row * stride..].as_mut_ptr();
            // SAFETY: the block is inside of all operands, as the caller vouches.
            unsafe { block(out, stride, row, left, panel, accumulate) }
        }
        // SAFETY: touches no memory; no context switch has to save the tiles from here on.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }

    /// 32 rows from `row` on.
    ///
    /// # Safety
    /// The tiles must be configured, the operands hold the rows, and the depth not be zero.
    unsafe fn block(
        out: *mut f32,
        stride: usize,
        row: usize,
        left: Gathered<'_>,
        panel: &[Pair],
        accumulate: bool,
    ) {
        // SAFETY: reads and writes exactly the lines that the caller vouches for; 64 bytes are a line of a tile, and the second of
        // two tiles side by side begins 64 bytes after the first.
        unsafe {
            asm!(
                "test {keep:e}, {keep:e}",
                "jnz 2f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 3f",
                "2:",
                "tileloadd tmm0, [{upper} + {across}]",
                "tileloadd tmm1, [{upper} + {across} + 64]",
                "tileloadd tmm2, [{lower} + {across}]",
                "tileloadd tmm3, [{lower} + {across} + 64]",
                "3:",
                "mov {start}, [{starts}]",
                "lea {at}, [{top} + 2 * {start}]",
                "tileloadd tmm4, [{at} + {down}]",
                "tileloadd tmm6, [{panel} + {pairs}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{panel} + {pairs} + 64]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "lea {at}, [{bottom} + 2 * {start}]",
                "tileloadd tmm5, [{at} + {down}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {starts}, 8",
                "add {panel}, {block}",
                "cmp {starts}, {end}",
                "jne 3b",
                "tilestored [{upper} + {across}], tmm0",
                "tilestored [{upper} + {across} + 64], tmm1",
                "tilestored [{lower} + {across}], tmm2",
                "tilestored [{lower} + {across} + 64], tmm3",
                keep = in(reg) u32::from(accumulate),
                upper = in(reg) out,
                lower = in(reg) out.add(TILE * stride),
                across = in(reg) 4 * stride,
                top = in(reg) left.data.as_ptr().add(row * left.stride),
                bottom = in(reg) left.data.as_ptr().add((row + TILE) * left.stride),
                down = in(reg) 2 * left.stride,
                starts = inout(reg) left.starts.as_ptr() => _,
                end = in(reg) left.starts.as_ptr_range().end,
                panel = inout(reg) panel.as_ptr() => _,
                pairs = in(reg) 4 * BLOCK,
                block = const 4 * PAIRS,
                start = out(reg) _,
                at = out(reg) _,
                options(nostack),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// One block of rows and several, one step of depth and several in any order, rows that overlap and rows far apart.
    #[test]
    fn agrees_with_the_definition() {
        for (rows, starts, stride) in [
            (32, vec![0], 32),
            (96, vec![64, 0, 17], 32),
            (64, vec![5, 70], 200),
        ] {
            let len = starts.iter().max().unwrap() + rows * stride + BLOCK;
            let data: Vec<bf16> = (0..len)
                .map(|i| bf16::from_f32((i as f32 * 0.37).sin()))
                .collect();
            let right: Vec<bf16> = (0..2 * PAIRS * starts.len())
                .map(|i| bf16::from_f32((i as f32 * 0.61).cos()))
                .collect();
            let pair =
                |two: &[bf16]| Pair::from(two[0].to_bits()) | Pair::from(two[1].to_bits()) << 16;
            let panel: Vec<Pair> = right.chunks_exact(2).map(pair).collect();
            let left = Gathered {
                data: &data,
                stride,
                starts: &starts,
            };
            let expected = |r: usize, c: usize| -> f64 {
                let term = |k: usize| {
                    let left = data[starts[k / BLOCK] + r * stride + k % BLOCK];
                    let right = right[k / 2 * 2 * BLOCK + 2 * c + k % 2];
                    left.to_f64() * right.to_f64()
                };
                (0..BLOCK * starts.len()).map(term).sum()
            };
            let wide = BLOCK + 3;
            for run in [multiply_tiles, portable] {
                let mut actual = vec![7.0; rows * wide];
                run(&mut actual, wide, rows, left, &panel, false);
                run(&mut actual, wide, rows, left, &panel, true);
                for (at, actual) in actual.iter().enumerate() {
                    let (r, c) = (at / wide, at % wide);
                    let expected = if c < BLOCK { 2.0 * expected(r, c) } else { 7.0 };
                    let error = (f64::from(*actual) - expected).abs();
                    assert!(error < 1e-4, "{rows} rows, {starts:?}: {actual} {expected}");
                }
            }
        }
    }
}
