//! The operator's own identity on Google Cloud, and the accounts that it makes
//! in the operator's project: one for each connection.
//!
//! Were there one account for all, whatever a customer granted to it would be
//! granted to every connection of this server that names the same project.

use super::{SHORT, act_as, key::Signer};
use crate::{
    config::{OperatorConfig, Source},
    http::{AccessToken, Google, Session},
};
use landfall_model::{
    Clock, Timestamp,
    connection::{GcpAccess, GcpConnection},
    driver::{Failure, FailureKind},
    patience::Patience,
    secret::{KEY_LIMIT, parse_key},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Read as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Lets the operator's identity act as the accounts that it makes.
const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";

/// A token is used again until it has less than this left.
const MARGIN: i64 = 5 * 60 * 1000;

/// Somebody else may change a policy between our reading and our writing, and
/// what was made a moment ago is not known everywhere at once.
const TRIES: usize = 5;

pub(crate) struct Operator {
    /// `None` where the operator has not set one up.
    pub(crate) config: Option<OperatorConfig>,
    cached: Mutex<Option<Cached>>,
}

/// Who this server is on Google Cloud, with a token.
#[derive(Clone)]
struct Cached {
    email: String,
    token: AccessToken,
    until: Timestamp,
}

/// The operator's identity at work.
pub(crate) struct Acting {
    pub(crate) email: String,
    pub(crate) session: Session,
}

impl Operator {
    pub(crate) const fn new(config: Option<OperatorConfig>) -> Self {
        Self {
            config,
            cached: Mutex::new(None),
        }
    }

    /// Signs in, or uses the token that there is.
    pub(crate) async fn acting(
        &self,
        google: &Google,
        clock: &dyn Clock,
    ) -> Result<Acting, Failure> {
        let config = self.config()?;
        let now = clock.now();
        let known = self
            .cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .filter(|cached| cached.until.millis_since(now) > MARGIN);
        let cached = match known {
            Some(cached) => cached,
            None => {
                let fresh = match config.source() {
                    Source::File(path) => by_file(google, path, now).await,
                    Source::Metadata(url) => by_metadata(google, url, now).await,
                }
                .map_err(|failure| match failure.kind.is_retryable() {
                    true => failure,
                    // Refused is the operator's identity, and no customer took
                    // anything back.
                    false => ours(failure.message),
                })?;
                *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
                fresh
            }
        };
        Ok(Acting {
            email: cached.email,
            session: google.with(cached.token),
        })
    }

    fn config(&self) -> Result<&OperatorConfig, Failure> {
        self.config
            .as_ref()
            .ok_or_else(|| ours("this server has no Google identity of its own"))
    }

    /// The account that is made for a connection.
    fn email(&self, connection: GcpConnection<'_>) -> Result<String, Failure> {
        Ok(format!(
            "{}@{}.iam.gserviceaccount.com",
            connection.server_account_id(),
            self.config()?.project_id
        ))
    }

    /// Makes the connection's account where it is missing, and answers with its
    /// address.
    pub(crate) async fn prepare(
        &self,
        google: &Google,
        patience: Patience<'_>,
        connection: GcpConnection<'_>,
    ) -> Result<String, Failure> {
        let project = &self.config()?.project_id;
        let acting = self.acting(google, patience.clock).await?;
        let email = self.email(connection)?;
        let path = format!("v1/projects/{project}/serviceAccounts/{email}");
        let look = || acting.session.get("iam", &path);
        let account = match patience.ask(look).await {
            Ok(account) => account,
            Err(failure) if failure.kind == FailureKind::NotFound => {
                let all = format!("v1/projects/{project}/serviceAccounts");
                let body = json!({
                    "accountId": connection.server_account_id(),
                    "serviceAccount": {
                        "displayName": "Landfall connection",
                        "description": whose(connection),
                    },
                });
                let session = &acting.session;
                let make = || session.change(Method::POST, "iam", &all, &body);
                match patience.ask(make).await {
                    Ok(account) => account,
                    // Made at the same time, or by the try whose answer got lost.
                    Err(failure)
                        if matches!(
                            failure.kind,
                            FailureKind::AlreadyExists | FailureKind::Unknown
                        ) =>
                    {
                        patience.ask(look).await?
                    }
                    Err(failure) => return Err(failure),
                }
            }
            Err(failure) => return Err(failure),
        };
        belongs(&account, connection)?;
        let member = format!("serviceAccount:{}", acting.email);
        trust(&acting.session, patience, &path, &member).await?;
        Ok(email)
    }

    /// Deletes the connection's account.
    pub(crate) async fn release(
        &self,
        google: &Google,
        patience: Patience<'_>,
        connection: GcpConnection<'_>,
    ) -> Result<(), Failure> {
        let project = &self.config()?.project_id;
        let acting = self.acting(google, patience.clock).await?;
        let path = format!(
            "v1/projects/{project}/serviceAccounts/{}",
            self.email(connection)?
        );
        let gone = |answer: Result<Value, Failure>| match answer {
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            other => other.map(Some),
        };
        let found = patience.ask(|| acting.session.get("iam", &path)).await;
        let Some(account) = gone(found)? else {
            return Ok(());
        };
        belongs(&account, connection)?;
        gone(patience.ask(|| acting.session.delete("iam", &path)).await).map(|_| ())
    }

    pub(super) async fn enter(
        &self,
        google: &Google,
        clock: &dyn Clock,
        connection: GcpConnection<'_>,
    ) -> Result<AccessToken, Failure> {
        let email = given(connection)?;
        let acting = self.acting(google, clock).await?;
        act_as(&acting.session, email, SHORT)
            .await
            .map_err(|mut failure| {
                if failure.kind == FailureKind::Unauthorized {
                    // The token died early: the next try signs in again.
                    *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                // The operator's trouble: the customer's grant is behind it.
                if matches!(
                    failure.kind,
                    FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound
                ) {
                    failure.kind = FailureKind::Unavailable;
                    "NoOwnAccount".clone_into(&mut failure.code);
                }
                failure
            })
    }
}

/// The connection's own account, as its target says it. Never another
/// connection's, whatever is written there.
pub(crate) fn given(connection: GcpConnection<'_>) -> Result<&str, Failure> {
    let GcpAccess::Impersonation {
        service_account: Some(email),
    } = connection.access()
    else {
        return Err(Failure::new(
            FailureKind::Invalid,
            "NotPrepared",
            "this server has made no service account for the connection yet",
        ));
    };
    let own = email.split_once('@').is_some_and(|(name, host)| {
        name == connection.server_account_id() && host.ends_with(".iam.gserviceaccount.com")
    });
    if own {
        Ok(email)
    } else {
        Err(Failure::new(
            FailureKind::Invalid,
            "AnothersAccount",
            format!("{email} was not made for this connection"),
        ))
    }
}

fn whose(connection: GcpConnection<'_>) -> String {
    format!("Of the Landfall connection {}", connection.id)
}

/// Whatever else has this name is not to be used: what is granted to it was
/// granted to somebody else.
fn belongs(account: &Value, connection: GcpConnection<'_>) -> Result<(), Failure> {
    if account["description"] == whose(connection) {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Invalid,
        "AnothersAccount",
        format!(
            "the service account {} is there and is not this connection's",
            account["email"].as_str().unwrap_or_default()
        ),
    ))
}

/// Lets `member` act as the account at `path`, and nobody else.
async fn trust(
    session: &Session,
    patience: Patience<'_>,
    path: &str,
    member: &str,
) -> Result<(), Failure> {
    let get = format!("{path}:getIamPolicy?options.requestedPolicyVersion=3");
    let set = format!("{path}:setIamPolicy");
    let wanted = json!([{ "role": TOKEN_CREATOR, "members": [member] }]);
    let mut last = None;
    for attempt in 0..TRIES {
        if attempt > 0 {
            patience.clock.sleep(Duration::from_secs(1)).await;
        }
        let answer = async {
            let empty = json!({});
            let mut policy = patience.ask(|| session.ask("iam", &get, &empty)).await?;
            if policy["bindings"] == wanted {
                return Ok(());
            }
            policy["bindings"] = wanted.clone();
            policy["version"] = json!(3);
            let body = json!({ "policy": policy });
            patience
                .ask(|| session.change(Method::POST, "iam", &set, &body))
                .await
                .map(drop)
        }
        .await;
        match answer {
            Ok(()) => return Ok(()),
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::Busy | FailureKind::Unknown | FailureKind::NotFound
                ) =>
            {
                last = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(last.unwrap_or_else(|| ours("the policy of the account was changed meanwhile")))
}

/// The operator's identity cannot be had: this server's trouble, not the
/// customer's.
pub(crate) const NO_IDENTITY: &str = "NoOperatorIdentity";

fn ours(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unavailable, NO_IDENTITY, message)
}

async fn by_file(google: &Google, path: &Path, now: Timestamp) -> Result<Cached, Failure> {
    let named = path.display();
    let bytes = read(path).map_err(|why| ours(format!("{named} cannot be used: {why}")))?;
    let key = parse_key(&bytes, None).map_err(|error| {
        ours(format!(
            "{named} cannot be used: {error}; {}",
            error.remedy()
        ))
    })?;
    let signer = Signer {
        service_account: key.service_account,
        key_id: key.key_id,
        private_key: key.private_key,
    };
    let token = signer.token(google, now).await?;
    Ok(Cached {
        email: signer.service_account,
        token,
        // Google's tokens live an hour.
        until: now.plus_millis(3_600_000),
    })
}

/// Reads the file that was opened, not whatever has its name by then.
fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err("others on this machine may read it; make its mode 0600".to_owned());
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    // One byte more than allowed, so that the reader says it is too large.
    file.take(KEY_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The identity of the machine (Google Cloud docs: "About VM metadata").
async fn by_metadata(google: &Google, url: &str, now: Timestamp) -> Result<Cached, Failure> {
    const ACCOUNT: &str = "computeMetadata/v1/instance/service-accounts/default";
    let about = google
        .metadata(url, &format!("{ACCOUNT}/?recursive=true"))
        .await?;
    let email = about["email"]
        .as_str()
        .filter(|email| email.ends_with(".gserviceaccount.com"))
        .ok_or_else(|| ours("this machine has no service account"))?
        .to_owned();
    let answer = google.metadata(url, &format!("{ACCOUNT}/token")).await?;
    let token = super::issued(&answer, "access_token", "the metadata server")?;
    let seconds = answer["expires_in"].as_i64().unwrap_or(0).clamp(0, 3600);
    Ok(Cached {
        email,
        token,
        until: now.plus_millis(seconds * 1000),
    })
}
