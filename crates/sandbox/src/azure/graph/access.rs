//! Which permission a call needs. A user's token carries the user's rights.

use super::super::answer::Failure;
use super::super::entra::Kind;
use super::super::state::{Application, Tenant};
use super::{Ask, not_found};

fn denied() -> Failure {
    Failure::new(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )
}

/// Whether the caller's token carries one of these permissions.
pub(super) fn has(ask: &Ask<'_>, permissions: &[&str]) -> bool {
    match &ask.caller.kind {
        Kind::Application { roles, .. } => permissions.iter().any(|wanted| roles.contains(*wanted)),
        Kind::User {
            global_administrator,
        } => *global_administrator,
    }
}

pub(super) fn need(ask: &Ask<'_>, permissions: &[&str]) -> Result<(), Failure> {
    if has(ask, permissions) {
        Ok(())
    } else {
        Err(denied())
    }
}

const READ: [&str; 4] = [
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const WRITE: [&str; 1] = ["Application.ReadWrite.All"];
const OWNED: [&str; 1] = ["Application.ReadWrite.OwnedBy"];

pub(super) fn owns(ask: &Ask<'_>, application: &Application) -> bool {
    application.owners.contains(&ask.caller.object_id)
}

/// Reading one application: everybody's, or one's own.
pub(super) fn may_read(ask: &Ask<'_>, application: &Application) -> bool {
    let itself = matches!(&ask.caller.kind, Kind::Application { app_id, .. } if *app_id == application.app_id);
    has(ask, &READ) || (has(ask, &OWNED) && (owns(ask, application) || itself))
}

pub(super) fn read_any(ask: &Ask<'_>) -> Result<(), Failure> {
    need(ask, &[READ.as_slice(), &OWNED].concat())
}

pub(super) fn read(ask: &Ask<'_>, application: &Application) -> Result<(), Failure> {
    if may_read(ask, application) {
        Ok(())
    } else {
        Err(denied())
    }
}

/// Creating needs either; `OwnedBy` makes the caller the owner.
pub(super) fn create(ask: &Ask<'_>) -> Result<(), Failure> {
    need(ask, &[WRITE.as_slice(), &OWNED].concat())
}

pub(super) fn write(ask: &Ask<'_>, application: &Application) -> Result<(), Failure> {
    if has(ask, &WRITE) || (has(ask, &OWNED) && owns(ask, application)) {
        Ok(())
    } else {
        Err(denied())
    }
}

/// The object id behind a key: an id, or `appId=…`.
pub(super) fn application<'t>(tenant: &'t Tenant, key: &str) -> Result<&'t Application, Failure> {
    let found = match key.strip_prefix("appId=") {
        Some(app_id) => tenant
            .applications
            .values()
            .find(|application| application.app_id.eq_ignore_ascii_case(app_id)),
        None => tenant.applications.get(key),
    };
    found.ok_or_else(|| not_found(key))
}

/// The id of an application that the caller may change.
pub(super) fn writable(ask: &Ask<'_>, tenant: &Tenant, key: &str) -> Result<String, Failure> {
    let application = application(tenant, key)?;
    write(ask, application)?;
    Ok(application.id.clone())
}
