use super::{is_open, refuse_taken_name, regions, secrets::Entered, target};
use crate::{Actor, App, Permission, audit, cloud, failed, members::limit_reached, names};
use landfall_model::{
    Code, Error,
    connection::{Connection, State, Target},
    error::Result,
    grant::GrantGuide,
    id::{ConnectionId, WorkId},
    store::Write,
    vault::Plain,
    work::{Job, NewWork},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a client sends. Fields are text until they were checked, so that each
/// fault gets its own code.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub struct New {
    pub name: String,
    /// `aws` (when absent), `gcp` or `azure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// A method of the cloud. When absent: `assume-role` of AWS,
    /// `workload-identity` of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// AWS: 12 digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account_id: String,
    /// AWS: `aws` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Google Cloud: the project's id, neither its name nor its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Google Cloud, `workload-identity`: the setup prints it; it can be said
    /// later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// Google Cloud: what the grant covers besides the project, which is below
    /// it: `organizations/456` or `organizations/456/folders/123`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Azure: the directory's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// Azure: the id of the management group that the grant covers, above the
    /// subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_group: Option<String>,
    /// Azure: `narrow` (when absent), or `broad`: the role that other products
    /// ask for, with which one key is enough to destroy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breadth: Option<String>,
    /// Azure: of the application that the setup registers and prints; it can be
    /// said later, with `client-secret` together with the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Google Cloud, `service-account-key`: the text of the JSON key file.
    /// Written only: it is sealed, and no answer has it.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub service_account_key: Option<Plain>,
    /// Azure, `client-secret`: its value. Written only: it is sealed, and no
    /// answer has it.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub client_secret: Option<Plain>,
    /// Azure, `client-secret`: the day on which it ends (`2027-05-01`), where
    /// Landfall may not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<String>,
    /// The regions you want to use; they can be chosen after connecting.
    #[serde(default)]
    pub regions: Vec<String>,
    /// False leaves the reaper out: then Landfall never deletes.
    #[serde(default)]
    pub with_reaper: Option<bool>,
    /// Always refused: a client that could choose its external id could take
    /// somebody else's and use their role (the confused deputy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub external_id: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CreatedConnection)]
pub struct Created {
    pub connection: Connection,
    pub grant: GrantGuide,
}

/// Makes a pending connection and says how to grant; Landfall looks for the
/// grant from now on.
pub async fn create(app: &App, actor: &Actor, new: New) -> Result<Created> {
    let target = target::named(&new);
    let work = async {
        app.limits.new_connection(actor.organization_id())?;
        let (mut connection, secret) = checked(app, &new, actor)?;
        let connector = app.connector(connection.method())?;
        cloud::available(connector.as_ref()).await?;
        // Two requests at the same time must not both find the account free.
        // Two replicas could: then there are two connections, each with its own
        // external id and roles, and either can be disconnected.
        let _one_at_a_time = app
            .locks
            .lock(format!("connections/{}", actor.organization_id()))
            .await;
        refuse_duplicate(app, actor, &connection).await?;
        connection.target = prepared(app, &connection).await?;
        let detail = json!({
            "name": connection.name,
            "cloud": connection.cloud(),
            "method": connection.method().as_str(),
            "scope": connection.scope(),
            "above": connection.target.above(),
            "breadth": connection.target.breadth().as_str(),
            "with_reaper": connection.with_reaper,
        });
        let now = app.now();
        let mut writes = vec![
            Write::PutConnection(connection.clone()),
            audit::entry(
                app,
                actor,
                Permission::ConnectionCreate,
                &connection.id,
                detail,
            ),
            Write::Enqueue(NewWork {
                id: WorkId::at(now, &*app.entropy),
                organization_id: connection.organization_id.clone(),
                job: Job::Detect {
                    connection_id: connection.id.clone(),
                },
                run_at: now,
            }),
        ];
        // The guide first: a connection that nobody can be told how to grant
        // would only be in the way.
        let grant = super::grant::guide(app, &connection).await?;
        if let Some(secret) = secret {
            let owner = &connection.organization_id;
            writes.push(secret.seal(app, owner, &connection.id).await?);
        }
        app.commit("creating the connection", writes).await?;
        Ok(Created { connection, grant })
    };
    audit::attempt(app, actor, Permission::ConnectionCreate, &target, work).await
}

/// The target, once this server has made what it needs on its own side. What is
/// left over when the rest fails is found again by the next try, and harms
/// nobody: no customer trusts it.
pub(super) async fn prepared(app: &App, connection: &Connection) -> Result<Target> {
    let connector = app.connector(connection.method())?;
    cloud::in_time(connector.prepare(connection))
        .await
        .map_err(|silence| silence.into_error("preparing this server's side"))
}

fn checked(app: &App, new: &New, actor: &Actor) -> Result<(Connection, Option<Entered>)> {
    names::display("name", &new.name)?;
    if new.external_id.is_some() {
        return Err(Error::new(
            Code::ConnectionExternalIdRefused,
            "the request brings an external id",
            "leave the field out: the answer has the one that Landfall made",
        )
        .with_violation("external_id", "is made by the server", None));
    }
    let target::Parsed { target, secret } = target::parse(app, new)?;
    regions::check_form(&target, &new.regions)?;
    let now = app.now();
    let connection = Connection {
        id: ConnectionId::at(now, &*app.entropy),
        organization_id: actor.organization_id().clone(),
        name: new.name.clone(),
        target,
        migration: None,
        left_behind: None,
        rotation: None,
        external_id: format!("lf-{}", hex::encode(app.entropy.array::<20>())),
        regions: regions::tidy(&new.regions),
        default_region: None,
        with_reaper: new.with_reaper.unwrap_or(true),
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: now },
        created_at: now,
        updated_at: now,
        version: 1,
    };
    Ok((connection, secret))
}

async fn refuse_duplicate(app: &App, actor: &Actor, connection: &Connection) -> Result<()> {
    let open: Vec<Connection> = app
        .store
        .connections(actor.organization_id())
        .await
        .map_err(failed("listing connections"))?
        .into_iter()
        .filter(is_open)
        .collect();
    let same = |one: &&Connection| one.target.is_same_grant(&connection.target);
    if let Some(existing) = open.iter().find(same) {
        return Err(Error::new(
            Code::ConnectionDuplicate,
            format!(
                "the connection '{}' is for that {} already",
                existing.name,
                existing.cloud().scope_noun()
            ),
            "use that one, or disconnect it first",
        ));
    }
    if open.len() >= app.settings.quotas.connections {
        return Err(limit_reached("connections"));
    }
    refuse_taken_name(app, actor, &connection.name, None).await
}
