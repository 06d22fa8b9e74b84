use crate::{
    fixture::World,
    harness::{Counter, Subject, contract},
};
use landfall_model::{
    Entropy,
    audit::{self, Actor, Entry, NewEntry},
    digest::Digest,
    store::Write,
};
use serde_json::{Value, json};
use std::sync::Arc;

contract!(
    entries_are_chained_in_each_organization,
    an_organizations_first_batch_may_audit_itself,
    whatever_was_said_verifies_after_it_was_stored,
    concurrent_entries_keep_one_chain,
    an_entry_is_never_changed_or_deleted,
);

fn targets(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.target.as_str()).collect()
}

async fn entries_are_chained_in_each_organization(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    store
        .commit(vec![
            Write::Audit(ours.audit("a")),
            Write::Audit(theirs.audit("x")),
            Write::Audit(ours.audit("b")),
        ])
        .await
        .unwrap();
    store
        .commit(vec![Write::Audit(ours.audit("c"))])
        .await
        .unwrap();

    let entries = store.audit(ours.org(), 0, 100).await.unwrap();
    assert_eq!(targets(&entries), ["a", "b", "c"]);
    assert_eq!(audit::verify(&entries), Ok(()));
    let other = store.audit(theirs.org(), 0, 100).await.unwrap();
    assert_eq!(targets(&other), ["x"]);
    assert_eq!(audit::verify(&other), Ok(()));

    assert_eq!(store.audit(ours.org(), 1, 1).await.unwrap(), entries[1..2]);
    let latest = store.audit_latest(ours.org(), 2).await.unwrap();
    assert_eq!(targets(&latest), ["c", "b"]);
}

async fn an_organizations_first_batch_may_audit_itself(subject: &Subject) {
    let world = World::new();
    // Even before the organization's own row: the chain comes last.
    let mut writes = vec![Write::Audit(world.audit("first"))];
    writes.extend(world.writes());
    subject.store.commit(writes).await.unwrap();
    let entries = subject.store.audit(world.org(), 0, 9).await.unwrap();
    assert_eq!(targets(&entries), ["first"]);
    assert_eq!(audit::verify(&entries), Ok(()));
}

/// The hash is over values, and what is read back must be the same values: a
/// float that comes back one bit off would look like tampering.
async fn whatever_was_said_verifies_after_it_was_stored(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let entropy: &dyn Entropy = &Counter;
    let mut floats = vec![
        0.1,
        -0.0,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        1e-7,
        123_456_789.123_456_78,
    ];
    for round in 0..2_000_u64 {
        let seed = Digest::of_bytes(&[entropy.array::<8>(), round.to_be_bytes()].concat());
        let bits = u64::from_str_radix(&seed.as_str()[7..23], 16).unwrap();
        let float = f64::from_bits(bits);
        if float.is_finite() {
            floats.push(float);
        }
    }
    let details = [
        json!(floats),
        json!({"b": {"z": 1, "a": [u64::MAX, i64::MIN, 9_007_199_254_740_993_u64]}, "a": null}),
        json!("\u{0}\u{7f}\u{2028}\"\\ \u{1f980}"),
        Value::Null,
    ];
    let entries = details.map(|detail| NewEntry {
        actor: Actor::Member {
            member_id: world.member.id.clone(),
            name: "Ada „the“ Admin\n".into(),
        },
        detail,
        ..world.audit("x")
    });
    let writes = entries.clone().map(Write::Audit).to_vec();
    store.commit(writes).await.unwrap();
    let stored = store.audit(world.org(), 0, 99).await.unwrap();
    assert_eq!(audit::verify(&stored), Ok(()));
    for (stored, new) in stored.iter().zip(&entries) {
        assert_eq!(stored.detail, new.detail);
    }
}

async fn concurrent_entries_keep_one_chain(subject: &Subject) {
    const TASKS: usize = 8;
    const EACH: usize = 10;
    let world = Arc::new(World::stored(&*subject.store).await);
    // A second handle on the same database, as another replica has.
    let replica = subject.reopen().await;
    let tasks = (0..TASKS).map(|task| {
        let store = if task % 2 == 0 {
            subject.store.clone()
        } else {
            replica.clone()
        };
        let world = world.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                let target = format!("{task}-{number}");
                store
                    .commit(vec![
                        Write::Audit(world.audit(&target)),
                        Write::Audit(world.audit("second")),
                    ])
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let entries = subject.store.audit(world.org(), 0, 1_000).await.unwrap();
    assert_eq!(entries.len(), TASKS * EACH * 2);
    assert_eq!(audit::verify(&entries), Ok(()));
}

async fn an_entry_is_never_changed_or_deleted(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    store
        .commit(vec![Write::Audit(world.audit("a"))])
        .await
        .unwrap();
    let before = store.audit(world.org(), 0, 9).await.unwrap();
    let mut attacks = vec![
        "UPDATE audit_entries SET body = '{}'",
        "DELETE FROM audit_entries",
        "INSERT INTO audit_entries (organization_id, seq, at, hash, body)
         SELECT organization_id, seq, at, hash, '{}' FROM audit_entries WHERE true
         ON CONFLICT (organization_id, seq) DO UPDATE SET body = excluded.body",
    ];
    if subject.is_postgres() {
        attacks.push("TRUNCATE audit_entries");
    } else {
        attacks.push(
            "INSERT OR REPLACE INTO audit_entries (organization_id, seq, at, hash, body)
             SELECT organization_id, seq, at, hash, '{}' FROM audit_entries",
        );
    }
    for attack in attacks {
        let error = subject.raw(attack).await.unwrap_err();
        assert!(
            error.to_string().contains("append-only"),
            "{attack}: {error}"
        );
    }
    assert_eq!(store.audit(world.org(), 0, 9).await.unwrap(), before);
}
