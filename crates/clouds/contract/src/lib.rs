//! What every implementation of a port must do, as functions that run on any
//! of them.
//!
//! A harness stands for the cloud behind the implementation: it makes grants,
//! edits roles, loses answers. A target that cannot do one of these things says
//! so ([`Support::Missing`]), and the cases that need it are skipped by name.
//!
//! A case panics when the contract is broken: these are tests, in a crate only
//! so that several implementations can share them.

pub mod connector;
pub mod driver;

/// Whether a target can do what a case needs.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Done,
    Missing,
}

/// What became of the cases of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub passed: Vec<&'static str>,
    pub skipped: Vec<&'static str>,
}

impl Report {
    fn record(&mut self, target: &str, case: &'static str, support: Support) {
        match support {
            Support::Done => {
                eprintln!("{target}: {case}: holds");
                self.passed.push(case);
            }
            Support::Missing => {
                eprintln!("{target}: {case}: skipped, the target cannot do what it needs");
                self.skipped.push(case);
            }
        }
    }
}

/// Returns early from a case when the target cannot do something.
macro_rules! needs {
    ($support:expr) => {
        if $support == $crate::Support::Missing {
            return $crate::Support::Missing;
        }
    };
}
pub(crate) use needs;

/// Runs cases one after another, each on the same harness.
macro_rules! cases {
    ($harness:expr, $($module:ident :: $case:ident),+ $(,)?) => {{
        let mut report = $crate::Report::default();
        $(
            eprintln!("{}: {} …", $harness.target(), stringify!($case));
            let support = $module::$case($harness).await;
            report.record($harness.target(), stringify!($case), support);
        )+
        report
    }};
}
pub(crate) use cases;
