//! Shares and their intervals.

use statrs::distribution::{Beta, ContinuousCDF};

use super::Ratio;

/// Rows of a larger probability are likely to carry.
const LIKELY: f64 = 0.9;

/// The 95 % interval of Clopper and Pearson (1934) of a share of which `hits` of `rows` were seen.
pub(super) fn interval(hits: usize, rows: usize) -> (f64, f64) {
    let quantile =
        |a: f64, b: f64, level| Beta::new(a, b).map_or(f64::NAN, |law| law.inverse_cdf(level));
    let (hits, misses) = (hits as f64, rows.saturating_sub(hits) as f64);
    let low = if hits == 0.0 {
        0.0
    } else {
        quantile(hits, misses + 1.0, 0.025)
    };
    let high = if misses == 0.0 {
        1.0
    } else {
        quantile(hits + 1.0, misses, 0.975)
    };
    (low, high)
}

/// Share of carrying rows among `members`: the rows that are likely at least, those that are `possible` at most.
pub(super) fn ratio(posteriors: &[f64], possible: &[bool], members: &[usize]) -> Ratio {
    let likely = members.iter().filter(|&&i| posteriors[i] > LIKELY).count();
    let possible = members.iter().filter(|&&i| possible[i]).count();
    let expected: f64 = members.iter().map(|&i| posteriors[i]).sum();
    Ratio {
        estimate: expected / members.len().max(1) as f64,
        lo95: interval(likely, members.len()).0,
        hi95: interval(possible, members.len()).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_published_values() {
        // 10 of 100: the textbook interval 4.90 % to 17.62 %.
        let (low, high) = interval(10, 100);
        assert!(
            (low - 0.0490).abs() < 1e-4 && (high - 0.1762).abs() < 1e-4,
            "{low} {high}"
        );
    }

    #[test]
    fn none_and_all_reach_the_ends() {
        assert_eq!(interval(0, 50).0, 0.0);
        assert_eq!(interval(50, 50).1, 1.0);
        assert_eq!(interval(0, 0), (0.0, 1.0));
    }
}
