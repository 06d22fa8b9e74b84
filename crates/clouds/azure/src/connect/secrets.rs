//! The secrets of an application, as Graph lists, makes and removes them.
//!
//! Microsoft Learn: "application: addPassword", "application: removePassword",
//! "passwordCredential resource type".

use super::AzureConnector;
use crate::{
    client::Session,
    error::{Service, not_permitted, unreadable},
};
use landfall_model::{
    Timestamp,
    connection::{AzureAccess, AzureConnection, Guid},
    connector::{HeldSecret, NewSecret},
    driver::{Failure, FailureKind},
    grant::Identity,
    vault::Plain,
};
use serde_json::{Value, json};

/// The permission with which an application that owns itself changes its own
/// secrets, and the one that is wider than needed.
pub(super) const OWNED: &str = "Application.ReadWrite.OwnedBy";
pub(super) const ALL: &str = "Application.ReadWrite.All";

/// What this server knows of the secret that it uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Ours {
    pub(super) key_id: Option<String>,
    /// Its first characters, by which Graph tells an application's secrets
    /// apart. Never shown.
    pub(super) hint: Option<String>,
}

/// A secret as Graph lists it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) held: HeldSecret,
    /// Its hint is that of ours, or nobody knows one of both.
    pub(super) may_be_ours: bool,
}

/// All secrets of `application`.
pub(super) async fn list(
    graph: &Session<'_>,
    application: &Guid,
    ours: &Ours,
) -> Result<Vec<Listed>, Failure> {
    let path = format!("/v1.0/applications(appId='{application}')");
    let query = [("$select", "id,passwordCredentials")];
    let answer = graph.get(&path, &query).await?;
    read(&answer, ours)
}

fn read(application: &Value, ours: &Ours) -> Result<Vec<Listed>, Failure> {
    let mut all = application["passwordCredentials"]
        .as_array()
        .ok_or_else(|| unreadable(Service::Graph))?
        .iter()
        .map(|one| listed(one, ours))
        .collect::<Option<Vec<Listed>>>()
        .ok_or_else(|| unreadable(Service::Graph))?;
    if let Some(at) = in_use(&all, ours) {
        all[at].held.in_use = true;
    }
    Ok(all)
}

fn listed(one: &Value, ours: &Ours) -> Option<Listed> {
    let time = |name: &str| Timestamp::parse_rfc3339(one[name].as_str()?).ok();
    Some(Listed {
        held: HeldSecret {
            key_id: one["keyId"].as_str()?.to_owned(),
            name: one["displayName"].as_str().map(str::to_owned),
            created_at: time("startDateTime"),
            expires_at: time("endDateTime"),
            in_use: false,
        },
        may_be_ours: match (one["hint"].as_str(), &ours.hint) {
            (Some(of), Some(ours)) => of == ours,
            _ => true,
        },
    })
}

/// The id that was stored with the secret decides, unless the hint says that it
/// is another's; without an id, a hint that only one of them has.
fn in_use(all: &[Listed], ours: &Ours) -> Option<usize> {
    let known = |one: &Listed| {
        let id = ours.key_id.as_deref();
        id.is_some_and(|id| id.eq_ignore_ascii_case(&one.held.key_id))
    };
    let candidates = || (0..all.len()).filter(|at| all[*at].may_be_ours);
    candidates().find(|at| known(&all[*at])).or_else(|| {
        ours.hint.as_ref()?;
        let mut candidates = candidates();
        let only = candidates.next()?;
        candidates.next().is_none().then_some(only)
    })
}

/// Makes one more. Never asked again by itself: an answer that got lost may
/// have made one already, which only the caller can look for.
async fn add(
    graph: &Session<'_>,
    application: &Guid,
    name: &str,
    expires_at: Timestamp,
) -> Result<NewSecret, Failure> {
    let path = format!("/v1.0/applications(appId='{application}')/addPassword");
    let body = json!({ "passwordCredential": {
        "displayName": name,
        "endDateTime": expires_at.to_rfc3339(),
    }});
    let mut made = graph.post(&path, &[], &body).await?;
    let key_id = made["keyId"].as_str().map(str::to_owned);
    let expires_at = made["endDateTime"]
        .as_str()
        .and_then(|text| Timestamp::parse_rfc3339(text).ok());
    let plain = match made["secretText"].take() {
        Value::String(text) if !text.is_empty() => Plain::from(text),
        _ => return Err(unreadable(Service::Graph)),
    };
    Ok(NewSecret {
        key_id: key_id.ok_or_else(|| unreadable(Service::Graph))?,
        expires_at,
        plain,
    })
}

async fn remove(graph: &Session<'_>, application: &Guid, key_id: &str) -> Result<(), Failure> {
    let path = format!("/v1.0/applications(appId='{application}')/removePassword");
    let body = json!({ "keyId": key_id });
    graph.post(&path, &[], &body).await.map(|_| ())
}

/// What a refusal of Graph's means here.
fn explained(what: &str, failure: Failure) -> Failure {
    if !not_permitted(&failure) {
        return failure;
    }
    Failure {
        kind: FailureKind::Denied,
        message: format!(
            "the application may not {what}: it needs Microsoft Graph's {OWNED}, approved by an \
             administrator, and its service principal must be an owner of it ({failure})"
        ),
        ..failure
    }
}

impl AzureConnector {
    /// The application whose secrets these are, with what is known of the one
    /// in use.
    pub(super) async fn own_secret<'a>(
        &self,
        azure: AzureConnection<'a>,
    ) -> Result<(&'a Guid, Ours), Failure> {
        let AzureAccess::ClientSecret {
            client_id: Some(client_id),
            secret_key_id,
            ..
        } = azure.access()
        else {
            return Err(Failure::new(
                FailureKind::Invalid,
                "NotOfThisMethod",
                format!("the method {} has no secret", azure.method()),
            ));
        };
        let ours = Ours {
            key_id: secret_key_id.clone(),
            hint: self.door.hint(azure).await,
        };
        Ok((client_id, ours))
    }

    async fn graph(
        &self,
        azure: AzureConnection<'_>,
        application: &Guid,
    ) -> Result<Session<'_>, Failure> {
        let identity = Identity::Provisioner;
        self.patience()
            .ask(|| self.sign_in(azure, identity, application, Service::Graph))
            .await
    }

    pub(super) async fn held_secrets(
        &self,
        azure: AzureConnection<'_>,
    ) -> Result<Vec<HeldSecret>, Failure> {
        let (application, ours) = self.own_secret(azure).await?;
        let graph = self.graph(azure, application).await?;
        let all = self
            .patience()
            .ask(|| list(&graph, application, &ours))
            .await
            .map_err(|failure| explained("list its own secrets", failure))?;
        Ok(all.into_iter().map(|one| one.held).collect())
    }

    pub(super) async fn new_secret(
        &self,
        azure: AzureConnection<'_>,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<NewSecret, Failure> {
        let (application, _) = self.own_secret(azure).await?;
        let graph = self.graph(azure, application).await?;
        add(&graph, application, name, expires_at)
            .await
            .map_err(|failure| explained("add a secret to itself", failure))
    }

    /// Looks first: what is gone needs no removing, and the secret that opened
    /// this session is never removed with it.
    pub(super) async fn drop_secret(
        &self,
        azure: AzureConnection<'_>,
        key_id: &str,
    ) -> Result<(), Failure> {
        let (application, ours) = self.own_secret(azure).await?;
        let graph = self.graph(azure, application).await?;
        let patience = self.patience();
        let find = || async {
            let all = list(&graph, application, &ours).await?;
            let mut all = all.into_iter().map(|one| one.held);
            Ok(all.find(|one| one.key_id.eq_ignore_ascii_case(key_id)))
        };
        let refused = |failure| explained("remove a secret of its own", failure);
        match patience.ask(find).await.map_err(refused)? {
            None => return Ok(()),
            Some(found) if found.in_use => {
                return Err(Failure::new(
                    FailureKind::Invalid,
                    "SecretInUse",
                    format!("the secret {key_id} is the one in use"),
                ));
            }
            Some(_) => {}
        }
        let removed = patience.ask(|| remove(&graph, application, key_id)).await;
        match removed {
            // It went between the look and the removal, perhaps by an attempt
            // of ours whose answer got lost. How Graph words that is not
            // documented: so look again.
            Err(failure)
                if matches!(failure.kind, FailureKind::Invalid | FailureKind::NotFound)
                    && patience.ask(find).await.map_err(refused)?.is_none() =>
            {
                Ok(())
            }
            other => other.map_err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(of: &[(&str, Option<&str>)], ours: &Ours) -> Vec<Listed> {
        let all: Vec<Value> = of
            .iter()
            .map(|(id, hint)| json!({"keyId": id, "hint": hint, "displayName": null}))
            .collect();
        read(&json!({ "passwordCredentials": all }), ours).unwrap()
    }

    fn used(of: &[(&str, Option<&str>)], key_id: Option<&str>, hint: Option<&str>) -> Vec<String> {
        let ours = Ours {
            key_id: key_id.map(str::to_owned),
            hint: hint.map(str::to_owned),
        };
        secrets(of, &ours)
            .into_iter()
            .filter(|one| one.held.in_use)
            .map(|one| one.held.key_id)
            .collect()
    }

    #[test]
    fn the_one_in_use_is_known_by_its_id_else_by_a_hint_that_only_it_has() {
        let two = [("a", Some("abc")), ("b", Some("xyz"))];
        assert_eq!(used(&two, Some("A"), Some("abc")), ["a"]);
        assert_eq!(used(&two, None, Some("xyz")), ["b"]);
        // An id from before somebody entered another secret.
        assert_eq!(used(&two, Some("a"), Some("xyz")), ["b"]);
        assert_eq!(used(&two, None, None), [""; 0]);
        assert_eq!(used(&two, Some("c"), Some("other")), [""; 0]);
        let alike = [("a", Some("abc")), ("b", Some("abc"))];
        assert_eq!(used(&alike, None, Some("abc")), [""; 0]);
        assert_eq!(used(&alike, Some("b"), Some("abc")), ["b"]);
        // Graph shows no hints of old ones.
        assert_eq!(
            used(&[("a", None), ("b", None)], None, Some("abc")),
            [""; 0]
        );
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        for wrong in [
            json!({}),
            json!({"passwordCredentials": [{"displayName": "x"}]}),
        ] {
            let failure = read(&wrong, &Ours::default()).unwrap_err();
            assert_eq!(failure.code, "UnreadableAnswer");
        }
    }
}
