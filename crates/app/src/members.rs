//! People of an organization.

use crate::{Actor, App, Permission, audit, failed, names};
use landfall_model::{
    Code, Error,
    error::Result,
    id::MemberId,
    member::{Member, Role},
    organization::Organization,
    store::Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMember)]
pub struct New {
    pub name: String,
    pub role: Role,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MemberChange)]
pub struct Change {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub role: Option<Role>,
}

/// Who asks, as the server sees them.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    pub organization: Organization,
    pub member: Member,
    /// The lesser of the member's role and the token's.
    pub role: Role,
}

pub async fn me(app: &App, actor: &Actor) -> Result<Me> {
    audit::read(app, actor, Permission::MemberRead).await?;
    let operation = "reading the member";
    let organization = app
        .store
        .organization(actor.organization_id())
        .await
        .map_err(failed(operation))?
        .ok_or_else(|| Error::not_found("organization", actor.organization_id()))?;
    Ok(Me {
        organization,
        member: find(app, actor, actor.member_id()).await?,
        role: actor.role(),
    })
}

/// Without removed ones.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Member>> {
    audit::read(app, actor, Permission::MemberRead).await?;
    present(app, actor).await
}

pub async fn add(app: &App, actor: &Actor, new: New) -> Result<Member> {
    let work = async {
        names::display("name", &new.name)?;
        let members = present(app, actor).await?;
        if members.len() >= app.settings.quotas.members {
            return Err(limit_reached("members"));
        }
        let now = app.now();
        let member = Member {
            id: MemberId::at(now, &*app.entropy),
            organization_id: actor.organization_id().clone(),
            name: new.name.clone(),
            role: new.role,
            created_at: now,
            removed_at: None,
            version: 1,
        };
        let detail = json!({ "name": member.name, "role": member.role });
        let writes = vec![
            Write::PutMember(member.clone()),
            audit::entry(app, actor, Permission::MemberAdd, &member.id, detail),
        ];
        app.commit("adding the member", writes).await?;
        Ok(member)
    };
    audit::attempt(app, actor, Permission::MemberAdd, "", work).await
}

pub async fn change(app: &App, actor: &Actor, id: &MemberId, change: Change) -> Result<Member> {
    let work = async {
        // Two Admins who demote each other at the same time must not both
        // succeed; see `keep_an_admin`.
        let _one_at_a_time = app
            .locks
            .lock(format!("members/{}", actor.organization_id()))
            .await;
        let mut member = find(app, actor, id).await?;
        let mut detail = json!({});
        if let Some(name) = change.name {
            names::display("name", &name)?;
            detail["name"] = json!([member.name, name]);
            member.name = name;
        }
        let mut writes = Vec::new();
        if let Some(role) = change.role {
            if role < member.role && member.role == Role::Admin {
                writes.extend(keep_an_admin(app, actor, id).await?);
            }
            detail["role"] = json!([member.role, role]);
            member.role = role;
        }
        member.version += 1;
        writes.push(Write::PutMember(member.clone()));
        writes.push(audit::entry(
            app,
            actor,
            Permission::MemberChange,
            id,
            detail,
        ));
        app.commit("changing the member", writes).await?;
        Ok(member)
    };
    audit::attempt(app, actor, Permission::MemberChange, id.as_str(), work).await
}

/// Their tokens and sessions stop working at once.
pub async fn remove(app: &App, actor: &Actor, id: &MemberId) -> Result<Member> {
    let work = async {
        let _one_at_a_time = app
            .locks
            .lock(format!("members/{}", actor.organization_id()))
            .await;
        let mut member = find(app, actor, id).await?;
        let mut writes = Vec::new();
        if member.role == Role::Admin {
            writes.extend(keep_an_admin(app, actor, id).await?);
        }
        member.removed_at = Some(app.now());
        member.version += 1;
        writes.push(Write::PutMember(member.clone()));
        let detail = json!({ "name": member.name });
        writes.push(audit::entry(
            app,
            actor,
            Permission::MemberRemove,
            id,
            detail,
        ));
        app.commit("removing the member", writes).await?;
        Ok(member)
    };
    audit::attempt(app, actor, Permission::MemberRemove, id.as_str(), work).await
}

/// Refuses when `leaving` is the last Admin. Otherwise returns a write that
/// touches another Admin's row: if another replica demotes that one at the same
/// time, one of the two batches conflicts, so they cannot both leave.
async fn keep_an_admin(app: &App, actor: &Actor, leaving: &MemberId) -> Result<Option<Write>> {
    let staying = present(app, actor)
        .await?
        .into_iter()
        .find(|member| member.role == Role::Admin && &member.id != leaving);
    match staying {
        Some(mut staying) => {
            staying.version += 1;
            Ok(Some(Write::PutMember(staying)))
        }
        None => Err(Error::new(
            Code::MemberLastAdmin,
            "this is the organization's last Admin",
            "make somebody else an Admin first",
        )),
    }
}

pub(crate) fn limit_reached(what: &str) -> Error {
    Error::new(
        Code::LimitReached,
        format!("the organization has as many {what} as it may have"),
        "remove some, or ask the operator to raise the limit",
    )
}

async fn present(app: &App, actor: &Actor) -> Result<Vec<Member>> {
    let mut members = app
        .store
        .members(actor.organization_id())
        .await
        .map_err(failed("listing members"))?;
    members.retain(|member| member.removed_at.is_none());
    Ok(members)
}

pub(crate) async fn find(app: &App, actor: &Actor, id: &MemberId) -> Result<Member> {
    app.store
        .member(actor.organization_id(), id)
        .await
        .map_err(failed("reading the member"))?
        .filter(|member| member.removed_at.is_none())
        .ok_or_else(|| Error::not_found("member", id))
}
