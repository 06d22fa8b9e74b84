//! What was asked of the cloud: append-only, without secrets.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One call. Parameters that may hold secrets (policies, desired states,
/// external ids) are never recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    /// Machine time, ISO 8601.
    pub time: String,
    pub simulated_time: String,
    pub request_id: String,
    pub service: String,
    pub operation: String,
    pub region: String,
    /// Null when the caller was not authenticated.
    pub account: Option<String>,
    /// ARN of the principal.
    pub principal: Option<String>,
    pub session_name: Option<String>,
    pub status: u16,
    /// Error code, null for success.
    pub error: Option<String>,
    /// A fault or a thrown die that decided the outcome.
    pub fault: Option<String>,
    #[serde(flatten)]
    pub subject: Subject,
}

/// What a call concerned, as far as its input and answer say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Subject {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_token: Option<String>,
    /// Role ARN or name, policy ARN or name, stack name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How the operation failed that this answer reports: `AccessDenied`. The
    /// call that started it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler_error: Option<String>,
}

/// The log in memory, and beside the snapshot when there is one.
#[derive(Debug)]
pub(crate) struct RequestLog {
    inner: Mutex<Inner>,
    path: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    file: Option<File>,
}

impl RequestLog {
    /// A log kept in memory only, or continued from a file.
    pub(crate) fn open(path: Option<PathBuf>) -> io::Result<Self> {
        let inner = match &path {
            Some(path) => Inner::open(path)?,
            None => Inner::default(),
        };
        Ok(Self {
            inner: Mutex::new(inner),
            path,
        })
    }

    /// Numbers the entry and appends it.
    pub(crate) fn append(&self, mut entry: Entry) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        entry.seq = inner.entries.last().map_or(1, |last| last.seq + 1);
        if let Some(file) = &mut inner.file {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        inner.entries.push(entry);
        Ok(())
    }

    /// Entries after number `after` that `wanted` accepts, at most `limit`.
    pub(crate) fn list(
        &self,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<Value> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .entries
            .iter()
            .filter(|entry| entry.seq > after && wanted(entry))
            .take(limit)
            .filter_map(|entry| serde_json::to_value(entry).ok())
            .collect()
    }

    /// Forgets everything, for a reset of the whole sandbox.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.entries.clear();
        if let Some(path) = &self.path {
            inner.file = Some(File::create(path)?);
        }
        Ok(())
    }
}

impl Inner {
    fn open(path: &Path) -> io::Result<Self> {
        let known = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // Killed while appending, the last line is torn: it was never
        // answered, so it is dropped, and the file is cut to match.
        let whole = known.rfind('\n').map_or(0, |end| end + 1);
        let entries = known[..whole]
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Self {
            entries,
            file: Some(file),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str) -> Entry {
        Entry {
            operation: operation.to_owned(),
            ..Entry::default()
        }
    }

    #[test]
    fn continues_after_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests");
        let log = RequestLog::open(Some(path.clone())).unwrap();
        log.append(entry("One")).unwrap();
        log.append(entry("Two")).unwrap();
        drop(log);
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"seq\":3,\"oper");
        std::fs::write(&path, text).unwrap();

        let log = RequestLog::open(Some(path.clone())).unwrap();
        log.append(entry("Three")).unwrap();
        drop(log);
        let log = RequestLog::open(Some(path)).unwrap();
        let seen: Vec<_> = log
            .list(0, 10, |_| true)
            .iter()
            .map(|e| (e["seq"].as_u64().unwrap(), e["operation"].clone()))
            .collect();
        assert_eq!(
            seen,
            [(1, "One".into()), (2, "Two".into()), (3, "Three".into())]
        );
    }
}
