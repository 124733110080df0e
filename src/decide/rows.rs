//! The decision on each row: flag, q-value, severity and score.

use super::{RowDecision, Severity};

/// Flags the most probable rows, as many as keep the false-discovery rate, of those more likely to carry than not.
pub(super) fn rows(scores: &[f64], posteriors: &[f64], fdr: f64) -> Vec<RowDecision> {
    let q_values = q_values(scores, posteriors);
    let row = |((&score, &p), q_value): ((&f64, &f64), f64)| {
        // The mean leaves room for rows that are all but surely clean: those are not flagged to fill it.
        let flagged = q_value <= fdr && p > 0.5;
        RowDecision {
            flagged,
            poison_score: poison_score(score, p, flagged),
            q_value,
            severity: match p {
                _ if !flagged => Severity::None,
                _ if p > 0.99 => Severity::High,
                _ if p > 0.9 => Severity::Medium,
                _ => Severity::Low,
            },
        }
    };
    scores
        .iter()
        .zip(posteriors)
        .zip(q_values)
        .map(row)
        .collect()
}

/// Above 0.5 where the row is flagged. Half of it is the posterior, which saturates; the other half is the score, which
/// keeps the order of rows that are all but certain.
pub(super) fn poison_score(score: f64, posterior: f64, flagged: bool) -> f64 {
    let rank = 0.5 + score / (1.0 + score.abs()) / 2.0;
    f64::from(flagged) / 2.0 + (posterior + rank) / 4.0
}

/// Expected share of clean rows among a row and all rows at least as probable (Efron's tail-area false-discovery rate).
fn q_values(scores: &[f64], posteriors: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| {
        posteriors[b]
            .total_cmp(&posteriors[a])
            .then(scores[b].total_cmp(&scores[a]))
    });
    let mut q_values = vec![1.0; scores.len()];
    let mut clean = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        clean += 1.0 - posteriors[i];
        q_values[i] = clean / (rank + 1) as f64;
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_the_mean_doubt_of_the_rows_above() {
        let q = q_values(&[5.0, 9.0, 0.0], &[0.8, 1.0, 0.1]);
        let expected = [0.2 / 2.0, 0.0, 1.1 / 3.0];
        assert!(
            q.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
            "{q:?}"
        );
    }

    #[test]
    fn flagged_rows_score_above_all_others_and_within_bounds() {
        let scores = [30.0, 12.0, 3.0, 1.0, -8.0];
        let decided = rows(&scores, &[1.0, 1.0, 0.95, 0.2, 0.0], 0.02);
        let flags: Vec<bool> = decided.iter().map(|row| row.flagged).collect();
        assert_eq!(flags, [true, true, true, false, false]);
        assert!(
            decided
                .windows(2)
                .all(|w| w[0].poison_score > w[1].poison_score)
        );
        assert!(
            decided
                .iter()
                .all(|row| (row.poison_score > 0.5) == row.flagged)
        );
        assert!(
            decided
                .iter()
                .all(|row| (0.0..=1.0).contains(&row.poison_score))
        );
        assert_eq!(decided[2].severity, Severity::Medium);
    }
}
