//! Names in the account: deterministic, so that a resource whose identifier was
//! lost is found by it.

use landfall_model::{digest::Digest, environment::Environment};

/// Permissions are scoped to names that begin so.
const PREFIX: &str = "landfall-";

/// Room for the suffix of a second generation: `-99`.
const SUFFIX: usize = 3;

pub(super) struct Names<'a> {
    application: &'a str,
    environment: &'a Environment,
}

impl<'a> Names<'a> {
    pub fn new(application: &'a str, environment: &'a Environment) -> Self {
        Self {
            application,
            environment,
        }
    }

    /// The end of the environment's id: its beginning is the time.
    fn mark(&self, length: usize) -> &str {
        let id = self.environment.id.as_str();
        &id[id.len().saturating_sub(length)..]
    }

    /// `landfall-shop-production-web-1a2b3c4d`, at most `limit` characters with
    /// a generation's suffix. A name that would be longer is cut, and ends in a
    /// hash of the environment and the part instead.
    pub fn name(&self, part: &str, limit: usize) -> String {
        self.marked(part, limit, 8)
    }

    /// Like [`Self::name`], for names that are shared with all the world: four
    /// more digits.
    pub fn global(&self, part: &str, limit: usize) -> String {
        self.marked(part, limit, 12)
    }

    fn marked(&self, part: &str, limit: usize, mark: usize) -> String {
        let room = limit.saturating_sub(SUFFIX);
        let human = join(&[self.application, &self.environment.name, part]);
        let clean = clean(&human);
        if clean == human && PREFIX.len() + clean.len() + 1 + mark <= room {
            return format!("{PREFIX}{clean}-{}", self.mark(mark));
        }
        // Cut names could meet: the hash tells them apart.
        let whole = [self.environment.id.as_str(), &human].join("\n");
        let digest = Digest::of_bytes(whole.as_bytes());
        let hash: String = digest.short().chars().take(mark.max(10)).collect();
        let left = room.saturating_sub(PREFIX.len() + 1 + hash.len());
        let short: String = self::clean(&join(&[self.application, part]))
            .chars()
            .take(left)
            .collect();
        format!("{PREFIX}{}-{hash}", short.trim_matches('-'))
    }
}

fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|it| !it.is_empty()).collect();
    parts.join("-")
}

/// Lower-case letters, digits and single hyphens: what the strictest type takes
/// (RDS refuses two hyphens in a row).
fn clean(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out.trim_matches('-').to_owned()
}
