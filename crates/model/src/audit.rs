//! Who did what: append-only, each entry chained to the one before by hash.

use crate::{
    Timestamp,
    digest::Digest,
    id::{MemberId, OrganizationId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schema(as = AuditActor)]
pub enum Actor {
    Member {
        member_id: MemberId,
        name: String,
    },
    /// Landfall itself: a schedule, a worker.
    System,
    /// Nobody known: a refused sign-in.
    Anonymous,
}

/// An entry before it has a place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    pub organization_id: OrganizationId,
    pub at: Timestamp,
    pub actor: Actor,
    /// `<noun>.<verb>`: `connection.create`.
    pub action: String,
    /// The id of what it was done to.
    pub target: String,
    /// `ok`, or the error code of a refusal.
    pub outcome: String,
    /// More, without secrets.
    pub detail: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// Counts from 1 in each organization, without gaps.
    pub seq: u64,
    pub organization_id: OrganizationId,
    pub at: Timestamp,
    pub actor: Actor,
    pub action: String,
    pub target: String,
    pub outcome: String,
    #[schema(value_type = Object)]
    pub detail: Value,
    pub previous: Digest,
    pub hash: Digest,
}

/// What the first entry of a chain names as the one before.
pub fn genesis() -> Digest {
    Digest::of_bytes(b"landfall audit log")
}

impl NewEntry {
    /// Puts the entry in its place after `previous`.
    pub fn chained(self, seq: u64, previous: Digest) -> Result<Entry, serde_json::Error> {
        let hash = hash(seq, &previous, &self)?;
        Ok(Entry {
            seq,
            organization_id: self.organization_id,
            at: self.at,
            actor: self.actor,
            action: self.action,
            target: self.target,
            outcome: self.outcome,
            detail: self.detail,
            previous,
            hash,
        })
    }
}

fn hash(seq: u64, previous: &Digest, entry: &NewEntry) -> Result<Digest, serde_json::Error> {
    Digest::of_json(&(seq, previous, entry))
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} does not follow from the one before it")]
pub struct Broken {
    pub seq: u64,
}

/// The end of a chain that was checked so far; a long one is checked page by
/// page.
#[derive(Clone, Debug)]
pub struct Chain {
    entries: u64,
    last: Digest,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            entries: 0,
            last: genesis(),
        }
    }
}

impl Chain {
    /// How many entries were checked.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Checks that `entry` is the next one.
    pub fn follow(&mut self, entry: &Entry) -> Result<(), Broken> {
        let new = NewEntry {
            organization_id: entry.organization_id.clone(),
            at: entry.at,
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            target: entry.target.clone(),
            outcome: entry.outcome.clone(),
            detail: entry.detail.clone(),
        };
        let unbroken = entry.seq == self.entries + 1
            && entry.previous == self.last
            && hash(entry.seq, &self.last, &new).is_ok_and(|hash| hash == entry.hash);
        if !unbroken {
            return Err(Broken { seq: entry.seq });
        }
        self.entries = entry.seq;
        self.last = entry.hash.clone();
        Ok(())
    }
}

/// Checks that `entries` (in order, from the first) form an unbroken chain.
pub fn verify(entries: &[Entry]) -> Result<(), Broken> {
    let mut chain = Chain::default();
    entries.iter().try_for_each(|entry| chain.follow(entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entropy;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn chain() -> Vec<Entry> {
        let organization_id = OrganizationId::at(Timestamp::from_millis(1), &Zero);
        let mut entries: Vec<Entry> = Vec::new();
        for seq in 1..=3 {
            let previous = entries
                .last()
                .map_or_else(genesis, |last| last.hash.clone());
            let entry = NewEntry {
                organization_id: organization_id.clone(),
                at: Timestamp::from_millis(1),
                actor: Actor::System,
                action: "connection.verify".into(),
                target: seq.to_string(),
                outcome: "ok".into(),
                detail: serde_json::json!({}),
            };
            entries.push(entry.chained(seq, previous).unwrap());
        }
        entries
    }

    #[test]
    fn an_untouched_chain_verifies() {
        assert_eq!(verify(&chain()), Ok(()));
        assert_eq!(verify(&[]), Ok(()));
    }

    #[test]
    fn a_changed_removed_or_swapped_entry_is_found() {
        let mut changed = chain();
        changed[1].outcome = "forbidden".into();
        assert_eq!(verify(&changed), Err(Broken { seq: 2 }));

        let mut removed = chain();
        removed.remove(1);
        assert_eq!(verify(&removed), Err(Broken { seq: 3 }));

        let mut swapped = chain();
        swapped.swap(0, 1);
        assert!(verify(&swapped).is_err());
    }
}
