//! Loops for the vectors that a processor has, beyond those that every processor of its kind has.

/// Runs `work` compiled for the vectors that this processor has. Only the width of the vectors differs: the operations on
/// each number stay the same, and so do the results. `work` should own what it reads (`move`): what it only borrows may change
/// behind every number that it writes, for all that the compiler knows, and no vectors come of that.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
