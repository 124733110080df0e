//! Table 6 of the D-VAE paper: what each defense is worth over all attacks, from the cells of table 2.

use super::{CLEAN, markdown, mean, number};

/// What is said of a defense beside its accuracies.
pub(super) struct Trait {
    pub(super) defense: &'static str,
    /// What it acts on.
    pub(super) acts_on: &'static str,
    /// Whether it needs clean data of the kind.
    pub(super) needs_clean_data: bool,
}

/// A line for each defense; `accuracy` is that after an attack, in %.
pub(super) fn summary(
    defenses: &[Trait],
    attacks: &[String],
    accuracy: &dyn Fn(&str, &str) -> Option<f64>,
) -> String {
    let head = [
        "defense",
        "acts on",
        "needs clean data",
        "clean rows",
        "mean of the attacks",
        "below clean rows without a defense",
        "worst attack",
    ];
    let line = |of: &Trait| {
        let each: Vec<_> = attacks
            .iter()
            .map(|name| accuracy(name, of.defense))
            .collect();
        let mean = mean(each.iter().copied());
        let drop = accuracy(CLEAN, "none")
            .zip(mean)
            .map(|(clean, mean)| clean - mean);
        let known = attacks
            .iter()
            .zip(&each)
            .filter_map(|(name, &each)| Some((each?, name)));
        let worst = known.min_by(|(a, _), (b, _)| a.total_cmp(b));
        let worst = worst.filter(|_| mean.is_some());
        let worst = worst.map_or("-".into(), |(each, name)| format!("{each:.2} ({name})"));
        vec![
            of.defense.into(),
            of.acts_on.into(),
            if of.needs_clean_data { "yes" } else { "no" }.into(),
            number(accuracy(CLEAN, of.defense), 2),
            number(mean, 2),
            number(drop, 2),
            worst,
        ]
    };
    let rows: Vec<_> = defenses.iter().map(line).collect();
    markdown(&head.map(String::from), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drop_is_from_clean_rows_to_the_mean_of_all_attacks() {
        let defense = |defense| Trait {
            defense,
            acts_on: "pictures",
            needs_clean_data: false,
        };
        let attacks = ["em", "lsp"].map(String::from);
        let accuracy = |attack: &str, defense: &str| match (attack, defense) {
            (CLEAN, _) => Some(90.0),
            ("em", "jpeg") => Some(80.0),
            ("lsp", "jpeg") => Some(70.0),
            ("em", _) => Some(20.0),
            _ => None,
        };
        let table = summary(&[defense("jpeg"), defense("dvae")], &attacks, &accuracy);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| jpeg | pictures | no | 90.00 | 75.00 | 15.00 | 70.00 (lsp) |",
                "| dvae | pictures | no | 90.00 | - | - | - |",
            ]
        );
    }
}
