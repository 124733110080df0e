//! From what went wrong to an exit code and its sentence; never 0.

use ue_audit::Error;
use ue_audit::decide::gate::{Exit, Gate};

/// The ending for a command that could not complete.
pub(crate) fn of_error(error: &anyhow::Error) -> Gate {
    let own = error.downcast_ref::<Error>();
    let exit = match own {
        Some(Error::Empty { .. }) => Exit::Nothing,
        // Training that diverges says nothing about the data.
        Some(Error::Numeric { .. }) => Exit::Inconclusive,
        Some(Error::Interrupted) => Exit::Interrupted,
        _ => Exit::Incomplete,
    };
    Gate {
        exit,
        // Our own errors tell their cause themselves.
        reason: own.map_or_else(|| format!("{error:#}"), ToString::to_string),
    }
}

/// The ending for a defect in the program.
pub(crate) fn of_panic() -> Gate {
    Gate {
        exit: Exit::Incomplete,
        reason: "a defect in this program stopped the work; the message above says where".into(),
    }
}

/// The ending for a command that did its job.
pub(crate) fn done(reason: impl Into<String>) -> Gate {
    Gate {
        exit: Exit::Passed,
        reason: reason.into(),
    }
}

/// The ending for a command that had nothing to answer its question from.
pub(crate) fn unanswered(reason: impl Into<String>) -> Gate {
    Gate {
        exit: Exit::Inconclusive,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_end_by_whose_fault_they_are() {
        let path = std::path::PathBuf::from("x");
        let problem = || "p".to_string();
        for (error, exit) in [
            (
                Error::Empty {
                    path: path.clone(),
                    problem: problem(),
                },
                Exit::Nothing,
            ),
            (
                Error::Numeric {
                    stage: "fit",
                    problem: problem(),
                },
                Exit::Inconclusive,
            ),
            (Error::Interrupted, Exit::Interrupted),
            (Error::Exists { path: path.clone() }, Exit::Incomplete),
            (Error::input(&path, "p"), Exit::Incomplete),
        ] {
            assert_eq!(of_error(&anyhow::Error::new(error)).exit, exit);
        }
        assert_eq!(of_error(&anyhow::anyhow!("other")).exit, Exit::Incomplete);
        let missing = || std::io::Error::other("gone");
        let io = anyhow::Error::new(Error::io("x")(missing()));
        assert_eq!(of_error(&io).reason, "x: gone");
        let told = anyhow::Error::new(missing()).context("no clock");
        assert_eq!(of_error(&told).reason, "no clock: gone");
        assert_eq!(of_panic().exit, Exit::Incomplete);
    }
}
