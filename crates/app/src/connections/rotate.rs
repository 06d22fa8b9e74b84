//! Replacing a connection's secret without an outage: the new one is added,
//! tried until it works everywhere, used, and only then is the old one taken
//! away. Each step is written down before it is taken, so that an interrupted
//! one is found again: see [`RotationStep`].

use super::{
    find, is_open, not_now, schedule,
    secrets::{self, Entered},
    target, update,
};
use crate::{Actor, App, Permission, audit, cloud::Silence};
use landfall_model::{
    Code, Error, Timestamp,
    check::Trigger,
    connection::{
        Azure, AzureAccess, Cloud, Connection, Gcp, GcpAccess, Guid, Rotation, RotationStep, State,
        Target,
    },
    connector::{Detection, HeldSecret, Verification},
    driver::{Failure, FailureKind},
    error::Result,
    grant::Identity,
    id::{ConnectionId, OrganizationId, SecretId},
    secret::Purpose,
    store::Write,
    vault::Plain,
    work::Job,
};
use serde::Deserialize;
use serde_json::json;

/// What a client sends: the new secret of a person who made one by hand, or
/// nothing, and Landfall makes one.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRotation)]
pub struct Rotate {
    /// Google Cloud, `service-account-key`: the text of another JSON key file of
    /// the same service account. Written only.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub service_account_key: Option<Plain>,
    /// Azure, `client-secret`: the value of another secret of the same
    /// application. Written only.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub client_secret: Option<Plain>,
    /// Azure: the day on which it ends.
    #[serde(default)]
    pub secret_expires_at: Option<String>,
    /// Azure: of the application, where it was not said yet.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// Begins to replace the secret. The one in use stays until the new one works.
pub async fn rotate(
    app: &App,
    actor: &Actor,
    id: &ConnectionId,
    new: Rotate,
) -> Result<Connection> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if !is_open(&connection) {
            return Err(not_now(&connection, "given another secret"));
        }
        let entered = entered(app, &connection, &new)?;
        let by = if entered.is_some() {
            "hand"
        } else {
            "Landfall"
        };
        let (step, mut stored) = match entered {
            None => {
                require_working(&connection)?;
                (adding(app, &connection), Vec::new())
            }
            Some((entered, key_id)) => {
                let step = RotationStep::Trying {
                    secret_id: entered.id.clone(),
                    key_id,
                    expires_at: entered.expires_at,
                    worked: 0,
                };
                let owner = &connection.organization_id;
                (step, vec![entered.seal(app, owner, id).await?])
            }
        };
        let client_id = told_client(&connection, &new)?;
        let detail = json!({ "method": connection.method().to_string(), "by": by });
        let permission = Permission::ConnectionRotate;
        stored.push(audit::entry(app, actor, permission, id, detail));
        update(app, actor.organization_id(), id, |mut connection| {
            refuse_while_rotating(&connection, by)?;
            let mut writes = stored.clone();
            writes.extend(replaced(&connection));
            connection.rotation = Some(begun(app, step.clone()));
            if let (Some(told), Some(unknown)) = (&client_id, unknown_client(&mut connection)) {
                *unknown = Some(told.clone());
            }
            if let State::Pending { .. } = connection.state {
                // Nothing works yet that could go on working meanwhile.
                writes.extend(switched(app, &mut connection));
            }
            writes.push(schedule::enqueue(
                app,
                &connection,
                job(&connection),
                app.now(),
            ));
            Ok((connection, writes))
        })
        .await
    };
    audit::attempt(app, actor, Permission::ConnectionRotate, id.as_str(), work).await
}

/// Where the client id belongs while a connection by secret waits for it.
fn unknown_client(connection: &mut Connection) -> Option<&mut Option<Guid>> {
    match (&connection.state, &mut connection.target) {
        (
            State::Pending { .. },
            Target::Azure(Azure {
                access: AzureAccess::ClientSecret { client_id, .. },
                ..
            }),
        ) => Some(client_id),
        _ => None,
    }
}

/// The setup prints the client id and the secret together, and together they are
/// entered. Of a connection that was granted, the application stays.
fn told_client(connection: &Connection, new: &Rotate) -> Result<Option<Guid>> {
    let mut waiting = connection.clone();
    match (unknown_client(&mut waiting), &new.client_id) {
        (Some(None), _) | (Some(_), Some(_)) => {
            let text = new.client_id.as_deref();
            target::guid("client_id", text).map(Some)
        }
        (Some(Some(_)), None) | (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::new(
            Code::ConnectionState,
            "the application of a connection that was granted does not change",
            "leave the client id out; for another application make another connection",
        )
        .with_violation("client_id", "cannot be changed now", None)),
    }
}

fn begun(app: &App, step: RotationStep) -> Rotation {
    Rotation {
        since: app.now(),
        step,
        waits_for: None,
    }
}

/// What a person entered, of the kind that the method takes.
fn entered(
    app: &App,
    connection: &Connection,
    new: &Rotate,
) -> Result<Option<(Entered, Option<String>)>> {
    let stray = |field: &'static str| {
        Error::new(
            Code::RequestMalformed,
            format!("a connection by {} takes no '{field}'", connection.method()),
            "leave it out; what was sent is not stored",
        )
        .with_violation(field, "does not belong to this method", None)
    };
    match &connection.target {
        Target::Gcp(Gcp {
            project_id,
            access: GcpAccess::ServiceAccountKey {
                service_account, ..
            },
            ..
        }) => {
            if new.client_secret.is_some() || new.secret_expires_at.is_some() {
                return Err(stray("client_secret"));
            }
            if new.client_id.is_some() {
                return Err(stray("client_id"));
            }
            let file = new.service_account_key.as_ref();
            let (key, entered) = secrets::service_account_key(app, file, Some(project_id))?;
            if key.service_account != *service_account {
                return Err(Error::new(
                    Code::ConnectionSecretMalformed,
                    "the key is of another service account",
                    format!("create another key of {service_account}"),
                )
                .with_violation(
                    "service_account_key",
                    format!("is of {}", key.service_account),
                    None,
                ));
            }
            Ok(Some((entered, Some(key.key_id))))
        }
        Target::Azure(Azure {
            access: AzureAccess::ClientSecret { .. },
            ..
        }) => {
            if new.service_account_key.is_some() {
                return Err(stray("service_account_key"));
            }
            let nothing = new.client_secret.is_none() && new.secret_expires_at.is_none();
            if nothing && new.client_id.is_none() {
                return Ok(None);
            }
            let text = new.client_secret.as_ref();
            let entered = secrets::client_secret(app, text, new.secret_expires_at.as_deref())?;
            Ok(Some((entered, None)))
        }
        _ => Err(Error::new(
            Code::ConnectionState,
            format!("a connection by {} has no secret", connection.method()),
            "there is nothing to rotate: no secret exists",
        )),
    }
}

/// Landfall adds a secret with the one in use.
fn require_working(connection: &Connection) -> Result<()> {
    match connection.state {
        State::Connected { .. } | State::Degraded { .. } => Ok(()),
        _ => Err(Error::new(
            Code::ConnectionState,
            format!(
                "the connection '{}' is {}, and Landfall makes a new secret with the one in use",
                connection.name,
                connection.state.as_str()
            ),
            "make a new secret by hand and enter it",
        )),
    }
}

/// A secret that a person entered and that was not used yet may be entered
/// again: it may have been the wrong one.
fn refuse_while_rotating(connection: &Connection, by: &str) -> Result<()> {
    let step = connection.rotation.as_ref().map(|rotation| &rotation.step);
    match step {
        None | Some(RotationStep::GaveUp { .. }) => Ok(()),
        Some(RotationStep::Trying { key_id, .. }) if by == "hand" => {
            // Google's keys are all entered by hand, and bring their id along.
            let entered = key_id.is_none() || connection.cloud() == Cloud::Gcp;
            if entered {
                Ok(())
            } else {
                Err(being_replaced())
            }
        }
        Some(_) => Err(being_replaced()),
    }
}

fn being_replaced() -> Error {
    Error::new(
        Code::ConnectionState,
        "the secret is being replaced already",
        "wait until the new one is in use; that takes minutes",
    )
}

/// Forgets what was entered and is replaced before it was used.
fn replaced(connection: &Connection) -> Option<Write> {
    match &connection.rotation.as_ref()?.step {
        RotationStep::Trying { secret_id, .. } => Some(forget(connection, secret_id)),
        _ => None,
    }
}

fn forget(connection: &Connection, id: &SecretId) -> Write {
    Write::DeleteSecret {
        organization_id: connection.organization_id.clone(),
        id: id.clone(),
    }
}

pub(super) fn job(connection: &Connection) -> Job {
    Job::Rotate {
        connection_id: connection.id.clone(),
    }
}

/// Everything of ours in the application begins with it.
fn prefix(connection: &Connection) -> String {
    format!("landfall-{}-", connection.suffix())
}

fn adding(app: &App, connection: &Connection) -> RotationStep {
    let random = hex::encode(app.entropy.array::<6>());
    RotationStep::Adding {
        name: format!("{}{random}", prefix(connection)),
    }
}

/// A rotation that is due after a verification, with the work that drives it.
pub(super) fn due(app: &App, connection: &mut Connection, found: &Verification) -> Option<Write> {
    const AGAIN_AFTER: i64 = 24 * 3600 * 1000;
    let now = app.now();
    let expires_at = connection.target.secret_expires_at()?;
    let before = schedule::millis(app.settings.rotation.before);
    let soon = expires_at.millis_since(now) <= before;
    let idle = match &connection.rotation {
        None => true,
        Some(rotation) => !rotation.is_open() && now.millis_since(rotation.since) > AGAIN_AFTER,
    };
    if !found.can_rotate || found.refused || !soon || !idle || !is_open(connection) {
        return None;
    }
    connection.rotation = Some(begun(app, adding(app, connection)));
    Some(schedule::enqueue(app, connection, job(connection), now))
}

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
fn switched(app: &App, connection: &mut Connection) -> Vec<Write> {
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
        // Ours to take back; a person's own secret is theirs.
        let automatic = !connector.method().is_keyless()
            && key_id.is_some()
            && matches!(self.connection.target, Target::Azure(_));
        if automatic && let Some(key_id) = key_id {
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
