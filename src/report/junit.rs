//! JUnit: a test for the gate and one for each class. A test fails where the gate does, never where the policy tolerates
//! what was found; there is no time in it.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::rendering::percent;
use super::{Class, Report};
use crate::decide::Verdict;
use crate::decide::gate::Exit;
use crate::{Error, Result};

/// Ids that a failure names.
const EXAMPLES: usize = 5;

/// The report as JUnit XML.
///
/// # Errors
/// [`Error::Numeric`] if it cannot be written.
pub fn render(report: &Report) -> Result<String> {
    let mut suite = TestSuite::new(report.tool.name.as_str());
    for (name, value) in [
        ("version", report.tool.version.clone()),
        ("seed", report.settings.seed.0.to_string()),
        ("data-fingerprint", report.data.fingerprint.clone()),
        ("verdict", report.verdict.to_string()),
    ] {
        suite.add_property((name.to_owned(), value));
    }
    suite.add_test_case(gate(report));
    for class in &report.classes {
        suite.add_test_case(of_class(report, class));
    }
    let mut document = Document::new(report.tool.name.as_str());
    document.add_test_suite(suite);
    document.to_string().map_err(|error| Error::Numeric {
        stage: "junit",
        problem: error.to_string(),
    })
}

fn gate(report: &Report) -> TestCase {
    let kind = match report.gate.exit {
        Exit::Passed => None,
        Exit::Failed => Some(NonSuccessKind::Failure),
        _ => Some(NonSuccessKind::Error),
    };
    let examples: Vec<&str> = report
        .flagged
        .iter()
        .take(EXAMPLES)
        .map(String::as_str)
        .collect();
    let mut text = format!(
        "{} of {} rows flagged",
        report.flagged.len(),
        report.data.readable
    );
    if !examples.is_empty() {
        text += &format!(", such as {}", examples.join(", "));
    }
    case(
        "UE003 dataset-verdict",
        "gate",
        kind,
        &report.gate.reason,
        &text,
    )
}

fn of_class(report: &Report, class: &Class) -> TestCase {
    let kind = match (class.verdict, report.gate.exit) {
        (Verdict::Poisoned, Exit::Failed) => Some(NonSuccessKind::Failure),
        (Verdict::Inconclusive, Exit::Inconclusive) => Some(NonSuccessKind::Error),
        _ => None,
    };
    let message = format!(
        "{}: {} of {} rows flagged",
        class.verdict, class.flagged, class.count
    );
    let text = format!(
        "{message}; poisoned share {} ({} to {}); {} rows could not be read",
        percent(class.ratio.estimate),
        percent(class.ratio.lo95),
        percent(class.ratio.hi95),
        class.unreadable,
    );
    case(
        "UE002 class-wise-perturbation",
        &class.name,
        kind,
        &message,
        &text,
    )
}

fn case(
    rule: &str,
    name: &str,
    kind: Option<NonSuccessKind>,
    message: &str,
    text: &str,
) -> TestCase {
    let status = match kind {
        None => TestCaseStatus::success(),
        Some(kind) => {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(message).set_description(text);
            status
        }
    };
    let passed = kind.is_none();
    let mut case = TestCase::new(name, status);
    case.set_classname(rule);
    if passed {
        case.set_system_out(text);
    }
    case
}
