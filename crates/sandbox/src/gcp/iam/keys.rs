//! Service account keys. The private half is in the answer that makes it, and
//! nowhere else.

use crate::gcp::call::{Answer, Call};
use crate::gcp::error::Refusal;
use crate::gcp::resources::constraint;
use crate::gcp::state::{Key, ServiceAccount};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Keys of an account.
const QUOTA: usize = 10;

/// Either of these constraints forbids keys.
const CONSTRAINTS: [&str; 2] = [
    "iam.disableServiceAccountKeyCreation",
    "iam.managed.disableServiceAccountKeyCreation",
];

fn name(number: &str, account: &ServiceAccount, id: &str, call: &Call<'_, '_>) -> String {
    let project = call
        .state()
        .find_project(number)
        .map(|(_, project)| project.id.as_str())
        .unwrap_or_default();
    format!(
        "projects/{project}/serviceAccounts/{}/keys/{id}",
        account.email
    )
}

fn render(name: &str, key: &Key) -> Value {
    json!({
        "name": name,
        "validAfterTime": key.created.iso8601(),
        "validBeforeTime": "9999-12-31T23:59:59Z",
        "keyAlgorithm": "KEY_ALG_RSA_2048",
        "keyOrigin": "GOOGLE_PROVIDED",
        "keyType": "USER_MANAGED",
    })
}

fn shown(name: &str, key: &Key) -> Value {
    let mut shown = render(name, key);
    if key.disabled {
        shown["disabled"] = json!(true);
    }
    shown
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let (number, account) = call.account("iam.serviceAccountKeys.create")?;
    let node = format!("projects/{number}");
    for name in CONSTRAINTS {
        if constraint::enforced(call.state(), &node, name) {
            return Err(Refusal::precondition(
                "Key creation is not allowed on this service account.",
            )
            .violation(
                &format!("constraints/{name}"),
                &format!(
                    "projects/{}/serviceAccounts/{}?configvalue={}",
                    call.param("project"),
                    account.email,
                    account.email
                ),
                "Key creation is not allowed on this service account.",
            ));
        }
    }
    if !matches!(
        call.text("/privateKeyType"),
        "" | "TYPE_GOOGLE_CREDENTIALS_FILE"
    ) || !matches!(call.text("/keyAlgorithm"), "" | "KEY_ALG_RSA_2048")
    {
        return Err(Refusal::invalid(
            "Only RSA 2048 keys in a credentials file are simulated here.",
        ));
    }
    if account.keys.len() >= QUOTA {
        return Err(Refusal::precondition("Precondition check failed."));
    }
    let (email, unique_id) = (account.email.clone(), account.unique_id.clone());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Refusal::internal())?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Refusal::internal())?;
    let spki: PublicKeyX509Der<'_> = pair
        .public_key()
        .as_der()
        .map_err(|_| Refusal::internal())?;
    let key = Key {
        public: STANDARD.encode(pair.public_key().as_ref()),
        spki: STANDARD.encode(spki.as_ref()),
        created: call.at.wall,
        disabled: false,
    };
    let id = call.state_mut().rng.hex(40);
    let project_id = email
        .split_once('@')
        .and_then(|(_, host)| host.strip_suffix(".iam.gserviceaccount.com"))
        .unwrap_or_default();
    // Google's own addresses, whatever the sandbox's: a reader that trusts
    // other ones can be sent anywhere by a forged file.
    let file = json!({
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": id,
        "private_key": pem("PRIVATE KEY", private.as_ref()),
        "client_email": email,
        "client_id": unique_id,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": format!(
            "https://www.googleapis.com/robot/v1/metadata/x509/{}",
            email.replace('@', "%40")
        ),
        "universe_domain": "googleapis.com",
    });
    let mut shown = render(
        &format!("projects/{project_id}/serviceAccounts/{email}/keys/{id}"),
        &key,
    );
    let text = serde_json::to_string_pretty(&file).map_err(|_| Refusal::internal())?;
    shown["privateKeyType"] = json!("TYPE_GOOGLE_CREDENTIALS_FILE");
    shown["privateKeyData"] = json!(STANDARD.encode(text));
    let account = call
        .state_mut()
        .account_mut(&unique_id)
        .ok_or_else(Refusal::internal)?;
    account.keys.insert(id, key);
    Ok(shown)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let (number, account) = call.account("iam.serviceAccountKeys.list")?;
    // Google's own keys of an account, which it signs with itself, are not
    // simulated.
    let wanted: Vec<&str> = call
        .query
        .iter()
        .filter(|(name, _)| name == "keyTypes")
        .map(|(_, value)| value.as_str())
        .collect();
    if !wanted.is_empty() && !wanted.contains(&"USER_MANAGED") {
        return Ok(json!({}));
    }
    let keys: Vec<Value> = account
        .keys
        .iter()
        .map(|(id, key)| shown(&name(&number, account, id, call), key))
        .collect();
    Ok(json!({ "keys": keys }))
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("Service account key {id} does not exist."))
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let (number, account) = call.account("iam.serviceAccountKeys.get")?;
    let id = call.param("key");
    let key = account.keys.get(&id).ok_or_else(|| unknown(&id))?;
    let mut shown = shown(&name(&number, account, &id, call), key);
    if call.query("publicKeyType") == Some("TYPE_RAW_PUBLIC_KEY") {
        let der = STANDARD
            .decode(&key.spki)
            .map_err(|_| Refusal::internal())?;
        shown["publicKeyData"] = json!(STANDARD.encode(pem("PUBLIC KEY", &der)));
    }
    Ok(shown)
}

pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    let (_, account) = call.account("iam.serviceAccountKeys.delete")?;
    let (unique_id, id) = (account.unique_id.clone(), call.param("key"));
    if !account.keys.contains_key(&id) {
        return Err(unknown(&id));
    }
    if let Some(account) = call.state_mut().account_mut(&unique_id) {
        account.keys.remove(&id);
    }
    Ok(json!({}))
}

fn switch(call: &mut Call<'_, '_>, permission: &str, disabled: bool) -> Answer {
    let (_, account) = call.account(permission)?;
    let (unique_id, id) = (account.unique_id.clone(), call.param("key"));
    let key = call
        .state_mut()
        .account_mut(&unique_id)
        .and_then(|account| account.keys.get_mut(&id));
    key.ok_or_else(|| unknown(&id))?.disabled = disabled;
    Ok(json!({}))
}

pub(super) fn disable(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.serviceAccountKeys.disable", true)
}

pub(super) fn enable(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.serviceAccountKeys.enable", false)
}
