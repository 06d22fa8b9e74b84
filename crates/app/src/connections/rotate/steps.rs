//! The steps of a rotation, one at a time. Each finds what an interrupted one
//! left behind: see [`RotationStep`].

use super::{
    super::{find, is_open, schedule, secrets::Entered, update},
    begun, by_hand, forget, prefix, replaced,
};
use crate::{App, audit, cloud::Silence};
use landfall_model::{
    Timestamp,
    check::Trigger,
    connection::{Connection, Rotation, RotationStep, State, Target},
    connector::{Detection, HeldSecret},
    driver::{Failure, FailureKind},
    error::Result,
    grant::Identity,
    id::{ConnectionId, OrganizationId},
    secret::Purpose,
    store::Write,
};
use serde_json::json;

/// One step; says when the next is due, `None` when there is nothing left to
/// do.
pub(crate) async fn take_rotation_step(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Timestamp>> {
    let connection = find(app, organization, id).await?;
    let Some(rotation) = connection.rotation.clone().filter(Rotation::is_open) else {
        return Ok(None);
    };
    if !is_open(&connection) {
        return Ok(None);
    }
    if let Some(until) = app.breakers.open_until(id, app.now()) {
        return Ok(Some(until));
    }
    let turn = Turn {
        app,
        connection: &connection,
        rotation: &rotation,
    };
    match &rotation.step {
        RotationStep::Adding { name } => turn.add(name).await,
        RotationStep::Trying { .. } => turn.attempt().await,
        RotationStep::Removing { key_id } => turn.remove(key_id).await,
        RotationStep::GaveUp { .. } => Ok(None),
    }
}

/// The use of the new secret, in one write with the end of the old one.
pub(super) fn switched(app: &App, connection: &mut Connection) -> Vec<Write> {
    let Some(Rotation {
        step:
            RotationStep::Trying {
                secret_id,
                key_id,
                expires_at,
                ..
            },
        ..
    }) = connection.rotation.take()
    else {
        return Vec::new();
    };
    let old = connection.target.clone();
    connection.target = old.with_secret(&secret_id, key_id.as_deref(), expires_at);
    match &old {
        // Only the customer can delete a key of Google's: they are reminded.
        Target::Gcp(_) => connection.left_behind = Some(old.clone()),
        _ => {
            connection.rotation = old.secret_key_id().map(|key_id| {
                let key_id = key_id.to_owned();
                begun(app, RotationStep::Removing { key_id })
            });
        }
    }
    let detail = json!({ "method": connection.method().to_string() });
    let mut writes: Vec<Write> = old
        .secret_id()
        .map(|id| forget(connection, id))
        .into_iter()
        .collect();
    writes.push(audit::system_entry(
        app,
        &connection.organization_id,
        "connection.secret-switched",
        &connection.id,
        detail,
    ));
    if let Some((job, _)) = schedule::due(app, connection) {
        writes.push(schedule::enqueue(app, connection, job, app.now()));
    }
    if let State::Connected { .. } | State::Degraded { .. } = connection.state {
        writes.push(schedule::verify_now(app, connection, Trigger::Change));
    }
    writes
}

struct Turn<'a> {
    app: &'a App,
    connection: &'a Connection,
    rotation: &'a Rotation,
}

impl Turn<'_> {
    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Silence> {
        let timeout = self.app.settings.verification.timeout;
        self.app.ask(self.connection, timeout, question).await
    }

    fn pause(&self) -> Timestamp {
        schedule::jittered(self.app, self.app.settings.rotation.pause)
    }

    fn is_late(&self) -> bool {
        let waited = self.app.now().millis_since(self.rotation.since);
        waited > schedule::millis(self.app.settings.rotation.patience)
    }

    /// Writes the next step, unless the rotation is not this one any more (the
    /// connection was ended or moved meanwhile). Says whether it was written.
    async fn write(&self, change: impl Fn(&mut Connection) -> Vec<Write>) -> Result<bool> {
        let written = std::sync::atomic::AtomicBool::new(false);
        let one = self.connection;
        update(self.app, &one.organization_id, &one.id, |mut connection| {
            let same = connection.rotation.as_ref().is_some_and(|current| {
                current.since == self.rotation.since && current.step == self.rotation.step
            });
            written.store(same, std::sync::atomic::Ordering::Relaxed);
            let writes = if same && is_open(&connection) {
                change(&mut connection)
            } else {
                Vec::new()
            };
            Ok((connection, writes))
        })
        .await?;
        Ok(written.into_inner())
    }

    /// Goes on later, and says why.
    async fn wait(&self, why: String) -> Result<Option<Timestamp>> {
        if self.rotation.waits_for.as_ref() != Some(&why) {
            self.write(|connection| {
                if let Some(rotation) = &mut connection.rotation {
                    rotation.waits_for = Some(why.clone());
                }
                Vec::new()
            })
            .await?;
        }
        Ok(Some(self.pause()))
    }

    async fn give_up(&self, reason: String) -> Result<Option<Timestamp>> {
        tracing::warn!(connection = %self.connection.id, reason, "the secret was not replaced");
        self.write(|connection| {
            let mut writes: Vec<Write> = replaced(connection).into_iter().collect();
            let detail = json!({ "reason": reason });
            writes.push(audit::system_entry(
                self.app,
                &connection.organization_id,
                "connection.secret-kept",
                &connection.id,
                detail,
            ));
            let reason = reason.clone();
            connection.rotation = Some(begun(self.app, RotationStep::GaveUp { reason }));
            writes
        })
        .await?;
        Ok(None)
    }

    /// What the cloud refuses for good ends it; everything else is tried again
    /// for a while.
    async fn stopped(&self, silence: Silence, what: &str) -> Result<Option<Timestamp>> {
        let (for_good, why) = match &silence {
            Silence::Paused(until) => return Ok(Some(*until)),
            Silence::Unreachable => (false, "the cloud did not answer in time".to_owned()),
            Silence::Refused(failure) => {
                let for_good = matches!(
                    failure.kind,
                    FailureKind::Denied | FailureKind::Invalid | FailureKind::Unauthorized
                );
                (for_good, failure.message.clone())
            }
        };
        let why = format!("{what}: {why}");
        if for_good || self.is_late() {
            self.give_up(why).await
        } else {
            self.wait(why).await
        }
    }

    async fn add(&self, name: &str) -> Result<Option<Timestamp>> {
        let connector = self.app.connector(self.connection.method())?;
        let held = match self.ask(connector.secrets(self.connection)).await {
            Ok(held) => held,
            Err(silence) => return self.stopped(silence, "listing the secrets").await,
        };
        // Made by an attempt whose answer was lost: nobody can use them.
        for lost in held.iter().filter(|one| one.name.as_deref() == Some(name)) {
            let removed = self.ask(connector.remove_secret(self.connection, &lost.key_id));
            if let Err(silence) = removed.await {
                return self.stopped(silence, "removing a lost secret").await;
            }
        }
        let lifetime = schedule::millis(self.app.settings.rotation.lifetime);
        let expires_at = self.app.now().plus_millis(lifetime);
        let question = connector.add_secret(self.connection, name, expires_at);
        let new = match self.ask(question).await {
            Ok(new) => new,
            Err(silence) => return self.stopped(silence, "adding a secret").await,
        };
        let expires_at = new.expires_at.or(Some(expires_at));
        let entered = Entered::new(self.app, Purpose::AzureClientSecret, new.plain, expires_at);
        let secret_id = entered.id.clone();
        let owner = &self.connection.organization_id;
        let sealed = entered.seal(self.app, owner, &self.connection.id).await?;
        let in_use = held.iter().find(|one| one.in_use);
        let written = self
            .write(|connection| {
                if let (Some(old), Some(id)) = (in_use, connection.target.secret_id().cloned()) {
                    let ends = old.expires_at.or(connection.target.secret_expires_at());
                    let target = &connection.target;
                    connection.target = target.with_secret(&id, Some(&old.key_id), ends);
                }
                connection.rotation = Some(begun(
                    self.app,
                    RotationStep::Trying {
                        secret_id: secret_id.clone(),
                        key_id: Some(new.key_id.clone()),
                        expires_at,
                        worked: 0,
                    },
                ));
                vec![sealed.clone()]
            })
            .await?;
        if written {
            return Ok(Some(self.pause()));
        }
        let _ = self
            .ask(connector.remove_secret(self.connection, &new.key_id))
            .await;
        Ok(None)
    }

    async fn attempt(&self) -> Result<Option<Timestamp>> {
        let RotationStep::Trying {
            secret_id,
            key_id,
            expires_at,
            worked,
        } = &self.rotation.step
        else {
            return Ok(None);
        };
        let connector = self.app.connector(self.connection.method())?;
        let mut candidate = self.connection.clone();
        let target = &self.connection.target;
        candidate.target = target.with_secret(secret_id, key_id.as_deref(), *expires_at);
        let look = async { Ok(connector.detect(&candidate).await) };
        let found = self.ask(look).await.unwrap_or(Detection::Unreachable {
            evidence: "no answer in time".to_owned(),
        });
        let why = match found {
            // The reaper has no secret: it says nothing about this one.
            Detection::Granted
            | Detection::Partial {
                missing: Identity::Reaper,
            } => None,
            Detection::Partial { missing } => {
                Some(format!("the {} does not let it in", missing.as_str()))
            }
            Detection::Refused { evidence } | Detection::Unreachable { evidence } => Some(evidence),
        };
        let Some(why) = why else {
            let worked = worked + 1;
            let enough = worked >= self.app.settings.rotation.times;
            self.write(|connection| {
                if enough {
                    return switched(self.app, connection);
                }
                if let Some(Rotation {
                    step: RotationStep::Trying { worked: count, .. },
                    waits_for,
                    ..
                }) = &mut connection.rotation
                {
                    *count = worked;
                    *waits_for = None;
                }
                Vec::new()
            })
            .await?;
            return Ok(Some(if enough { self.app.now() } else { self.pause() }));
        };
        if !self.is_late() {
            if *worked > 0 {
                self.write(|connection| {
                    if let Some(Rotation {
                        step: RotationStep::Trying { worked: count, .. },
                        ..
                    }) = &mut connection.rotation
                    {
                        *count = 0;
                    }
                    Vec::new()
                })
                .await?;
                return Ok(Some(self.pause()));
            }
            return self.wait(why).await;
        }
        // A person's own secret is theirs to take back.
        if let Some(key_id) = key_id
            && !by_hand(self.connection, Some(key_id))
        {
            let _ = self
                .ask(connector.remove_secret(self.connection, key_id))
                .await;
        }
        self.give_up(format!("the new secret does not work: {why}"))
            .await
    }

    async fn remove(&self, key_id: &str) -> Result<Option<Timestamp>> {
        let connector = self.app.connector(self.connection.method())?;
        let removed = self.ask(connector.remove_secret(self.connection, key_id));
        if let Err(silence) = removed.await {
            let what = format!(
                "the new secret is in use; the old one, {key_id}, is still there: remove it by \
                 hand. Removing it"
            );
            return self.stopped(silence, &what).await;
        }
        // Whatever else has a name of ours was made by an attempt that was lost
        // before it was listed.
        if let Some(current) = self.connection.target.secret_key_id() {
            let held = self.ask(connector.secrets(self.connection)).await;
            let ours = prefix(self.connection);
            let lost = |one: &&HeldSecret| {
                let named = one
                    .name
                    .as_ref()
                    .is_some_and(|name| name.starts_with(&ours));
                named && one.key_id != current && !one.in_use
            };
            for one in held.iter().flatten().filter(lost) {
                let _ = self
                    .ask(connector.remove_secret(self.connection, &one.key_id))
                    .await;
            }
        }
        self.write(|connection| {
            connection.rotation = None;
            let detail = json!({ "method": connection.method().to_string() });
            vec![audit::system_entry(
                self.app,
                &connection.organization_id,
                "connection.secret-rotated",
                &connection.id,
                detail,
            )]
        })
        .await?;
        Ok(None)
    }
}
