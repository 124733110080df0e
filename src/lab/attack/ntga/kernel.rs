//! The neural tangent kernel of an infinitely wide network of dense layers, each followed by the error function.
//!
//! Both kernels of a pair of inputs depend on three numbers alone: their product and their two squares, each a mean over
//! the features. So an entry is a function of three variables, and its derivatives come with it.

use std::f64::consts::{FRAC_2_PI, PI};

use serde_json::{Value, json};

/// Dense layers, each with an error function behind it; no linear read-out follows.
const LAYERS: usize = 5;
/// Variance of the weights, times the fan-in.
const WEIGHT_VARIANCE: f64 = 1.76;
/// Variance of the biases.
const BIAS_VARIANCE: f64 = 0.18;

/// What it is the kernel of, for people.
pub(super) fn describe() -> Value {
    json!({
        "layers": format!("{LAYERS} of dense and error function"),
        "weight_variance": WEIGHT_VARIANCE,
        "bias_variance": BIAS_VARIANCE,
    })
}

/// A value and its derivatives in the product, the first and the second square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Jet {
    pub(super) value: f64,
    pub(super) slope: [f64; 3],
}

impl Jet {
    fn variable(value: f64, which: usize) -> Self {
        let mut slope = [0.0; 3];
        slope[which] = 1.0;
        Self { value, slope }
    }

    /// `f(self)`, where the derivative of `f` here is `rate`.
    fn map(self, value: f64, rate: f64) -> Self {
        let slope = self.slope.map(|s| s * rate);
        Self { value, slope }
    }

    /// `f(self, other)`, where its partial derivatives here are `rates`.
    fn join(self, other: Self, value: f64, rates: [f64; 2]) -> Self {
        let mut slope = [0.0; 3];
        for (slope, (a, b)) in slope.iter_mut().zip(self.slope.iter().zip(other.slope)) {
            *slope = rates[0] * a + rates[1] * b;
        }
        Self { value, slope }
    }

    fn plus(self, other: Self) -> Self {
        self.join(other, self.value + other.value, [1.0, 1.0])
    }

    fn times(self, other: Self) -> Self {
        self.join(other, self.value * other.value, [other.value, self.value])
    }

    /// What a dense layer makes of a covariance.
    fn dense(self) -> Self {
        let value = WEIGHT_VARIANCE * self.value + BIAS_VARIANCE;
        self.map(value, WEIGHT_VARIANCE)
    }

    fn scaled(self, factor: f64) -> Self {
        self.map(factor * self.value, factor)
    }
}

/// The tangent kernel of two inputs with mean `product` and mean squares `first` and `second`.
pub(super) fn tangent(product: f64, first: f64, second: f64) -> Jet {
    let mut cross = Jet::variable(product, 0);
    let mut squares = [Jet::variable(first, 1), Jet::variable(second, 2)];
    let mut tangent = cross.scaled(0.0);
    for _ in 0..LAYERS {
        cross = cross.dense();
        squares = squares.map(Jet::dense);
        tangent = cross.plus(tangent.scaled(WEIGHT_VARIANCE));
        // (1 + 2a)(1 + 2b), the common scale of both erf formulas.
        let [a, b] = squares.map(|s| s.map(1.0 + 2.0 * s.value, 2.0));
        let scale = a.times(b);
        let square = cross.times(cross).scaled(-4.0);
        let rest = scale.plus(square);
        let slope = rest.map(
            2.0 * FRAC_2_PI / rest.value.sqrt(),
            -FRAC_2_PI * rest.value.powf(-1.5),
        );
        cross = arcsine(cross.scaled(2.0), scale);
        squares = squares.map(|s| {
            arcsine(
                s.scaled(2.0),
                s.map(
                    (1.0 + 2.0 * s.value) * (1.0 + 2.0 * s.value),
                    4.0 * (1.0 + 2.0 * s.value),
                ),
            )
        });
        tangent = tangent.times(slope);
    }
    tangent
}

/// `2/pi asin(x / sqrt(scale))`: the covariance behind the error function.
fn arcsine(x: Jet, scale: Jet) -> Jet {
    let root = scale.value.sqrt();
    let sine = x.value / root;
    let rate = FRAC_2_PI / (1.0 - sine * sine).sqrt();
    let rates = [rate / root, -rate * sine / (2.0 * scale.value)];
    x.join(scale, 2.0 / PI * sine.asin(), rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursions of Lee et al. (2019) and Williams (1996) for numbers, without derivatives.
    fn plain(product: f64, first: f64, second: f64) -> f64 {
        let (mut k, mut a, mut b, mut t) = (product, first, second, 0.0);
        for _ in 0..LAYERS {
            let dense = |k: f64| 1.76 * k + 0.18;
            (k, a, b) = (dense(k), dense(a), dense(b));
            t = k + 1.76 * t;
            t *= 4.0 / PI / ((1.0 + 2.0 * a) * (1.0 + 2.0 * b) - 4.0 * k * k).sqrt();
            k = 2.0 / PI * (2.0 * k / ((1.0 + 2.0 * a) * (1.0 + 2.0 * b)).sqrt()).asin();
            a = 2.0 / PI * (2.0 * a / (1.0 + 2.0 * a)).asin();
            b = 2.0 / PI * (2.0 * b / (1.0 + 2.0 * b)).asin();
        }
        t
    }

    #[test]
    fn values_and_slopes_agree_with_the_plain_recursion() {
        for [p, a, b] in [
            [0.2, 0.3, 0.4],
            [0.0, 0.0, 0.0],
            [0.3, 0.3, 0.3],
            [0.05, 0.5, 0.1],
        ] {
            let jet = tangent(p, a, b);
            assert!((jet.value - plain(p, a, b)).abs() < 1e-12);
            let h = 1e-6;
            let numeric = [
                (plain(p + h, a, b) - plain(p - h, a, b)) / (2.0 * h),
                (plain(p, a + h, b) - plain(p, a - h, b)) / (2.0 * h),
                (plain(p, a, b + h) - plain(p, a, b - h)) / (2.0 * h),
            ];
            for (exact, numeric) in jet.slope.iter().zip(numeric) {
                assert!((exact - numeric).abs() < 1e-6, "{jet:?} {numeric:?}");
            }
        }
    }

    /// The mean of `f(u) f(v)` over a normal pair of variances `a`, `b` and covariance `k`, by the trapezoid rule.
    fn mean_product(k: f64, a: f64, b: f64, f: impl Fn(f64) -> f64) -> f64 {
        let (steps, reach) = (400, 8.0);
        let width = 2.0 * reach / f64::from(steps);
        let rest = (b - k * k / a).sqrt();
        let mut sum = 0.0;
        for i in 0..=steps {
            for j in 0..=steps {
                let (x, y) = (f64::from(i) * width - reach, f64::from(j) * width - reach);
                let (u, v) = (a.sqrt() * x, k / a.sqrt() * x + rest * y);
                sum += f(u) * f(v) * (-(x * x + y * y) / 2.0).exp();
            }
        }
        sum * width * width / (2.0 * PI)
    }

    #[test]
    fn one_layer_is_the_mean_over_random_networks() {
        let erf = statrs::function::erf::erf;
        let slope = |u: f64| 2.0 / PI.sqrt() * (-u * u).exp();
        for [k, a, b] in [[0.3, 0.9, 0.5], [-0.4, 0.6, 1.1], [0.0, 0.2, 0.2]] {
            let cross = Jet::variable(k, 0);
            let (first, second) = (1.0 + 2.0 * a, 1.0 + 2.0 * b);
            let scale = Jet::variable(first * second, 1);
            let covariance = arcsine(cross.scaled(2.0), scale);
            assert!((covariance.value - mean_product(k, a, b, erf)).abs() < 1e-9);
            // Price's theorem: its slope in the covariance is the mean product of the derivatives.
            assert!((covariance.slope[0] - mean_product(k, a, b, slope)).abs() < 1e-9);
        }
    }
}
