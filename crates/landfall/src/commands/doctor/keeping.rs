//! The vault and the issuer: what is there, and whether it does its work.
//! Makes no key: looking is no use of one.

use super::{Finding, Outcome, finding};
use crate::{
    clock::SystemClock,
    config::{Config, IssuerMode},
    keeping,
};
use anyhow::{Context as _, Error};
use landfall_issuer::IssuerUrl;
use landfall_model::{
    Clock as _, Timestamp,
    signing_key::{SigningKey, State},
    store::Store,
    vault::{Vault as _, VaultError},
};
use landfall_vault::{CheckError, Envelope, Missing, check, show};
use serde_json::Value;
use std::path::Path;

/// `store` when there is a database that answers.
pub(super) async fn findings(
    config: &Config,
    data_dir: &Path,
    store: Option<&dyn Store>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let vault = match keeping::unchecked_vault(config, data_dir, Missing::Refuse) {
        Ok(vault) => Some(vault),
        Err(error) => {
            findings.push(unusable(&error));
            None
        }
    };
    if let Some(vault) = &vault {
        findings.push(master_keys(vault, store).await);
        if let Some(store) = store {
            findings.extend(secrets(vault, store).await);
        }
    }
    let (found, url) = issuer_url(config);
    findings.push(found);
    if let (Some(url), Some(store)) = (url, store) {
        match store.signing_keys().await {
            Ok(keys) => {
                findings.push(signing_key(&keys, vault.as_ref(), SystemClock.now()).await);
                findings.extend(served(config, &url, &keys).await);
            }
            Err(error) => findings.push(finding(
                "issuer.key",
                Outcome::Fail,
                said(error),
                "check that the database is running",
            )),
        }
    }
    findings
}

/// With its causes, on one line.
fn said(error: impl Into<Error>) -> String {
    format!("{:#}", error.into())
}

fn unusable(error: &Error) -> Finding {
    let next = "correct [vault]: docs/operate.md says what it takes";
    finding("vault.keys", Outcome::Fail, format!("{error:#}"), next)
}

async fn master_keys(vault: &Envelope, store: Option<&dyn Store>) -> Finding {
    let id = "vault.keys";
    let keys = vault.keys();
    let place = keys.describe();
    let known = async {
        let versions = keys.versions().await?;
        let current = match versions.is_empty() {
            true => None,
            false => Some(keys.current().await?),
        };
        Ok::<_, VaultError>(current)
    };
    match known.await {
        Ok(Some(version)) => finding(
            id,
            Outcome::Ok,
            format!("{place}; version {version} seals"),
            "",
        ),
        Ok(None) if needed(store).await => finding(
            id,
            Outcome::Fail,
            format!("{place} is not there, and the database holds secrets that it sealed"),
            "restore it from its backup",
        ),
        Ok(None) => finding(
            id,
            Outcome::Missing,
            format!("{place}, not made yet"),
            "the first secret that is stored makes it; back it up then",
        ),
        Err(error) => unusable(&Error::new(error).context(format!("cannot use {place}"))),
    }
}

async fn needed(store: Option<&dyn Store>) -> bool {
    match store {
        // That the database does not answer is said elsewhere.
        Some(store) => landfall_vault::holds_secrets(store).await.unwrap_or(false),
        None => false,
    }
}

async fn secrets(vault: &Envelope, store: &dyn Store) -> Option<Finding> {
    let id = "vault.secrets";
    // Where the keys cannot be read, that was said.
    let shown = show(store, vault.keys()).await.ok()?;
    let secrets: u64 = shown.versions.iter().map(|one| one.secrets).sum();
    let keys: u64 = shown.versions.iter().map(|one| one.signing_keys).sum();
    if secrets + keys == 0 {
        return Some(finding(id, Outcome::Ok, "nothing is stored yet", ""));
    }
    let stored = format!("{secrets} secrets and {keys} signing keys are stored");
    Some(match check(store, vault).await {
        Ok(damaged) if damaged.is_empty() => finding(
            id,
            Outcome::Ok,
            format!("{stored}; one under each version was opened"),
            "",
        ),
        Ok(damaged) => finding(
            id,
            Outcome::Warn,
            format!("{stored}; damaged: {}", damaged.join(", ")),
            "enter the secret of that connection anew; a signing key is replaced by `landfall issuer rotate`",
        ),
        Err(CheckError::Store(error)) => finding(
            id,
            Outcome::Fail,
            said(error),
            "check that the database is running",
        ),
        Err(error) => finding(
            id,
            Outcome::Fail,
            format!("{stored}; {}", said(error)),
            "restore the master keys that sealed them; `landfall vault show` lists the versions",
        ),
    })
}

fn issuer_url(config: &Config) -> (Finding, Option<IssuerUrl>) {
    let id = "issuer.url";
    let next = "set public_url to an https address without a port, or issuer.url; where Google \
                Cloud alone is used, nobody need reach it: its providers take uploaded keys";
    let without = "leaves out aws/oidc and azure/workload-identity";
    match config.issuer_url() {
        Ok(Some(url)) => {
            let by = match config.issuer.mode {
                IssuerMode::Server => "this server serves the keys",
                IssuerMode::Static => "you serve what `landfall issuer export` writes",
            };
            let found = format!("{}; {by}", url.as_str());
            (finding(id, Outcome::Ok, found, ""), Some(url))
        }
        // Only public_url can be none and no error.
        Ok(None) => {
            let reason = match IssuerUrl::parse(&config.public_url()) {
                Err(error) => error.to_string(),
                Ok(url) => url.as_str().to_owned(),
            };
            let found = format!("none, which {without}: {reason}");
            (finding(id, Outcome::Missing, found, next), None)
        }
        Err(error) => (finding(id, Outcome::Fail, said(error), next), None),
    }
}

/// Which key signs, and what is next.
async fn signing_key(keys: &[SigningKey], vault: Option<&Envelope>, now: Timestamp) -> Finding {
    let id = "issuer.key";
    if keys.is_empty() {
        let next = "the first who asks for the key set or an assertion makes it";
        return finding(id, Outcome::Missing, "no signing key yet", next);
    }
    let Some((key, sealed)) = keys.iter().find_map(|key| match &key.state {
        State::Active { private, .. } => Some((key, private)),
        _ => None,
    }) else {
        let next =
            "start the server, which takes a rotation's next step; or `landfall issuer rotate`";
        return finding(id, Outcome::Fail, "no key signs", next);
    };
    if let Some(vault) = vault {
        let opened = vault.open(&SigningKey::record(&key.id), sealed).await;
        if let Err(error) = opened {
            let next = match error {
                VaultError::Refused { .. } => {
                    "restore it from a backup of the database; or `landfall issuer rotate`: the new \
                     key signs a day later"
                }
                _ => "restore the master keys",
            };
            let found = format!(
                "the key {} signs and does not open: {}",
                key.id,
                said(error)
            );
            return finding(id, Outcome::Fail, found, next);
        }
    }
    let signs = format!("the key {} signs", key.id);
    let published = |key: &&SigningKey| matches!(key.state, State::Published { .. });
    match keys.iter().find(published) {
        None => finding(
            id,
            Outcome::Ok,
            format!("{signs}; no rotation is under way (`landfall issuer rotate` begins one)"),
            "",
        ),
        Some(new) => {
            let at = new.due_at().unwrap_or(now);
            let found = format!("{signs}; the key {} follows at {at}", new.id);
            if at > now {
                return finding(id, Outcome::Ok, found, "");
            }
            let next = "start the server, which takes the step; `landfall issuer show` says who \
                        must have the key first";
            finding(id, Outcome::Warn, found, next)
        }
    }
}

/// `None` when there is no key that could be served.
async fn served(config: &Config, url: &IssuerUrl, keys: &[SigningKey]) -> Option<Finding> {
    if keys.is_empty() {
        return None;
    }
    let next = match config.issuer.mode {
        IssuerMode::Server => {
            "let `/.well-known/` below that URL reach this server, by https and without a password"
        }
        IssuerMode::Static => "`landfall issuer export`, and upload both files below that URL",
    };
    let fetched = keeping::served(url)
        .await
        .with_context(|| format!("cannot fetch the keys from {}", url.as_str()));
    Some(match fetched {
        Ok(found) => compared(url, keys, &found, next),
        // Perhaps only this machine does not reach it.
        Err(error) => finding("issuer.served", Outcome::Warn, said(error), next),
    })
}

fn compared(url: &IssuerUrl, keys: &[SigningKey], found: &[Value], next: &str) -> Finding {
    let id = "issuer.served";
    let url = url.as_str();
    for key in keys.iter().filter(|key| key.state.is_served()) {
        if is_among(&key.public_jwk, found) {
            continue;
        }
        let (outcome, what) = match key.state {
            State::Active { .. } => (Outcome::Fail, "which signs"),
            State::Published { .. } => (Outcome::Warn, "which will sign"),
            // It can have signed what is valid for minutes yet.
            State::Retiring { .. } | State::Retired { .. } => (Outcome::Warn, "which signed"),
        };
        let found = format!("{url} does not serve the key {}, {what}", key.id);
        return finding(id, outcome, found, next);
    }
    finding(id, Outcome::Ok, format!("{url} serves what signs"), "")
}

/// With the numbers that verify; what else a server writes there is its own.
fn is_among(key: &Value, found: &[Value]) -> bool {
    let same = |one: &Value| ["kid", "kty", "n", "e"].iter().all(|it| one[it] == key[it]);
    found.iter().any(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::vault::Sealed;
    use serde_json::json;

    fn key(id: &str, state: State) -> SigningKey {
        SigningKey {
            id: id.into(),
            state,
            public_jwk: json!({"kid": id, "kty": "RSA", "n": id, "e": "AQAB"}),
            created_at: Timestamp::default(),
            version: 1,
        }
    }

    #[test]
    fn what_is_served_must_be_what_signs() {
        let since = Timestamp::default();
        let private = Sealed::parse("lf1.1.AAAA.BBBB").unwrap();
        let active = State::Active {
            since,
            private: private.clone(),
        };
        let keys = [
            key("old", State::Retired { since }),
            key("now", active),
            key("next", State::Published { since, private }),
        ];
        let url = IssuerUrl::parse("https://id.example.com").unwrap();
        let of = |found: &[Value]| {
            let found = compared(&url, &keys, found, "upload it");
            (found.outcome, found.found, found.next_step)
        };
        let [_, now, next] = keys.clone().map(|key| key.public_jwk);
        assert_eq!(of(&[next.clone(), now.clone()]).0, Outcome::Ok);
        let mut more = now.clone();
        more["x5t"] = "of a proxy".into();
        assert_eq!(of(&[more, next.clone()]).0, Outcome::Ok);

        let (outcome, found, step) = of(std::slice::from_ref(&next));
        assert_eq!((outcome, step.as_str()), (Outcome::Fail, "upload it"));
        assert!(found.contains("the key now, which signs"), "{found}");
        let (outcome, found, _) = of(std::slice::from_ref(&now));
        assert_eq!(outcome, Outcome::Warn);
        assert!(found.contains("the key next, which will sign"), "{found}");

        // The same name on another key verifies nothing.
        let mut other = now;
        other["n"] = "other".into();
        assert_eq!(of(&[other, next]).0, Outcome::Fail);
        assert_eq!(of(&[]).0, Outcome::Fail);
    }
}
