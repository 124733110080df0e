//! The one-dimensional transforms of F(2, 3) and their adjoints; a tile is transformed along both of its axes.

/// Channels that are transformed together.
pub(super) const LANES: usize = 8;

/// One pixel of [`LANES`] channels.
pub(super) type Lanes = [f32; LANES];

/// Channels `lanes * LANES..` of a pixel.
#[inline(always)]
pub(super) fn read(pixel: &[f32], lanes: usize) -> Lanes {
    let mut values = [0.0; LANES];
    values.copy_from_slice(&pixel[lanes * LANES..][..LANES]);
    values
}

#[inline(always)]
pub(super) fn sum(mut a: Lanes, b: Lanes) -> Lanes {
    for lane in 0..LANES {
        a[lane] += b[lane];
    }
    a
}

#[inline(always)]
fn difference(mut a: Lanes, b: Lanes) -> Lanes {
    for lane in 0..LANES {
        a[lane] -= b[lane];
    }
    a
}

/// `B'`: four inputs to four points.
#[inline(always)]
pub(super) fn input([a, b, c, d]: [Lanes; 4]) -> [Lanes; 4] {
    [
        difference(a, c),
        sum(b, c),
        difference(c, b),
        difference(b, d),
    ]
}

/// `A'`: four points to two outputs.
#[inline(always)]
pub(super) fn output([a, b, c, d]: [Lanes; 4]) -> [Lanes; 2] {
    [sum(sum(a, b), c), difference(difference(b, c), d)]
}

/// `A`: the gradients of two outputs to four points.
#[inline(always)]
pub(super) fn output_adjoint([a, b]: [Lanes; 2]) -> [Lanes; 4] {
    [a, sum(a, b), difference(a, b), difference([0.0; LANES], b)]
}

/// `G`: three taps to four points.
pub(super) fn filter([a, b, c]: [f32; 3]) -> [f32; 4] {
    [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c]
}

/// `G'`: four points to the gradients of three taps.
pub(super) fn filter_adjoint([a, b, c, d]: [f32; 4]) -> [f32; 3] {
    [a + 0.5 * (b + c), 0.5 * (b - c), 0.5 * (b + c) + d]
}

/// A tile transformed along both axes. Loops instead of closures over arrays: the latter are not inlined into code for
/// wider vectors.
#[inline(always)]
pub(super) fn both<T: Copy + Default, const N: usize, const R: usize>(
    tile: [[T; N]; N],
    transform: impl Fn([T; N]) -> [T; R],
) -> [[T; R]; R] {
    let mut columns = [[T::default(); N]; R];
    for c in 0..N {
        let mut column = [T::default(); N];
        for r in 0..N {
            column[r] = tile[r][c];
        }
        let column = transform(column);
        for r in 0..R {
            columns[r][c] = column[r];
        }
    }
    let mut rows = [[T::default(); R]; R];
    for r in 0..R {
        rows[r] = transform(columns[r]);
    }
    rows
}
