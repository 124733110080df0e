//! SCORE: one number a row from each view of the evidence. Detectors return numbers; they never judge or print.

/// One view of the evidence over the readable rows, in block order.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Short name, as in `samples.csv`.
    pub name: &'static str,
    /// One value a readable row; higher is more suspicious.
    pub scores: Vec<f64>,
}

/// Everything that was measured on the readable rows, in block order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Evidence {
    /// The views that the decision may use.
    pub views: Vec<View>,
    /// l2 norm of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_l2: Vec<f64>,
    /// Largest absolute value of the disentangled perturbation, in [0, 1] pixel units.
    pub perturbation_linf: Vec<f64>,
}
