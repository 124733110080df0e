//! One page for people: no script, nothing loaded from anywhere, everything escaped.

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use super::rendering::{LISTED, percent};
use super::{Class, Report, ViewSummary};
use crate::decide::Ratio;
use crate::{Error, Result};

/// The page; its name tells the engine to escape what is put into it.
const PAGE: (&str, &str) = ("page.html", include_str!("page.html"));

/// Width of a drawing, SVG units.
const WIDTH: f64 = 400.0;

#[derive(Serialize)]
struct Page<'a> {
    report: &'a Report,
    verdict: String,
    exit: u8,
    ratio: String,
    classes: Vec<Row<'a>>,
    views: Vec<Drawing<'a>>,
    flagged: &'a [String],
    metrics: Vec<(&'static str, String)>,
    unlisted: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    class: &'a Class,
    ratio: String,
    verdict: String,
    /// The bar of the share and its interval, SVG units.
    bar: f64,
    low: f64,
    high: f64,
}

/// Quantiles of a view as a box with whiskers, SVG units.
#[derive(Serialize)]
struct Drawing<'a> {
    name: &'a str,
    min: String,
    median: String,
    max: String,
    /// Where 25 %, 50 %, 75 % and 99 % lie between least and largest.
    at: [f64; 4],
}

/// The report as HTML.
///
/// # Errors
/// [`Error::Numeric`] if the page cannot be composed.
pub fn render(report: &Report) -> Result<String> {
    let listed = report.flagged.len().min(LISTED);
    let page = Page {
        report,
        verdict: report.verdict.to_string(),
        exit: report.gate.exit.into(),
        ratio: interval(&report.poison_ratio),
        classes: report.classes.iter().map(row).collect(),
        views: report.views.iter().map(drawing).collect(),
        flagged: &report.flagged[..listed],
        unlisted: report.flagged.len() - listed,
        metrics: metrics(report),
    };
    let failed = |error: minijinja::Error| Error::Numeric {
        stage: "html",
        problem: format!("{error:#}"),
    };
    let mut environment = Environment::new();
    environment.add_template(PAGE.0, PAGE.1).map_err(failed)?;
    let template = environment.get_template(PAGE.0).map_err(failed)?;
    template.render(Serde(&page)).map_err(failed)
}

fn interval(ratio: &Ratio) -> String {
    let [estimate, low, high] = [ratio.estimate, ratio.lo95, ratio.hi95].map(percent);
    format!("{estimate} ({low} to {high})")
}

fn row(class: &Class) -> Row<'_> {
    let [bar, low, high] =
        [class.ratio.estimate, class.ratio.lo95, class.ratio.hi95].map(|share| 100.0 * share);
    Row {
        class,
        ratio: interval(&class.ratio),
        verdict: class.verdict.to_string(),
        bar,
        low,
        high,
    }
}

fn drawing(view: &ViewSummary) -> Drawing<'_> {
    let range = (view.max - view.min).max(f64::MIN_POSITIVE);
    let at = [view.q25, view.median, view.q75, view.q99];
    let text = |value: f64| format!("{value:.3}");
    Drawing {
        name: &view.name,
        min: text(view.min),
        median: text(view.median),
        max: text(view.max),
        at: at.map(|value| WIDTH * (value - view.min) / range),
    }
}

fn metrics(report: &Report) -> Vec<(&'static str, String)> {
    let Some(metrics) = &report.metrics else {
        return Vec::new();
    };
    let named = metrics.detection.named();
    named
        .map(|(name, value)| {
            (
                name,
                value.map_or("-".into(), |value| format!("{value:.4}")),
            )
        })
        .into()
}
