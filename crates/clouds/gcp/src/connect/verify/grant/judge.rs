//! What was read, against what was to be granted.

use super::super::{Found, Question, Run, no_session};
use super::read::{Read, Snapshot, everything_in, is_out_of_sight, line};
use super::{bindings, name_of, texts, unread};
use crate::{
    config::IssuerKeys,
    door::{
        Door,
        federation::{Federation, provider},
    },
};
use landfall_model::{
    check::Check,
    connection::GcpAccess,
    grant::{GcpAccount, GcpIdentity, GcpPlace, GcpRole, GcpTrust},
    issuer::{Issuer, UPLOADED_KEYS_CHECK},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What to do about something that somebody edited in `noun`.
fn again(noun: &str) -> String {
    format!(
        "if this was not you, somebody else can change IAM in this {noun}; run the setup again to \
         undo it"
    )
}

fn provider_question(run: &Run<'_>) -> Question {
    Question::new(
        "gcp.provider-exact",
        "The provider trusts exactly this connection",
        format!(
            "workloadIdentityPools.providers.get of {}/{}",
            run.connection.pool_id(),
            run.connection.provider_id()
        ),
    )
}

fn keys_question() -> Question {
    Question::new(
        UPLOADED_KEYS_CHECK,
        "The key that signs is among those that the provider sees",
        "the keys of the provider, compared with this server's",
    )
}

/// The id of the check of a role.
pub(super) fn role_check(role: &GcpRole) -> String {
    format!("gcp.role-as-granted.{}", name_of(role.identity))
}

fn role_question(role: &GcpRole) -> Question {
    Question::new(
        role_check(role),
        format!(
            "The custom role of the {} is as granted",
            name_of(role.identity)
        ),
        format!("iam roles.get of {}", role.name),
    )
}

fn trust_question(account: &GcpAccount) -> Question {
    Question::new(
        format!("gcp.trust-as-granted.{}", name_of(account.identity)),
        format!(
            "Only this connection may act as the {}",
            name_of(account.identity)
        ),
        format!("iam serviceAccounts.getIamPolicy of {}", account.email),
    )
}

/// All of them, when the bootstrap could not be become.
pub(super) fn not_asked(run: &Run<'_>) -> Vec<Check> {
    let mut questions = Vec::new();
    if matches!(run.grant.trust, GcpTrust::Federation { .. }) {
        questions.extend([provider_question(run), keys_question()]);
    }
    questions.extend(run.grant.roles.iter().map(role_question));
    questions.extend(run.grant.accounts.iter().map(trust_question));
    let accounts = run.grant.accounts.iter();
    questions.extend(accounts.map(|account| bindings::question(run, account)));
    questions
        .into_iter()
        .map(|question| {
            run.recorder
                .noted(question, no_session(GcpIdentity::Bootstrap))
        })
        .collect()
}

pub(super) async fn all(run: &Run<'_>, snapshot: &Snapshot, millis: i64) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut note = |question, found| checks.push(run.recorder.timed(question, found, millis));
    if let Some(read) = &snapshot.provider {
        note(provider_question(run), of_provider(run, read));
        if let Door::Federation(Federation { issuer, keys }) = &run.connector.door {
            let found = of_keys(run, issuer.as_ref(), *keys, read).await;
            note(keys_question(), found);
        }
    }
    for role in &run.grant.roles {
        if let Some(read) = snapshot.role(role.identity) {
            note(role_question(role), of_role(run, role, read));
        }
    }
    for account in &run.grant.accounts {
        if let Some(read) = snapshot.trust(account.identity) {
            note(trust_question(account), of_trust(run, account, read));
        }
    }
    for account in &run.grant.accounts {
        note(
            bindings::question(run, account),
            bindings::judge(run, account, snapshot),
        );
    }
    checks
}

fn of_provider(run: &Run<'_>, read: &Read) -> Found {
    let found = match read {
        Ok(found) => found,
        Err(failure) => return unread(run, failure, "provider"),
    };
    let GcpTrust::Federation {
        issuer_url,
        condition,
        ..
    } = &run.grant.trust
    else {
        return Found::skipped("this connection needs no provider");
    };
    let mut wrong = Vec::new();
    let mut differs = |what: &str, is: &Value, wanted: &str| {
        let is = is.as_str().unwrap_or("nothing");
        if is != wanted {
            wrong.push(format!("the {what} is {is}, not {wanted}"));
        }
    };
    differs(
        "attribute condition",
        &found["attributeCondition"],
        condition,
    );
    differs("issuer", &found["oidc"]["issuerUri"], issuer_url);
    if found["attributeMapping"] != json!({ "google.subject": "assertion.sub" }) {
        wrong.push(format!(
            "the attribute mapping is {}, not google.subject=assertion.sub alone",
            found["attributeMapping"]
        ));
    }
    let audiences = texts(&found["oidc"]["allowedAudiences"]);
    let own = match run.connection.access() {
        GcpAccess::WorkloadIdentity {
            project_number: Some(number),
        } => provider(run.connection, number),
        _ => String::new(),
    };
    let foreign: Vec<&str> = audiences
        .into_iter()
        .filter(|audience| audience.strip_prefix("https:").unwrap_or(audience) != own)
        .collect();
    if !foreign.is_empty() {
        wrong.push(format!(
            "it allows the audiences {}, besides its own name",
            foreign.join(", ")
        ));
    }
    if wrong.is_empty() {
        Found::pass(format!("{issuer_url}, {condition}"))
    } else {
        // Not a matter of settling: this is what is written there.
        Found::fail(
            wrong.join("; "),
            "run the setup again: it corrects the provider",
        )
    }
}

/// Before a rotation completes, Google must see the next key too.
async fn of_keys(run: &Run<'_>, issuer: &dyn Issuer, keys: IssuerKeys, read: &Read) -> Found {
    let found = match read {
        Ok(found) => found,
        Err(failure) => return unread(run, failure, "provider"),
    };
    let uploaded = found["oidc"]["jwksJson"].as_str();
    let Some(uploaded) = uploaded else {
        return match keys {
            IssuerKeys::Fetched => Found::pass(
                "Google fetches the keys from the issuer's address; it took a token of the key \
                 that signs now",
            ),
            IssuerKeys::Uploaded => Found::fail(
                "no keys were uploaded, and this server's are not to be fetched",
                "run the setup again: it uploads the keys",
            ),
        };
    };
    let (signing, ours) = futures::join!(issuer.key_id(), issuer.jwks());
    let (signing, ours) = match (signing, ours) {
        (Ok(signing), Ok(ours)) => (signing, ours),
        (Err(error), _) | (_, Err(error)) => {
            return Found::with(
                landfall_model::check::Outcome::Unanswered,
                format!("this server could not read its own keys: {error}"),
                "the operator runs 'landfall doctor' on the server",
            );
        }
    };
    compare(&signing, &ours, uploaded, keys)
}

fn compare(signing: &str, ours: &Value, uploaded: &str, keys: IssuerKeys) -> Found {
    let again = match keys {
        IssuerKeys::Uploaded => "run the setup again: it uploads the keys that this server has now",
        // gcloud cannot take them away.
        IssuerKeys::Fetched => {
            "remove the uploaded keys, so that Google fetches them: IAM & Admin → Workload \
             Identity Federation → the pool → the provider → Edit → JWK file"
        }
    };
    let seen: Value = serde_json::from_str(uploaded).unwrap_or_default();
    let keys = |jwks: &Value| -> BTreeSet<(String, String, String)> {
        jwks["keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|key| {
                let text = |name: &str| Some(key[name].as_str()?.to_owned());
                Some((text("kid")?, text("n")?, text("e")?))
            })
            .collect()
    };
    let (ours, seen) = (keys(ours), keys(&seen));
    let missing: Vec<&str> = ours
        .difference(&seen)
        .map(|(kid, _, _)| kid.as_str())
        .collect();
    if missing.contains(&signing) {
        Found::fail(
            format!("the key {signing} signs, and the provider does not know it"),
            again,
        )
    } else if !missing.is_empty() {
        Found::warn(
            format!("the provider does not know {} yet", missing.join(", ")),
            format!("before this server's rotation of keys completes: {again}"),
        )
    } else {
        Found::pass(format!("the provider knows {signing}, which signs"))
    }
}

fn of_role(run: &Run<'_>, role: &GcpRole, read: &Read) -> Found {
    let found = match read {
        Ok(found) => found,
        Err(failure) if is_out_of_sight(run, failure) => {
            return Found::warn(
                format!(
                    "not visible to us: {failure}. What the role lacks, and what it must not have, \
                     is asked of Google all the same"
                ),
                let_us_see(run),
            );
        }
        Err(failure) => return unread(run, failure, "such role"),
    };
    if found["deleted"] == true || found["stage"] == "DISABLED" {
        return run
            .recorder
            .denied("the role is deleted or disabled", "run the setup again");
    }
    let is: BTreeSet<&str> = texts(&found["includedPermissions"]).into_iter().collect();
    let wanted: BTreeSet<&str> = role.permissions.iter().map(String::as_str).collect();
    let more: Vec<&str> = is.difference(&wanted).copied().collect();
    let less: Vec<&str> = wanted.difference(&is).copied().collect();
    if more.is_empty() && less.is_empty() {
        return Found::pass(format!("{} permissions, exactly", is.len()));
    }
    let mut said = Vec::new();
    if !more.is_empty() {
        said.push(format!("it has besides: {}", more.join(", ")));
    }
    if !less.is_empty() {
        said.push(format!("it lacks: {}", less.join(", ")));
    }
    let noun = match run.grant.place() {
        GcpPlace::Project(_) => "project",
        GcpPlace::Parent(_) => "organization",
    };
    Found::warn(said.join("; "), again(noun))
}

/// Who is granted a folder does not see the custom roles of the organization.
fn let_us_see(run: &Run<'_>) -> String {
    let bootstrap = run.connection.service_account_email("bootstrap");
    format!(
        "to let Landfall look, grant {bootstrap} the role Organization Role Viewer \
         (roles/iam.organizationRoleViewer) on {}; or compare the role with the setup yourself. \
         Without it, everything else works",
        run.grant.place().roles_in()
    )
}

fn of_trust(run: &Run<'_>, account: &GcpAccount, read: &Read) -> Found {
    let found = match read {
        Ok(found) => found,
        Err(failure) => return unread(run, failure, "such service account"),
    };
    let is = everything_in(found);
    let role = run.grant.trust.role();
    let wanted = match run.connection.access() {
        // Who knows no number got no session, and is not here.
        GcpAccess::WorkloadIdentity {
            project_number: None,
        } => return Found::skipped("the project's number is not known"),
        GcpAccess::WorkloadIdentity {
            project_number: Some(number),
        } => line(role, Some(&run.grant.trust.member(number)), None),
        GcpAccess::Impersonation {
            service_account: None,
        } => return Found::skipped("this server has made no service account for it yet"),
        GcpAccess::Impersonation {
            service_account: Some(service_account),
        }
        | GcpAccess::ServiceAccountKey {
            service_account, ..
        } => line(
            role,
            Some(&format!("serviceAccount:{service_account}")),
            None,
        ),
    };
    let others: Vec<&str> = is
        .iter()
        .map(String::as_str)
        // A deleted member gives nothing to anybody.
        .filter(|found| *found != wanted && !found.contains(" to deleted:"))
        .collect();
    if !is.contains(&wanted) {
        return run.recorder.denied(
            format!("{} lacks the binding {wanted}", account.email),
            "run the setup again",
        );
    }
    if others.is_empty() {
        return Found::pass(wanted);
    }
    let said = format!("besides this connection: {}", others.join(", "));
    let anybody = others.iter().any(|other| {
        [
            "principalSet:",
            "allUsers",
            "allAuthenticatedUsers",
            "domain:",
        ]
        .iter()
        .any(|many| other.contains(many))
    });
    let remedy = format!(
        "remove them unless you mean them: IAM & Admin → Service accounts → {} → Principals with \
         access",
        account.email
    );
    if anybody {
        Found::fail(said, remedy)
    } else {
        Found::warn(said, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::check::Outcome;

    #[test]
    fn a_key_that_the_provider_does_not_know_is_found() {
        let key = |kid: &str, n: &str| json!({ "kty": "RSA", "kid": kid, "n": n, "e": "AQAB" });
        let ours = json!({ "keys": [key("now", "1"), key("next", "2")] });
        let uploaded = |keys: Value| json!({ "keys": keys }).to_string();
        let outcome = |text: &str| compare("now", &ours, text, IssuerKeys::Uploaded).outcome;
        let both = uploaded(json!([key("now", "1"), key("next", "2"), key("old", "3")]));
        assert_eq!(outcome(&both), Outcome::Pass);
        assert_eq!(outcome(&uploaded(json!([key("now", "1")]))), Outcome::Warn);
        assert_eq!(outcome(&uploaded(json!([key("next", "2")]))), Outcome::Fail);
        // The same name, another key.
        assert_eq!(outcome(&uploaded(json!([key("now", "9")]))), Outcome::Fail);
        assert_eq!(outcome("nothing"), Outcome::Fail);
    }
}
