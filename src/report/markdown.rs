//! GitHub-flavoured Markdown for the summary of a job. Names come from whoever made the drop: nothing in them may be markup.

use std::fmt::Write;

use super::Report;
use super::rendering::percent;
use super::terminal::printable;

/// Classes shown, those with the most flagged rows first.
const CLASSES: usize = 20;
/// Ids shown.
const EXAMPLES: usize = 10;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let data = &report.data;
    let mut text = format!(
        "## ue-audit: {}\n\n{}\n\nexit {}: {}\n\n",
        report.verdict,
        escape(&report.reason),
        u8::from(report.gate.exit),
        escape(&report.gate.reason)
    );
    let _ = write!(
        text,
        "| rows | scored | unreadable | skipped | flagged | poisoned share (95 %) |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n\
         | {} | {} | {} | {} | {} | {} ({} to {}) |\n\n",
        data.rows,
        data.readable,
        data.unreadable,
        data.skipped,
        report.flagged.len(),
        percent(report.poison_ratio.estimate),
        percent(report.poison_ratio.lo95),
        percent(report.poison_ratio.hi95),
    );
    let mut classes: Vec<_> = report.classes.iter().collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.flagged));
    text += "| class | rows | unreadable | flagged | poisoned share (95 %) | verdict |\n\
             | :--- | ---: | ---: | ---: | ---: | :--- |\n";
    for class in classes.iter().take(CLASSES) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} ({} to {}) | {} |",
            escape(&class.name),
            class.count,
            class.unreadable,
            class.flagged,
            percent(class.ratio.estimate),
            percent(class.ratio.lo95),
            percent(class.ratio.hi95),
            class.verdict
        );
    }
    if classes.len() > CLASSES {
        let _ = write!(text, "\nand {} classes more\n", classes.len() - CLASSES);
    }
    for group in &report.bad_files {
        let _ = write!(
            text,
            "\n{} rows unreadable: {}\n",
            group.rows,
            escape(&group.reason)
        );
    }
    if !report.flagged.is_empty() {
        let ids = report.flagged.iter().take(EXAMPLES);
        let ids: Vec<String> = ids.map(|id| escape(id)).collect();
        let _ = write!(text, "\nFlagged, such as {}\n", ids.join(", "));
    }
    let _ = write!(
        text,
        "\n{} {}, seed {}, data {}\n",
        report.tool.name, report.tool.version, report.settings.seed.0, data.fingerprint
    );
    text
}

/// The text as it is, in one line, whatever Markdown or HTML it holds.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        match c {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            // Mentions notify people.
            '@' => escaped += "&#64;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(escape("a|b\n<b>`c`@d"), "a\\|b\\\\n&lt;b&gt;\\`c\\`&#64;d");
    }
}
