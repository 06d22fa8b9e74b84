//! Whether the grant is the current one, and as it was.

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
        AzureRole, Identity,
        azure::{CONNECTION_MARK, VERSION_MARK, marked, object_id_of},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// The grant as it is: of each role that should be there, what was found.
struct Snapshot<'r> {
    roles: Vec<(&'r AzureRole, Option<Granted<'r>>)>,
    /// Other assignments of our identities.
    others: BTreeSet<String>,
}

/// One role, and its assignment to the identity that it is for.
struct Granted<'r> {
    definition: &'r Value,
    assignment: Option<&'r Value>,
}

fn snapshot<'r>(run: &Run<'r>, read: &'r Read, ids: &BTreeMap<Identity, String>) -> Snapshot<'r> {
    let mut others = BTreeSet::new();
    for assignment in &read.assignments {
        let properties = &assignment["properties"];
        let principal = properties["principalId"].as_str().unwrap_or_default();
        for (identity, id) in ids {
            let own = role_named(&read.roles, run.azure, *identity);
            if principal == id && !own.is_some_and(|role| is_of(assignment, role)) {
                let role = last_segment(properties["roleDefinitionId"].as_str().unwrap_or("?"));
                others.insert(format!(
                    "the {} also has {} at {}",
                    identity.as_str(),
                    read.role_name(role),
                    properties["scope"].as_str().unwrap_or("?"),
                ));
            }
        }
    }
    let roles = run
        .expected_roles()
        .map(|role| {
            let found =
                role_named(&read.roles, run.azure, role.identity).map(|definition| Granted {
                    definition,
                    assignment: read.assignments.iter().find(|one| {
                        is_of(one, definition)
                            && ids.get(&role.identity).is_some_and(|id| {
                                one["properties"]["principalId"].as_str() == Some(id.as_str())
                            })
                    }),
                });
            (role, found)
        })
        .collect();
    Snapshot { roles, others }
}

fn texts(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

impl Granted<'_> {
    fn permission(&self, name: &str) -> BTreeSet<String> {
        let permissions = self.definition["properties"]["permissions"].as_array();
        permissions
            .into_iter()
            .flatten()
            .flat_map(|permission| texts(&permission[name]))
            .collect()
    }

    /// Without what Azure adds and changes by itself: ids, times, who did it.
    fn document(&self) -> Value {
        let assignment = self.assignment.map(|one| {
            let properties = &one["properties"];
            json!({
                "principal": properties["principalId"],
                "scope": properties["scope"],
                "condition": properties["condition"],
                "description": properties["description"],
            })
        });
        json!({
            "name": self.definition["properties"]["roleName"],
            "description": self.definition["properties"]["description"],
            "scopes": texts(&self.definition["properties"]["assignableScopes"]),
            "actions": self.permission("actions"),
            "not_actions": self.permission("notActions"),
            "data_actions": self.permission("dataActions"),
            "not_data_actions": self.permission("notDataActions"),
            "assignment": assignment,
        })
    }
}

impl Snapshot<'_> {
    fn digest(&self) -> Option<Digest> {
        let roles: Vec<Value> = self
            .roles
            .iter()
            .map(|(role, found)| {
                json!({
                    "identity": role.identity,
                    "found": found.as_ref().map(Granted::document),
                })
            })
            .collect();
        Digest::of_json(&json!({ "roles": roles, "others": self.others })).ok()
    }

    /// The lowest version on any of the roles; `None` when one has none.
    fn version(&self) -> Option<u32> {
        self.roles
            .iter()
            .map(|(_, found)| {
                let description =
                    found.as_ref()?.definition["properties"]["description"].as_str()?;
                marked(description, VERSION_MARK)?.parse().ok()
            })
            .min()
            .flatten()
    }

    fn differences(&self, scope: &str, ids: &BTreeMap<Identity, String>) -> Vec<String> {
        let mut all: Vec<String> = self
            .roles
            .iter()
            .flat_map(|(role, found)| match found {
                None => vec![format!("there is no role {}", role.name)],
                Some(found) => found.differences(role, scope, ids),
            })
            .collect();
        all.extend(self.others.iter().cloned());
        all
    }
}

impl Granted<'_> {
    fn differences(
        &self,
        role: &AzureRole,
        scope: &str,
        ids: &BTreeMap<Identity, String>,
    ) -> Vec<String> {
        let name = &role.name;
        let mut all = Vec::new();
        let wanted: BTreeSet<String> = role.actions.iter().cloned().collect();
        let is = self.permission("actions");
        let list = |set: &mut dyn Iterator<Item = &String>| {
            set.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let added = list(&mut is.difference(&wanted));
        if !added.is_empty() {
            all.push(format!("{name} also allows {added}"));
        }
        let removed = list(&mut wanted.difference(&is));
        if !removed.is_empty() {
            all.push(format!("{name} does not allow {removed}"));
        }
        for (what, says) in [
            ("notActions", "excludes"),
            ("dataActions", "allows the data actions"),
            ("notDataActions", "excludes the data actions"),
        ] {
            let more = self.permission(what);
            if !more.is_empty() {
                all.push(format!("{name} {says} {}", list(&mut more.iter())));
            }
        }
        let scopes = texts(&self.definition["properties"]["assignableScopes"]);
        if !(scopes.len() == 1 && scopes.iter().all(|one| one.eq_ignore_ascii_case(scope))) {
            all.push(format!(
                "{name} can be assigned at {}",
                list(&mut scopes.iter())
            ));
        }
        match self.assignment {
            None => all.push(format!("{name} is not assigned to its application")),
            Some(assignment) => {
                let properties = &assignment["properties"];
                let is = properties["condition"].as_str().map(normal);
                let wanted = role
                    .condition
                    .as_deref()
                    .map(|text| normal(&filled(text, ids)));
                if is != wanted {
                    all.push(format!(
                        "the condition of {name}'s assignment is not the generated one"
                    ));
                }
                let text = properties["description"].as_str().unwrap_or_default();
                if !text.starts_with(&role.assignment) {
                    all.push(format!(
                        "the assignment of {name} does not say whose it is in its description"
                    ));
                }
            }
        }
        all
    }
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

/// The condition with the object ids that Entra chose. Whoever is not there is
/// not named in it.
fn filled(condition: &str, ids: &BTreeMap<Identity, String>) -> String {
    let text = ids
        .iter()
        .fold(condition.to_owned(), |text, (identity, id)| {
            text.replace(object_id_of(*identity), id)
        });
    text.replace(&format!(", {}", object_id_of(Identity::Reaper)), "")
}

/// White space means nothing in a condition, nor does the case of ids.
fn normal(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_ascii_lowercase()
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
            "if this was not you, somebody else can change access in this subscription; run the \
             script again to undo it",
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
                    "the subscription's activity log says who changed it; run the script again to \
                     undo it",
                )
            }
        }
    }
}
