//! SARIF 2.1.0 (OASIS), the subset that code scanning reads. The driver lists every rule even when it is silent, so that
//! alerts of an earlier run are closed. Findings are aggregated: one for the drop, one a class, and the first
//! thousand flagged rows; the totals are in the run's properties.

use serde::Serialize;
use serde_json::{Value, json};

use super::rendering::{LISTED, percent};
use super::{Class, Report};
use crate::data::file_of;
use crate::decide::Verdict;
use crate::decide::gate::Exit;
use crate::{Error, Result};

/// Where the schema of the format lies.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One kind of finding.
struct Rule {
    id: &'static str,
    name: &'static str,
    text: &'static str,
    /// As code scanning grades it, 0 to 10.
    severity: &'static str,
}

const SAMPLE: Rule = Rule {
    id: "UE001",
    name: "poisoned-sample",
    text: "A row carries a perturbation that is linked to its class",
    severity: "7.0",
};
const CLASS: Rule = Rule {
    id: "UE002",
    name: "class-wise-perturbation",
    text: "Rows of a class carry a perturbation that is linked to it",
    severity: "8.0",
};
const DROP: Rule = Rule {
    id: "UE003",
    name: "dataset-verdict",
    text: "The drop as a whole is poisoned or suspect",
    severity: "8.0",
};
const INCONCLUSIVE: Rule = Rule {
    id: "UE901",
    name: "inconclusive",
    text: "The drop could not be judged",
    severity: "4.0",
};
const RULES: [Rule; 4] = [SAMPLE, CLASS, DROP, INCONCLUSIVE];
/// Unreadable files are no findings but events of the run.
const UNREADABLE: &str = "UE101";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Value,
    locations: Vec<Value>,
    partial_fingerprints: Value,
}

/// The report as SARIF.
///
/// # Errors
/// [`Error::Numeric`] if it cannot be serialised.
pub fn render(report: &Report) -> Result<String> {
    let results: Vec<Finding> = drop(report)
        .into_iter()
        .chain(
            report
                .classes
                .iter()
                .filter_map(|class| of_class(report, class)),
        )
        .chain(
            report
                .flagged
                .iter()
                .take(LISTED)
                .map(|id| sample(report, id)),
        )
        .collect();
    let rules = RULES.map(|rule| {
        json!({
            "id": rule.id,
            "name": rule.name,
            "shortDescription": { "text": rule.text },
            "properties": { "security-severity": rule.severity, "tags": ["data", "security"] },
        })
    });
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": report.tool.name,
                "semanticVersion": report.tool.version,
                "rules": rules,
                "notifications": [{
                    "id": UNREADABLE,
                    "name": "unreadable",
                    "shortDescription": { "text": "A row could not be read and was not judged" },
                }],
            }},
            "invocations": [{
                "executionSuccessful": !matches!(report.gate.exit, Exit::Incomplete | Exit::Inconclusive),
                "exitCode": u8::from(report.gate.exit),
                "exitCodeDescription": report.gate.reason,
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
            "columnKind": "unicodeCodePoints",
            "properties": {
                "verdict": report.verdict.to_string(),
                "seed": report.settings.seed,
                "dataFingerprint": report.data.fingerprint,
                "rows": report.data.rows,
                "unreadable": report.data.unreadable,
                "flagged": report.flagged.len(),
                "flaggedListed": report.flagged.len().min(LISTED),
            },
        }],
    });
    let text = serde_json::to_string_pretty(&document).map_err(|error| Error::Numeric {
        stage: "sarif",
        problem: error.to_string(),
    })?;
    Ok(text + "\n")
}

fn drop(report: &Report) -> Option<Finding> {
    let (rule, level) = match report.verdict {
        Verdict::Clean => return None,
        Verdict::Suspect => (&DROP, "warning"),
        Verdict::Poisoned => (&DROP, "error"),
        Verdict::Inconclusive => (&INCONCLUSIVE, "warning"),
    };
    let location = json!({ "logicalLocations": [{ "fullyQualifiedName": report.data.format, "kind": "module" }] });
    Some(finding(
        rule,
        level,
        report.reason.clone(),
        location,
        "drop",
    ))
}

fn of_class(report: &Report, class: &Class) -> Option<Finding> {
    let level = match class.verdict {
        Verdict::Poisoned => "error",
        Verdict::Suspect => "warning",
        Verdict::Clean | Verdict::Inconclusive => return None,
    };
    let text = format!(
        "{} of {} rows of class {} are flagged; poisoned share {} ({} to {})",
        class.flagged,
        class.count,
        class.name,
        percent(class.ratio.estimate),
        percent(class.ratio.lo95),
        percent(class.ratio.hi95),
    );
    let name = format!("{}/{}", report.data.format, class.name);
    let location = json!({ "logicalLocations": [{ "fullyQualifiedName": name, "name": class.name, "kind": "type" }] });
    Some(finding(&CLASS, level, text, location, &class.name))
}

fn sample(report: &Report, id: &str) -> Finding {
    let text = format!("{id} carries a perturbation that is linked to its class");
    finding(&SAMPLE, "error", text, place(report, id), id)
}

fn finding(rule: &Rule, level: &'static str, text: String, location: Value, key: &str) -> Finding {
    let key = blake3::hash(format!("{}\n{key}", rule.id).as_bytes());
    Finding {
        rule_id: rule.id,
        rule_index: RULES
            .iter()
            .position(|other| other.id == rule.id)
            .unwrap_or(0),
        level,
        message: json!({ "text": text }),
        locations: vec![location],
        partial_fingerprints: json!({ "ueAuditId/v1": key.to_hex().as_str() }),
    }
}

/// The file of a row, and the row itself where it is one of many in a file.
fn place(report: &Report, id: &str) -> Value {
    let file = file_of(&report.data.format, id);
    let mut place = json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(file.unwrap_or(id)), "uriBaseId": "%SRCROOT%" },
        "region": { "startLine": 1 },
    }});
    if file.is_some() {
        place["logicalLocations"] = json!([{ "fullyQualifiedName": id, "kind": "member" }]);
    }
    place
}

fn notifications(report: &Report) -> Vec<Value> {
    let of = |group: &super::BadFileGroup| {
        let places: Vec<Value> = group.examples.iter().map(|id| place(report, id)).collect();
        json!({
            "descriptor": { "id": UNREADABLE },
            "level": "warning",
            "message": { "text": format!("{} rows could not be read: {}", group.rows, group.reason) },
            "locations": places,
        })
    };
    report.bad_files.iter().map(of).collect()
}

/// A relative path as a URI reference: all but unreserved characters and `/` is percent-encoded.
fn uri(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into());
            }
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/c#1?.png"), "a%20b/c%231%3F.png");
        assert_eq!(uri("ü"), "%C3%BC");
    }
}
