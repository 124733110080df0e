//! The one-dimensional transforms of F(4, 3) and their adjoints; a tile is transformed along both of its axes.
//!
//! Outputs and taps are coefficients of polynomials, whose product is found from its values at six points: 0, ±3/4, ±3/2 and
//! infinity. These lose far fewer digits than the usual 0, ±1, ±2 (see Barabasz et al., "Error Analysis and Improving the
//! Accuracy of Winograd Convolution", 2020), and the constants for images are exact in binary.

use pulp::Simd;

/// Outputs of a tile along an axis.
pub(super) const STEP: usize = 4;
/// Points, and inputs of a tile, along an axis.
pub(super) const SIDE: usize = 6;
/// Taps of a filter along an axis.
pub(super) const TAPS: usize = 3;

/// The points ±`NEAR` and ±`FAR`.
const NEAR: f32 = 0.75;
const FAR: f32 = 1.5;
const NEAR_2: f32 = NEAR * NEAR;
const FAR_2: f32 = FAR * FAR;

/// What the filter's value at a finite point is divided by: the product of the distances to the other finite points.
const AT_ZERO: f32 = 1.0 / (NEAR_2 * FAR_2);
const AT_NEAR: f32 = 1.0 / (2.0 * NEAR_2 * (NEAR_2 - FAR_2));
const AT_FAR: f32 = 1.0 / (2.0 * FAR_2 * (FAR_2 - NEAR_2));

/// A linear map of `N` vectors to `R`.
pub(super) trait Transform<const N: usize, const R: usize>: Copy {
    fn apply<S: Simd>(self, simd: S, values: [S::f32s; N]) -> [S::f32s; R];
}

/// `B'`: inputs to points.
#[derive(Clone, Copy)]
pub(super) struct Input;
/// `A'`: points to outputs.
#[derive(Clone, Copy)]
pub(super) struct Output;
/// `A`: the gradients of outputs to points.
#[derive(Clone, Copy)]
pub(super) struct OutputAdjoint;
/// `G`: taps to points.
#[derive(Clone, Copy)]
pub(super) struct Filter;
/// `G'`: points to the gradients of taps.
#[derive(Clone, Copy)]
pub(super) struct FilterAdjoint;

/// `a + b * factor`
#[inline(always)]
fn plus<S: Simd>(simd: S, a: S::f32s, b: S::f32s, factor: f32) -> S::f32s {
    simd.mul_add_e_f32s(b, simd.splat_f32s(factor), a)
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, a: S::f32s, factor: f32) -> S::f32s {
    simd.mul_f32s(a, simd.splat_f32s(factor))
}

/// `even + odd * factor` and `even - odd * factor`: values at a point and at its opposite.
#[inline(always)]
fn opposite<S: Simd>(simd: S, even: S::f32s, odd: S::f32s, factor: f32) -> [S::f32s; 2] {
    [
        plus(simd, even, odd, factor),
        plus(simd, even, odd, -factor),
    ]
}

impl Transform<SIDE, SIDE> for Input {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [a, b, c, d, e, f]: [S::f32s; SIDE]) -> [S::f32s; SIDE] {
        let at = |point: f32, other_2: f32| {
            let (even, odd) = (plus(simd, e, c, -other_2), plus(simd, d, b, -other_2));
            opposite(simd, even, odd, point)
        };
        let ([near, minus_near], [far, minus_far]) = (at(NEAR, FAR_2), at(FAR, NEAR_2));
        let ends = |low, middle, high| {
            let rest = plus(simd, high, middle, -(NEAR_2 + FAR_2));
            plus(simd, rest, low, NEAR_2 * FAR_2)
        };
        [
            ends(a, c, e),
            near,
            minus_near,
            far,
            minus_far,
            ends(b, d, f),
        ]
    }
}

impl Transform<SIDE, STEP> for Output {
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        [zero, near, minus_near, far, minus_far, infinity]: [S::f32s; SIDE],
    ) -> [S::f32s; STEP] {
        let parts = |plus, minus| (simd.add_f32s(plus, minus), simd.sub_f32s(plus, minus));
        let ((even_near, odd_near), (even_far, odd_far)) =
            (parts(near, minus_near), parts(far, minus_far));
        let third = plus(simd, infinity, odd_near, NEAR * NEAR_2);
        [
            simd.add_f32s(zero, simd.add_f32s(even_near, even_far)),
            plus(simd, scaled(simd, odd_near, NEAR), odd_far, FAR),
            plus(simd, scaled(simd, even_near, NEAR_2), even_far, FAR_2),
            plus(simd, third, odd_far, FAR * FAR_2),
        ]
    }
}

impl Transform<STEP, SIDE> for OutputAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [a, b, c, d]: [S::f32s; STEP]) -> [S::f32s; SIDE] {
        let at = |point: f32| {
            let square = point * point;
            let (even, odd) = (plus(simd, a, c, square), plus(simd, b, d, square));
            opposite(simd, even, odd, point)
        };
        let ([near, minus_near], [far, minus_far]) = (at(NEAR), at(FAR));
        [a, near, minus_near, far, minus_far, d]
    }
}

impl Transform<TAPS, SIDE> for Filter {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [a, b, c]: [S::f32s; TAPS]) -> [S::f32s; SIDE] {
        let at = |point: f32, factor: f32| {
            let even = scaled(simd, plus(simd, a, c, point * point), factor);
            opposite(simd, even, b, point * factor)
        };
        let ([near, minus_near], [far, minus_far]) = (at(NEAR, AT_NEAR), at(FAR, AT_FAR));
        [
            scaled(simd, a, AT_ZERO),
            near,
            minus_near,
            far,
            minus_far,
            c,
        ]
    }
}

impl Transform<SIDE, TAPS> for FilterAdjoint {
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        [zero, near, minus_near, far, minus_far, infinity]: [S::f32s; SIDE],
    ) -> [S::f32s; TAPS] {
        let parts = |plus, minus, factor| {
            let (even, odd) = (simd.add_f32s(plus, minus), simd.sub_f32s(plus, minus));
            (scaled(simd, even, factor), scaled(simd, odd, factor))
        };
        let (even_near, odd_near) = parts(near, minus_near, AT_NEAR);
        let (even_far, odd_far) = parts(far, minus_far, AT_FAR);
        let second = plus(simd, infinity, even_near, NEAR_2);
        [
            plus(simd, simd.add_f32s(even_near, even_far), zero, AT_ZERO),
            plus(simd, scaled(simd, odd_near, NEAR), odd_far, FAR),
            plus(simd, second, even_far, FAR_2),
        ]
    }
}

/// A tile transformed along both axes.
#[inline(always)]
pub(super) fn both<S: Simd, T: Transform<N, R>, const N: usize, const R: usize>(
    simd: S,
    tile: [[S::f32s; N]; N],
    transform: T,
) -> [[S::f32s; R]; R] {
    let zero = simd.splat_f32s(0.0);
    let mut columns = [[zero; N]; R];
    for c in 0..N {
        let mut column = [zero; N];
        for r in 0..N {
            column[r] = tile[r][c];
        }
        let column = transform.apply(simd, column);
        for r in 0..R {
            columns[r][c] = column[r];
        }
    }
    let mut rows = [[zero; R]; R];
    for r in 0..R {
        rows[r] = transform.apply(simd, columns[r]);
    }
    rows
}

/// The first numbers of a slice, as many as a vector has; zeros where it is shorter.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    match S::as_simd_f32s(from).0.first() {
        Some(full) => *full,
        None => simd.partial_load_f32s(from),
    }
}

/// Writes a vector to the front of a slice, or what fits.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, to: &mut [f32], values: S::f32s) {
    match S::as_mut_simd_f32s(to).0.first_mut() {
        Some(full) => *full = values,
        None => simd.partial_store_f32s(to, values),
    }
}
