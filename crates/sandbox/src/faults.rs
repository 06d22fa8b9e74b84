//! Faults that a test asks for, consumed by the calls that they match.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The operation ends FAILED with this handler error code, nothing made;
    /// a call of Google Cloud or Azure is refused with it.
    Fail {
        #[serde(default = "default_code")]
        code: String,
        #[serde(default)]
        message: Option<String>,
    },
    /// FAILED, but the resource exists and the answer carries its identifier.
    FailWithIdentifier {
        #[serde(default = "default_code")]
        code: String,
        #[serde(default)]
        message: Option<String>,
    },
    /// The operation stays IN_PROGRESS for ever.
    NeverEnds,
    /// Accepted and done, but the connection closes before the answer.
    LostAnswer,
    /// A 500 before anything is done.
    #[serde(rename = "http_500")]
    Http500,
    /// The service's throttling error before anything is done.
    Throttle,
}

fn default_code() -> String {
    "GeneralServiceException".to_owned()
}

/// What a fault waits for. Every field that is given must match; `service`
/// and the rest compare exactly, `None` matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    pub account: Option<String>,
    pub region: Option<String>,
    pub service: Option<String>,
    pub operation: Option<String>,
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    pub identifier: Option<String>,
}

/// The call that looks for a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    pub operation: &'a str,
    pub type_name: Option<&'a str>,
    pub identifier: Option<&'a str>,
}

/// A registered fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub id: u64,
    pub fault: FaultKind,
    #[serde(rename = "match")]
    pub matcher: Matcher,
    /// How many more calls it hits.
    pub times: u32,
}

/// All registered faults, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Faults {
    next_id: u64,
    pending: Vec<Fault>,
}

impl Faults {
    /// Registers a fault and returns its id.
    pub fn add(&mut self, fault: FaultKind, matcher: Matcher, times: u32) -> u64 {
        self.next_id += 1;
        self.pending.push(Fault {
            id: self.next_id,
            fault,
            matcher,
            times: times.max(1),
        });
        self.next_id
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub fn pending(&self) -> &[Fault] {
        &self.pending
    }

    /// Takes (uses up one time of) the oldest fault that matches and that
    /// `wanted` accepts. Cloud Control asks for the kinds that concern an
    /// operation's course; the HTTP layer asks for the others.
    pub fn take(
        &mut self,
        probe: &Probe<'_>,
        wanted: impl Fn(&FaultKind) -> bool,
    ) -> Option<FaultKind> {
        let index = self
            .pending
            .iter()
            .position(|fault| wanted(&fault.fault) && fault.matcher.matches(probe))?;
        let fault = &mut self.pending[index];
        fault.times -= 1;
        let kind = fault.fault.clone();
        if fault.times == 0 {
            self.pending.remove(index);
        }
        Some(kind)
    }

    pub fn clear(&mut self) {
        self.pending.clear();
    }
}

impl FaultKind {
    /// Whether the HTTP layer acts it out, for any service.
    pub fn is_transport(&self) -> bool {
        matches!(self, Self::LostAnswer | Self::Http500 | Self::Throttle)
    }
}

impl Matcher {
    fn matches(&self, probe: &Probe<'_>) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        same(&self.account, Some(probe.account))
            && same(&self.region, Some(probe.region))
            && same(&self.service, Some(probe.service))
            && same(&self.operation, Some(probe.operation))
            && same(&self.type_name, probe.type_name)
            && same(&self.identifier, probe.identifier)
    }
}
