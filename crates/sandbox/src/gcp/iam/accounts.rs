//! Service accounts. Deleting one turns its members in policies into
//! `deleted:…?uid=…`: a new one of the same address inherits nothing.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::policy::Policy;
use crate::gcp::resources::{requested_version, set, test};
use crate::gcp::state::{Life, Project, ServiceAccount, State};
use crate::iam::{Moment, Versioned};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Accounts of a project, unless its quota was raised.
const QUOTA: usize = 100;

fn render(project: &Project, account: &ServiceAccount) -> Value {
    let mut shown = json!({
        "name": format!("projects/{}/serviceAccounts/{}", project.id, account.email),
        "projectId": project.id,
        "uniqueId": account.unique_id,
        "email": account.email,
        "etag": "MDEwMjE5MjA=",
        "oauth2ClientId": account.unique_id,
    });
    for (field, value) in [
        ("displayName", &account.display_name),
        ("description", &account.description),
    ] {
        if !value.is_empty() {
            shown[field] = json!(value);
        }
    }
    if account.disabled {
        shown["disabled"] = json!(true);
    }
    shown
}

fn shown(call: &Call<'_, '_>, number: &str, unique_id: &str) -> Answer {
    let (_, project) = call
        .state()
        .find_project(number)
        .ok_or_else(Refusal::internal)?;
    let account = project
        .accounts
        .get(unique_id)
        .ok_or_else(Refusal::internal)?;
    Ok(render(project, account))
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("iam.serviceAccounts.create")?;
    let id = call.text("/accountId");
    let (number, project_id) = (project.number.clone(), project.id.clone());
    let letters = id
        .bytes()
        .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let starts = id.starts_with(|c: char| c.is_ascii_lowercase());
    if !(6..=30).contains(&id.len()) || !letters || !starts || id.ends_with('-') {
        return Err(Refusal::invalid(format!(
            "The account ID \"{id}\" does not have a length between 6 and 30, or is not made of \
             lower case letters, digits and dashes."
        )));
    }
    let email = format!("{id}@{project_id}.iam.gserviceaccount.com");
    let active = || {
        project
            .accounts
            .values()
            .filter(|account| account.life == Life::Active)
    };
    if active().any(|account| account.email == email) {
        return Err(Refusal::exists(format!(
            "Service account {id} already exists within project projects/{project_id}."
        ))
        .info(
            "ALREADY_EXISTS",
            "iam.googleapis.com",
            json!({ "resource": email }),
        ));
    }
    if active().count() >= QUOTA {
        return Err(Refusal::precondition(
            "Maximum number of service accounts on project reached.",
        ));
    }
    let (display_name, description) = (
        call.text("/serviceAccount/displayName").to_owned(),
        call.text("/serviceAccount/description").to_owned(),
    );
    if display_name.len() > 100 || description.len() > 256 {
        return Err(Refusal::invalid(
            "The display name or the description is too long.",
        ));
    }
    let now = call.at.now;
    let unique_id = format!("1{}", call.state_mut().rng.text(20, b"0123456789"));
    call.project_mut(&number)?.accounts.insert(
        unique_id.clone(),
        ServiceAccount {
            unique_id: unique_id.clone(),
            email,
            display_name,
            description,
            disabled: false,
            life: Life::Active,
            keys: BTreeMap::new(),
            policy: Versioned::new(Policy::default(), now),
        },
    );
    shown(call, &number, &unique_id)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("iam.serviceAccounts.list")?;
    let all = project
        .accounts
        .values()
        .filter(|account| account.life == Life::Active)
        .map(|account| render(project, account))
        .collect();
    page(call, "accounts", all, 100)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let (number, account) = call.account("iam.serviceAccounts.get")?;
    shown(call, &number, &account.unique_id)
}

/// The account's unique id and project, if the caller may do this to it.
fn named(call: &Call<'_, '_>, permission: &str) -> Result<(String, String), Refusal> {
    let (number, account) = call.account(permission)?;
    Ok((number, account.unique_id.clone()))
}

pub(super) fn patch(call: &mut Call<'_, '_>) -> Answer {
    let (number, id) = named(call, "iam.serviceAccounts.update")?;
    let given = call.body["serviceAccount"].clone();
    let mask = call.mask(&given);
    let account = call
        .state_mut()
        .account_mut(&id)
        .ok_or_else(Refusal::internal)?;
    let text = |field: &str| given[field].as_str().unwrap_or_default().to_owned();
    if mask.contains("displayName") {
        account.display_name = text("displayName");
    }
    if mask.contains("description") {
        account.description = text("description");
    }
    shown(call, &number, &id)
}

pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    let (_, id) = named(call, "iam.serviceAccounts.delete")?;
    let at = call.at;
    remove(call.state_mut(), &id, &at);
    Ok(json!({}))
}

/// Deletes an account, whoever asks.
pub(in crate::gcp) fn remove(state: &mut State, unique_id: &str, at: &Moment) {
    let Some(account) = state.account_mut(unique_id) else {
        return;
    };
    account.life = Life::Deleted { at: at.now };
    let (from, to) = names(&account.email, unique_id);
    state.rename_member(&from, &to, at);
}

fn names(email: &str, unique_id: &str) -> (String, String) {
    (
        format!("serviceAccount:{email}"),
        format!("deleted:serviceAccount:{email}?uid={unique_id}"),
    )
}

pub(super) fn undelete(call: &mut Call<'_, '_>) -> Answer {
    let (wanted, permission) = (call.param("account"), "iam.serviceAccounts.undelete");
    let now = call.at.now;
    let found = call
        .state()
        .projects()
        .find_map(|(_, project)| Some((project, project.accounts.get(&wanted)?)))
        .filter(|(_, account)| !account.life.is_over(now));
    let Some((project, account)) = found else {
        return Err(Refusal::not_found(format!(
            "Service account {wanted} was not found among those deleted in the last 30 days; it is \
             named by its unique id."
        )));
    };
    let node = format!("projects/{}", project.number);
    if !call.may(permission, &node) {
        return Err(call.denied(permission, &format!("{node}/serviceAccounts/{wanted}")));
    }
    if account.life == Life::Active {
        return Err(Refusal::precondition("The service account is not deleted."));
    }
    if call.state().account(&account.email).is_some() {
        return Err(Refusal::exists(
            "Another service account has the same address by now.",
        ));
    }
    let number = project.number.clone();
    let (to, from) = names(&account.email, &wanted);
    let at = call.at;
    let state = call.state_mut();
    if let Some(account) = state.account_mut(&wanted) {
        account.life = Life::Active;
    }
    state.rename_member(&from, &to, &at);
    Ok(json!({ "restoredAccount": shown(call, &number, &wanted)? }))
}

fn switch(call: &mut Call<'_, '_>, permission: &str, disabled: bool) -> Answer {
    let (_, id) = named(call, permission)?;
    let account = call
        .state_mut()
        .account_mut(&id)
        .ok_or_else(Refusal::internal)?;
    account.disabled = disabled;
    Ok(json!({}))
}

pub(super) fn disable(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.serviceAccounts.disable", true)
}

pub(super) fn enable(call: &mut Call<'_, '_>) -> Answer {
    switch(call, "iam.serviceAccounts.enable", false)
}

pub(super) fn get_policy(call: &mut Call<'_, '_>) -> Answer {
    let version = requested_version(call)?;
    let (_, account) = call.account("iam.serviceAccounts.getIamPolicy")?;
    Ok(account.policy.latest().render(version))
}

pub(super) fn set_policy(call: &mut Call<'_, '_>) -> Answer {
    let (number, account) = call.account("iam.serviceAccounts.setIamPolicy")?;
    let (id, current) = (account.unique_id.clone(), account.policy.latest().clone());
    let policy = set::checked(call, &current, &format!("projects/{number}"))?;
    let (shown, at) = (policy.render(3), call.at);
    let account = call
        .state_mut()
        .account_mut(&id)
        .ok_or_else(Refusal::internal)?;
    account.policy.set(policy, &at);
    Ok(shown)
}

pub(super) fn test_permissions(call: &mut Call<'_, '_>) -> Answer {
    let id = call.param("account");
    let (project, account) = call
        .state()
        .account(&id)
        .ok_or_else(|| Refusal::not_found(format!("Unknown service account: {id}")))?;
    let node = format!("projects/{}", project.number);
    test(call, |permission| {
        call.may_on_account(permission, account, &node)
    })
}
