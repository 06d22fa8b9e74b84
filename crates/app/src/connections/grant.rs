use super::find;
use crate::{
    Actor, App, Permission, audit,
    cloud::{self, Silence},
    failed,
};
use futures::future::join_all;
use landfall_model::{
    Code, Error,
    connection::{Cloud, Connection, Method},
    connector::Availability,
    error::Result,
    grant::{GrantGuide, GrantSpec, ServerPrincipal, Way},
    id::ConnectionId,
};

use landfall_plan::policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A method and whether this server can offer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = OfferedMethod)]
pub struct Offered {
    pub cloud: Cloud,
    /// Its name; `workload-identity` exists in two clouds.
    pub method: String,
    /// When to choose it.
    pub about: String,
    pub availability: Availability,
    /// How to make what has to be entered to begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beforehand: Vec<Way>,
}

impl Offered {
    /// True where no secret is stored.
    pub fn is_keyless(&self) -> bool {
        Method::parse(self.cloud, &self.method).is_none_or(Method::is_keyless)
    }
}

pub async fn methods(app: &App, actor: &Actor) -> Result<Vec<Offered>> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    // Side by side: a cloud that does not answer must not add up.
    let offered = app
        .connectors
        .iter()
        .map(async |(method, connector)| Offered {
            cloud: method.cloud(),
            method: method.as_str().to_owned(),
            about: method.about().to_owned(),
            availability: cloud::availability(connector.as_ref()).await,
            beforehand: connector.beforehand(),
        });
    Ok(join_all(offered).await)
}

/// The ways to make the grant, with the template where the quick-create link
/// reads it.
pub async fn grant(app: &App, actor: &Actor, id: &ConnectionId) -> Result<GrantGuide> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    let connection = find(app, actor.organization_id(), id).await?;
    guide(app, &connection).await
}

/// The CloudFormation template, for those who download it.
pub async fn template(app: &App, actor: &Actor, id: &ConnectionId) -> Result<Value> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    let connection = find(app, actor.organization_id(), id).await?;
    let also = connection.migration.as_ref().map(|to| to.target.method());
    let (_, spec) = spec(app, &connection, also).await?;
    spec.template().cloned().ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no template for {}", connection.cloud().title()),
            "read the grant: it has the ways to make it",
        )
    })
}

/// The ways to make the grant; of a connection that moves, to grant the new way
/// beside the old one.
pub(super) async fn guide(app: &App, connection: &Connection) -> Result<GrantGuide> {
    let migrated = connection.migrated();
    let also = migrated.as_ref().map(|_| connection.method());
    let connection = migrated.as_ref().unwrap_or(connection);
    let connector = app.connector(connection.method())?;
    let (principal, spec) = spec(app, connection, also).await?;
    // Publishing again is harmless, and heals a bucket that was emptied.
    cloud::in_time(connector.publish(connection, &spec))
        .await
        .map_err(|silence| silence.into_error("publishing the template"))?;
    let mut others = app
        .store
        .connections(&connection.organization_id)
        .await
        .map_err(failed("listing connections"))?;
    others.retain(|one| one.id != connection.id && one.target.is_same_scope(&connection.target));
    connector
        .guide(connection, &others, &spec, &principal)
        .map_err(|failure| Error::internal("writing the guide", failure))
}

/// What the customer grants; `also` is the other method of a connection that
/// moves, whose principal is let in, too.
pub(super) async fn spec(
    app: &App,
    connection: &Connection,
    also: Option<Method>,
) -> Result<(ServerPrincipal, GrantSpec)> {
    let principal = principal(app, connection.method()).await?;
    let also = match also {
        Some(method) => Some(self::principal(app, method).await?),
        None => None,
    };
    let spec = policy::grant_also(connection, &principal, also.as_ref()).map_err(|error| {
        Error::new(
            Code::ConnectionMethodUnavailable,
            format!("the grant cannot be described: {error}"),
            "the operator runs 'landfall doctor' on the server: it says what is missing",
        )
        .with_source(error)
    })?;
    Ok((principal, spec))
}

async fn principal(app: &App, method: Method) -> Result<ServerPrincipal> {
    let connector = app.connector(method)?;
    cloud::in_time(connector.principal())
        .await
        .map_err(|silence| {
            let unavailable = |what: &str| {
                Error::new(
                    Code::ConnectionMethodUnavailable,
                    format!("this server's own identity is not available: {what}"),
                    "the operator runs 'landfall doctor' on the server: it says what is missing",
                )
            };
            match silence {
                Silence::Refused(failure) => unavailable(&failure.message).with_source(failure),
                Silence::Unreachable | Silence::Paused(_) => {
                    unavailable("the cloud did not answer in time")
                }
            }
        })
}
