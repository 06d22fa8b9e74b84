//! Whether the grant is the current one, and as it was.

mod snapshot;

use super::{Found, Question, Run, Signed, no_session};
use crate::connect::reaper::{
    AUTHORIZATION, assignments, custom_roles, is_of, last_segment, role_named,
};
use landfall_model::{
    check::Check,
    connection::Guid,
    digest::Digest,
    driver::Failure,
    grant::{
        Identity,
        azure::{CONNECTION_MARK, VERSION_MARK, marked},
    },
};
use serde_json::Value;
use snapshot::{Snapshot, snapshot};
use std::collections::BTreeMap;

/// Roles and assignments as the subscription has them, or why they could not be
/// read; `None` when nobody could sign in.
pub(super) type Reading = Option<Result<Read, Failure>>;

pub(super) struct Read {
    /// All custom ones.
    pub(super) roles: Vec<Value>,
    /// All that count for the whole subscription.
    pub(super) assignments: Vec<Value>,
    /// Names of built-in roles that the provisioner has, by id.
    names: BTreeMap<String, String>,
}

impl Read {
    pub(super) fn role_name(&self, id: &str) -> String {
        let of = |role: &Value| role["properties"]["roleName"].as_str().map(str::to_owned);
        self.names
            .get(&id.to_ascii_lowercase())
            .cloned()
            .or_else(|| {
                let mut roles = self.roles.iter();
                let role =
                    roles.find(|role| role["name"].as_str().is_some_and(|name| name == id))?;
                of(role)
            })
            .unwrap_or_else(|| format!("the role {id}"))
    }
}

pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    pub(super) version: Option<u32>,
    pub(super) digest: Option<Digest>,
}

pub(super) async fn read(run: &Run<'_>, signed: Option<&Signed<'_>>) -> Reading {
    let signed = signed?;
    Some(all(run, signed).await)
}

async fn all(run: &Run<'_>, signed: &Signed<'_>) -> Result<Read, Failure> {
    let session = &signed.session;
    let (roles, assignments) = futures::try_join!(
        run.recorder.patiently(|| custom_roles(session, run.azure)),
        run.recorder.patiently(|| assignments(session, run.azure)),
    )?;
    let mut names = BTreeMap::new();
    let ours = session.said.object_id.as_ref().map(Guid::as_str);
    for assignment in &assignments {
        let properties = &assignment["properties"];
        let id = last_segment(properties["roleDefinitionId"].as_str().unwrap_or_default());
        let Ok(id) = id.parse::<Guid>() else { continue };
        if properties["principalId"].as_str() != ours
            || roles.iter().any(|role| is_of(assignment, role))
        {
            continue;
        }
        let path = format!(
            "{}/providers/Microsoft.Authorization/roleDefinitions/{id}",
            run.subscription()
        );
        let role = run
            .recorder
            .patiently(|| session.get(&path, &[("api-version", AUTHORIZATION)]))
            .await?;
        if let Some(name) = role["properties"]["roleName"].as_str() {
            names.insert(id.to_string(), name.to_owned());
        }
    }
    Ok(Read {
        roles,
        assignments,
        names,
    })
}

/// The service principals of our identities. The reaper's is read from its
/// assignment, so that a bad minute while signing in as the reaper does not
/// look like a change of the grant.
fn object_ids(
    run: &Run<'_>,
    read: &Read,
    provisioner: Option<&Signed<'_>>,
) -> BTreeMap<Identity, String> {
    let mut ids = BTreeMap::new();
    if let Some(id) = provisioner.and_then(|signed| signed.session.said.object_id.as_ref()) {
        ids.insert(Identity::Provisioner, id.to_string());
    }
    let role = role_named(&read.roles, run.azure, Identity::Reaper);
    let nonce = Some(run.azure.external_id.as_str());
    let reaper = role.and_then(|role| {
        read.assignments.iter().find(|one| {
            let text = one["properties"]["description"]
                .as_str()
                .unwrap_or_default();
            is_of(one, role) && marked(text, CONNECTION_MARK) == nonce
        })
    });
    if let Some(id) = reaper.and_then(|one| one["properties"]["principalId"].as_str()) {
        ids.insert(Identity::Reaper, id.to_owned());
    }
    ids
}

pub(super) fn check(
    run: &Run<'_>,
    reading: &Reading,
    provisioner: Option<&Signed<'_>>,
) -> Findings {
    let ids = match reading {
        Some(Ok(read)) => object_ids(run, read, provisioner),
        _ => BTreeMap::new(),
    };
    let snapshot = match reading {
        Some(Ok(read)) => Some(snapshot(run, read, &ids)),
        _ => None,
    };
    let digest = snapshot.as_ref().and_then(Snapshot::digest);
    let judge = |found: &dyn Fn(&Snapshot<'_>) -> Found| match (&snapshot, reading) {
        (Some(snapshot), _) => found(snapshot),
        (None, Some(Err(failure))) => run.recorder.failed(failure, ""),
        (None, _) => no_session(),
    };
    let asked = "the custom roles and their assignments";
    let checks = vec![
        run.recorder.noted(
            Question::new(
                "azure.grant-version",
                "The grant is of the current version",
                format!("{VERSION_MARK} in the descriptions of the roles"),
            ),
            judge(&|snapshot| of_version(run, snapshot)),
        ),
        run.recorder.noted(
            Question::new(
                "azure.grant-as-specified",
                "The roles and their assignments are as the script makes them",
                format!("{asked}, compared with the script's"),
            ),
            judge(&|snapshot| as_specified(run, snapshot, &ids)),
        ),
        run.recorder.noted(
            Question::new(
                "azure.grant-unchanged",
                "The roles are as they were when they were last verified",
                format!("a digest of {asked}"),
            ),
            judge(&|snapshot| as_before(run, snapshot, &ids)),
        ),
    ];
    Findings {
        checks,
        version: snapshot.as_ref().and_then(Snapshot::version),
        digest,
    }
}

fn of_version(run: &Run<'_>, snapshot: &Snapshot<'_>) -> Found {
    let current = run.spec.version;
    match snapshot.version() {
        Some(version) if version == current => Found::pass(format!("version {version}")),
        Some(version) if version < current => Found::warn(
            format!("version {version}; this server's is {current}"),
            "run the current script: it brings the roles up to date",
        ),
        Some(version) => Found::warn(
            format!("version {version}; this server knows only {current}"),
            "update this Landfall server: a newer one has made or asked for this grant",
        ),
        None => Found::warn(
            "the generated roles are not all there, or one does not say its version",
            "run the current script; a grant that was made by hand works as far as the checks \
             above say",
        ),
    }
}

fn as_specified(run: &Run<'_>, snapshot: &Snapshot<'_>, ids: &BTreeMap<Identity, String>) -> Found {
    if let Some(version) = snapshot.version()
        && version != run.spec.version
    {
        return Found::skipped(format!(
            "not compared: the grant is of version {version}, the script of {}",
            run.spec.version
        ));
    }
    let found = snapshot.differences(&run.spec.scope, ids);
    if found.is_empty() {
        Found::pass("every action, condition and assignment is equal")
    } else {
        Found::warn(
            found.join("; "),
            format!(
                "if this was not you, somebody else can change access in this {}; run the script \
                 again to undo it",
                run.scope()
            ),
        )
    }
}

fn as_before(run: &Run<'_>, snapshot: &Snapshot<'_>, ids: &BTreeMap<Identity, String>) -> Found {
    let Some(digest) = snapshot.digest() else {
        return Found::skipped("the grant could not be digested");
    };
    match &run.azure.grant_digest {
        None => Found::pass(format!("first look: {}", digest.short())),
        Some(before) if *before == digest => Found::pass(format!("still {}", digest.short())),
        Some(before) => {
            let found = snapshot.differences(&run.spec.scope, ids);
            let changed = format!("{} became {}", before.short(), digest.short());
            if found.is_empty() {
                Found::pass(format!("{changed}, exactly as the current script says"))
            } else {
                Found::warn(
                    format!("{changed}: {}", found.join("; ")),
                    format!(
                        "the {}'s activity log says who changed it; run the script again to undo \
                         it",
                        run.scope()
                    ),
                )
            }
        }
    }
}
