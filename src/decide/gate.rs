//! From a decision to an exit code, failing closed: 0 only where the drop was read, judged and tolerated.

use serde::{Deserialize, Serialize};

use super::{Allowance, Decision, Severity, Verdict};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Exit {
    /// The gate passed.
    Passed = 0,
    /// The gate failed: poison was found.
    Failed = 1,
    /// The work could not be completed.
    Incomplete = 2,
    /// There was nothing to scan.
    Nothing = 3,
    /// The question could not be answered.
    Inconclusive = 4,
    /// The user stopped the work.
    Interrupted = 130,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

impl TryFrom<u8> for Exit {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        [
            Self::Passed,
            Self::Failed,
            Self::Incomplete,
            Self::Nothing,
            Self::Inconclusive,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|&exit| exit as u8 == code)
        .ok_or_else(|| format!("{code} is not an exit code of this program"))
    }
}

/// What an unreadable row does to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadFiles {
    /// A single one makes the audit inconclusive.
    Error,
    /// Rows are tolerated up to [`Policy::max_unreadable`], whole files of rows are not.
    Warn,
    /// They are left out; the report still lists each.
    Skip,
}

/// What the user tolerates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Rows of at least this severity fail a poisoned drop; [`Severity::None`] lets every verdict pass.
    pub fail_on: Severity,
    /// How many such rows a poisoned drop may hold.
    pub max_flagged: Allowance,
    /// What an unreadable row does.
    pub on_bad_files: BadFiles,
    /// How many unreadable rows are tolerated under [`BadFiles::Warn`].
    pub max_unreadable: Allowance,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fail_on: Severity::Medium,
            max_flagged: Allowance::Rows(0),
            on_bad_files: BadFiles::Warn,
            max_unreadable: Allowance::Share(0.001),
        }
    }
}

/// The outcome of the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// How the program ends.
    pub exit: Exit,
    /// Why, in a sentence for a person.
    pub reason: String,
}

/// What could not be read of a drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Rows, files among them.
    pub rows: usize,
    /// Whole files, each of unknown many rows.
    pub files: usize,
    /// All rows that were looked at.
    pub of: usize,
}

/// Weighs `decision` and what is `unread` against `policy`.
///
/// Poison that the policy refuses is reported before anything that is merely unknown; a drop passes only when nothing
/// is unknown either.
pub fn gate(decision: &Decision, unread: Unread, policy: &Policy) -> Gate {
    let (exit, reason) = refused(decision, policy)
        .map(|reason| (Exit::Failed, reason))
        .or_else(|| unknown(decision, unread, policy).map(|reason| (Exit::Inconclusive, reason)))
        .unwrap_or_else(|| (Exit::Passed, tolerated(decision)));
    Gate { exit, reason }
}

/// Why the policy refuses what was found, if it does.
fn refused(decision: &Decision, policy: &Policy) -> Option<String> {
    let band = policy.fail_on;
    match decision.verdict {
        _ if band == Severity::None => None,
        Verdict::Poisoned => {
            let rows = flagged_from(decision, band);
            let name = format!("{band:?}").to_lowercase();
            if rows == 0 {
                // The evidence is in the drop as a whole: letting it pass for want of a sure row would fail open.
                Some(format!(
                    "the drop is poisoned, though no single row reaches severity {name}"
                ))
            } else if policy.max_flagged.covers(rows, decision.rows.len()) {
                None
            } else {
                Some(format!(
                    "the drop is poisoned: {rows} rows flagged at severity {name} or above, {} tolerated",
                    policy.max_flagged
                ))
            }
        }
        Verdict::Suspect if band == Severity::Low => {
            Some("the drop is suspect, which --fail-on low refuses".into())
        }
        Verdict::Suspect | Verdict::Clean | Verdict::Inconclusive => None,
    }
}

/// Why the question is not answered, if it is not.
fn unknown(decision: &Decision, unread: Unread, policy: &Policy) -> Option<String> {
    if decision.verdict == Verdict::Inconclusive {
        return Some(format!("the audit is inconclusive: {}", decision.reason));
    }
    if decision.rows.is_empty() {
        return Some("no row could be judged".into());
    }
    if decision.verdict == Verdict::Clean && flagged_from(decision, Severity::None) > 0 {
        return Some("the verdict is clean but rows are flagged: the two contradict".into());
    }
    let tolerated = match policy.on_bad_files {
        BadFiles::Error => Allowance::Rows(0),
        BadFiles::Warn => policy.max_unreadable,
        BadFiles::Skip => return None,
    };
    let Unread { rows, files, of } = unread;
    if files > 0 {
        return Some(format!(
            "files of rows that could not be read: {files}; they may hide anything"
        ));
    }
    (!tolerated.covers(rows, of)).then(|| {
        format!(
            "{rows} of {of} rows could not be read, {tolerated} tolerated: they may hide anything"
        )
    })
}

fn tolerated(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Clean => "no class-linked perturbation was found".into(),
        Verdict::Suspect => "the drop is suspect, which the policy tolerates".into(),
        _ => format!(
            "the drop is poisoned, but the policy tolerates its {} flagged rows",
            flagged_from(decision, Severity::None)
        ),
    }
}

fn flagged_from(decision: &Decision, band: Severity) -> usize {
    let rows = decision.rows.iter();
    rows.filter(|row| row.flagged && row.severity >= band)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Ratio, RowDecision};

    /// A drop of 100 rows of which the first `flagged` carry `severity`.
    fn decision(verdict: Verdict, flagged: usize, severity: Severity) -> Decision {
        let row = |k| RowDecision {
            flagged: k < flagged,
            poison_score: 0.5,
            q_value: 0.5,
            severity: if k < flagged {
                severity
            } else {
                Severity::None
            },
        };
        Decision {
            verdict,
            reason: "because".into(),
            ratio: Ratio {
                estimate: 0.0,
                lo95: 0.0,
                hi95: 1.0,
            },
            rows: (0..100).map(row).collect(),
            classes: vec![],
        }
    }

    fn unread(rows: usize, of: usize) -> Unread {
        Unread { rows, files: 0, of }
    }

    fn policy(fail_on: Severity, max_flagged: Allowance) -> Policy {
        Policy {
            fail_on,
            max_flagged,
            ..Policy::default()
        }
    }

    #[test]
    fn every_verdict_under_every_policy() {
        use Exit::*;
        use Severity::{High, Low, Medium, None};
        use Verdict::*;
        let zero = Allowance::Rows(0);
        for (verdict, flagged, severity, fail_on, max_flagged, exit) in [
            (Clean, 0, None, Medium, zero, Passed),
            (Clean, 0, None, Low, zero, Passed),
            (Clean, 1, Low, Medium, zero, Exit::Inconclusive),
            (Suspect, 0, None, Medium, zero, Passed),
            (Suspect, 5, Low, High, zero, Passed),
            (Suspect, 0, None, Low, zero, Failed),
            (Suspect, 0, None, None, zero, Passed),
            (Poisoned, 20, High, Medium, zero, Failed),
            (Poisoned, 20, Medium, Medium, zero, Failed),
            (Poisoned, 20, Low, Medium, zero, Failed),
            (Poisoned, 0, None, High, zero, Failed),
            (Poisoned, 0, None, High, Allowance::Rows(9), Failed),
            (Poisoned, 20, High, None, zero, Passed),
            (Poisoned, 20, High, Medium, Allowance::Rows(20), Passed),
            (Poisoned, 21, High, Medium, Allowance::Rows(20), Failed),
            (Poisoned, 20, High, Medium, Allowance::Share(0.2), Passed),
            (Poisoned, 21, High, Medium, Allowance::Share(0.2), Failed),
            (
                Verdict::Inconclusive,
                0,
                None,
                Medium,
                zero,
                Exit::Inconclusive,
            ),
            (
                Verdict::Inconclusive,
                0,
                None,
                None,
                zero,
                Exit::Inconclusive,
            ),
        ] {
            let got = gate(
                &decision(verdict, flagged, severity),
                unread(0, 100),
                &policy(fail_on, max_flagged),
            );
            assert_eq!(
                got.exit, exit,
                "{verdict:?} with {flagged} {severity:?} under {fail_on:?}, {max_flagged}: {}",
                got.reason
            );
        }
    }

    #[test]
    fn unreadable_rows_make_a_pass_inconclusive_but_never_hide_poison() {
        let clean = decision(Verdict::Clean, 0, Severity::None);
        let poisoned = decision(Verdict::Poisoned, 9, Severity::High);
        for (decision, on_bad_files, unreadable, exit) in [
            (&clean, BadFiles::Warn, 1, Exit::Passed),
            (&clean, BadFiles::Warn, 2, Exit::Inconclusive),
            (&clean, BadFiles::Error, 0, Exit::Passed),
            (&clean, BadFiles::Error, 1, Exit::Inconclusive),
            (&clean, BadFiles::Skip, 900, Exit::Passed),
            (&poisoned, BadFiles::Error, 900, Exit::Failed),
        ] {
            let policy = Policy {
                on_bad_files,
                ..Policy::default()
            };
            let got = gate(decision, unread(unreadable, 1000), &policy);
            assert_eq!(got.exit, exit, "{on_bad_files:?} {unreadable}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_may_hold_any_number_of_rows() {
        let clean = decision(Verdict::Clean, 0, Severity::None);
        let lost = Unread {
            files: 1,
            ..unread(1, 1_000_000)
        };
        for (on_bad_files, exit) in [
            (BadFiles::Warn, Exit::Inconclusive),
            (BadFiles::Error, Exit::Inconclusive),
            (BadFiles::Skip, Exit::Passed),
        ] {
            let policy = Policy {
                on_bad_files,
                ..Policy::default()
            };
            assert_eq!(gate(&clean, lost, &policy).exit, exit, "{on_bad_files:?}");
        }
    }

    #[test]
    fn tolerated_poison_with_unread_rows_is_inconclusive() {
        let poisoned = decision(Verdict::Poisoned, 9, Severity::High);
        let lenient = policy(Severity::None, Allowance::Rows(0));
        assert_eq!(
            gate(&poisoned, unread(500, 1000), &lenient).exit,
            Exit::Inconclusive
        );
    }

    #[test]
    fn a_drop_without_judged_rows_never_passes() {
        let mut empty = decision(Verdict::Clean, 0, Severity::None);
        empty.rows.clear();
        let skip = Policy {
            on_bad_files: BadFiles::Skip,
            ..Policy::default()
        };
        assert_eq!(gate(&empty, unread(10, 10), &skip).exit, Exit::Inconclusive);
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        for code in [0, 1, 2, 3, 4, 130] {
            assert_eq!(Exit::try_from(code).map(u8::from), Ok(code));
        }
        assert!(Exit::try_from(5).is_err());
    }
}
