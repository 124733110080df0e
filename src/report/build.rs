//! From what was read, measured and decided to one [`Report`].

use std::collections::BTreeMap;

use super::{
    BadFileGroup, Class, ClassMetrics, Data, Report, SCHEMA, Timing, Tool, TruthMetrics, ViewAuc,
    ViewSummary, folder,
};
use crate::data::{Dataset, Defect, Status};
use crate::decide::gate::{Exit, Unread, gate};
use crate::decide::{ClassDecision, Decision, Verdict};
use crate::detect::Evidence;
use crate::stats::{auc, quantiles};
use crate::{Error, Result, Settings};

/// How many ids each group of bad files names.
const EXAMPLES: usize = 5;

impl Report {
    /// Composes the report. `truth` holds one entry for each row of the drop, readable or not.
    ///
    /// # Errors
    /// [`Error::Numeric`] if a measurement is not a finite number: such a result must not be written as if it were one.
    ///
    /// # Panics
    /// If `evidence`, `decision` or `truth` have another number of rows than `dataset`: a defect in the caller.
    pub fn new(
        dataset: &Dataset,
        evidence: &Evidence,
        decision: &Decision,
        settings: &Settings,
        truth: Option<&[bool]>,
    ) -> Result<Self> {
        let views = all_views(evidence);
        if let Some((name, _)) = views.iter().find(|(_, s)| s.iter().any(|v| !v.is_finite())) {
            return Err(Error::Numeric {
                stage: "report",
                problem: format!("{name} is not finite on some row"),
            });
        }
        let data = data(dataset);
        // Rows left out on purpose were never looked at: they must not thin out the unreadable ones.
        let bad_files = bad_files(dataset);
        let is_file = |group: &&BadFileGroup| group.reason == Defect::BrokenFile.word();
        let unread = Unread {
            rows: data.unreadable,
            files: bad_files.iter().find(is_file).map_or(0, |group| group.rows),
            of: data.readable + data.unreadable,
        };
        let gate = gate(decision, unread, &settings.policy);
        let (verdict, reason) = match (decision.verdict, gate.exit) {
            // What was read is clean; what was not may hide anything.
            (Verdict::Clean, Exit::Inconclusive) => (Verdict::Inconclusive, &gate.reason),
            (verdict, _) => (verdict, &decision.reason),
        };
        Ok(Self {
            schema: SCHEMA.into(),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            settings: settings.clone(),
            verdict,
            reason: reason.clone(),
            gate,
            poison_ratio: decision.ratio,
            classes: decision
                .classes
                .iter()
                .map(|class| summarise(class, dataset))
                .collect(),
            views: views
                .iter()
                .map(|(name, s)| distribution(name, s))
                .collect(),
            bad_files,
            metrics: truth.map(|truth| compare(dataset, &views, decision, truth)),
            flagged: flagged_ids(dataset, decision),
            selftest: Vec::new(),
            timings: Timing::Beside {
                file: folder::TIMINGS.into(),
            },
            data,
        })
    }
}

/// The views of the decision, and the two norms; none where nothing was measured.
fn all_views(evidence: &Evidence) -> Vec<(&str, &[f64])> {
    let views = evidence.views.iter();
    views
        .map(|view| (view.name, view.scores.as_slice()))
        .chain([
            ("perturbation_l2", evidence.perturbation_l2.as_slice()),
            ("perturbation_linf", evidence.perturbation_linf.as_slice()),
        ])
        .filter(|(_, scores)| !scores.is_empty())
        .collect()
}

fn data(dataset: &Dataset) -> Data {
    let count = |is: fn(&Status) -> bool| dataset.rows.iter().filter(|r| is(&r.status)).count();
    Data {
        format: dataset.format.clone(),
        rule: dataset.rule.clone(),
        fingerprint: dataset.fingerprint.clone(),
        height: dataset.height,
        width: dataset.width,
        rows: dataset.rows.len(),
        readable: dataset.readable().len(),
        unreadable: count(is_unreadable),
        skipped: count(|status| matches!(status, Status::Skipped(_))),
        resized: dataset.resized,
    }
}

fn is_unreadable(status: &Status) -> bool {
    matches!(status, Status::Unreadable(_))
}

fn summarise(class: &ClassDecision, dataset: &Dataset) -> Class {
    let rows = dataset.rows.iter().filter(|row| row.label == class.label);
    let names = &dataset.class_names;
    Class {
        label: class.label,
        name: names.get(class.label as usize).cloned().unwrap_or_default(),
        count: rows.clone().count(),
        unreadable: rows.filter(|row| is_unreadable(&row.status)).count(),
        flagged: class.flagged,
        ratio: class.ratio,
        verdict: class.verdict,
    }
}

fn distribution(name: &str, scores: &[f64]) -> ViewSummary {
    let levels = quantiles(scores, &[0.0, 0.25, 0.5, 0.75, 0.99, 1.0]);
    let level = |k: usize| levels.get(k).copied().unwrap_or_default();
    ViewSummary {
        name: name.into(),
        min: level(0),
        q25: level(1),
        median: level(2),
        q75: level(3),
        q99: level(4),
        max: level(5),
    }
}

fn bad_files(dataset: &Dataset) -> Vec<BadFileGroup> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &dataset.rows {
        if let Status::Unreadable(reason) = &row.status {
            let word = reason.split([' ', ':', ',', ';']).next().unwrap_or(reason);
            groups.entry(word).or_default().push(&row.id);
        }
    }
    groups
        .into_iter()
        .map(|(reason, ids)| BadFileGroup {
            reason: reason.into(),
            rows: ids.len(),
            examples: ids.iter().take(EXAMPLES).map(|&id| id.into()).collect(),
        })
        .collect()
}

/// Only rows that were judged are compared: an unreadable row has neither a flag nor a score.
fn compare(
    dataset: &Dataset,
    views: &[(&str, &[f64])],
    decision: &Decision,
    truth: &[bool],
) -> TruthMetrics {
    assert_eq!(truth.len(), dataset.rows.len(), "a truth for each row");
    let truth: Vec<bool> = dataset.readable().iter().map(|&row| truth[row]).collect();
    let labels = dataset.labels();
    let of = |rows: &[usize]| {
        let truth: Vec<bool> = rows.iter().map(|&i| truth[i]).collect();
        decision.against(rows, &truth)
    };
    let of_class = |label| ClassMetrics {
        label,
        detection: of(&positions(&labels, |&l| l == label)),
    };
    let view_auc = |&(name, scores): &(&str, &[f64])| ViewAuc {
        name: name.into(),
        auc: auc(scores, &truth),
    };
    TruthMetrics {
        detection: of(&positions(&labels, |_| true)),
        by_class: (0..dataset.class_names.len() as u32)
            .map(of_class)
            .collect(),
        auc_by_view: views.iter().map(view_auc).collect(),
    }
}

/// Places in `labels` of those that `chosen` names.
fn positions(labels: &[u32], chosen: impl Fn(&u32) -> bool) -> Vec<usize> {
    (0..labels.len()).filter(|&i| chosen(&labels[i])).collect()
}

fn flagged_ids(dataset: &Dataset, decision: &Decision) -> Vec<String> {
    let judged = dataset.readable().iter().zip(&decision.rows);
    judged
        .filter(|(_, decision)| decision.flagged)
        .map(|(&row, _)| dataset.rows[row].id.clone())
        .collect()
}
