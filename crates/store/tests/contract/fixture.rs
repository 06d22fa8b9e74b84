//! One organization with one of everything.

use landfall_model::{
    Timestamp,
    application::{self, Application, Workload},
    audit::{Actor, NewEntry},
    check::{Check, CheckRun, Outcome, Trigger},
    connection::{self, Aws, AwsAccess, Connection, Partition, Target},
    digest::Digest,
    environment::{self, ApprovalPolicy, Environment, Kind, Runtime, Settings},
    graph::{Address, Graph},
    id::*,
    journal::{EventKind, Stream},
    member::{Member, Role},
    organization::Organization,
    plan::{self, Plan, Summary},
    resource::Resource,
    retained::{self, Reason, Retained},
    rollout::{self, Rollout},
    session::Session,
    store::{Store, Write},
    token::Token,
    work::{Job, NewWork},
};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const T0: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) fn at(millis: i64) -> Timestamp {
    T0.plus_millis(millis)
}

/// A list of one, to compare with.
pub(crate) fn only<T>(value: &T) -> &[T] {
    std::slice::from_ref(value)
}

macro_rules! fresh {
    ($id:ident) => {
        $id::at($crate::fixture::T0, &$crate::harness::Counter)
    };
}
pub(crate) use fresh;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) organization: Organization,
    pub(crate) member: Member,
    pub(crate) token: Token,
    pub(crate) session: Session,
    pub(crate) connection: Connection,
    pub(crate) check_run: CheckRun,
    pub(crate) application: Application,
    pub(crate) environment: Environment,
    pub(crate) resource: Resource,
    pub(crate) plan: Plan,
    pub(crate) rollout: Rollout,
    pub(crate) retained: Retained,
}

pub(crate) fn secret(id: &str) -> Digest {
    Digest::of_bytes(id.as_bytes())
}

impl World {
    pub(crate) fn new() -> Self {
        let organization = Organization {
            id: fresh!(OrganizationId),
            name: "Acme".into(),
            created_at: T0,
        };
        let member = Member {
            id: fresh!(MemberId),
            organization_id: organization.id.clone(),
            name: "Ada".into(),
            role: Role::Admin,
            created_at: T0,
            removed_at: None,
            version: 1,
        };
        let token = token(&member);
        let session = Session {
            id: fresh!(SessionId),
            organization_id: organization.id.clone(),
            member_id: member.id.clone(),
            token_id: token.id.clone(),
            created_at: T0,
            expires_at: at(1_000),
        };
        let connection = connection(&organization.id, "prod-account");
        let check_run = check_run(&connection, T0);
        let application = application(&organization.id, "shop");
        let environment = environment(&application, &connection, "production");
        let resource = resource(&environment, "network.vpc");
        let plan = plan(&environment, T0);
        let rollout = rollout(&plan, T0);
        let retained = retained(&environment, T0);
        Self {
            organization,
            member,
            token,
            session,
            connection,
            check_run,
            application,
            environment,
            resource,
            plan,
            rollout,
            retained,
        }
    }

    /// Writes all of it in one batch.
    pub(crate) async fn stored(store: &dyn Store) -> Self {
        let world = Self::new();
        store.commit(world.writes()).await.unwrap();
        world
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        let all = self.clone();
        vec![
            Write::InsertOrganization(all.organization),
            Write::PutMember(all.member),
            Write::InsertToken {
                secret_hash: secret(all.token.id.as_str()),
                token: all.token,
            },
            Write::InsertSession {
                secret_hash: secret(all.session.id.as_str()),
                session: all.session,
            },
            Write::PutConnection(all.connection),
            Write::InsertCheckRun(all.check_run),
            Write::PutApplication(all.application),
            Write::PutEnvironment(all.environment),
            Write::PutResource(all.resource),
            Write::PutPlan(all.plan),
            Write::PutRollout(all.rollout),
            Write::PutRetained(all.retained),
        ]
    }

    pub(crate) fn org(&self) -> &OrganizationId {
        &self.organization.id
    }

    pub(crate) fn stream(&self) -> Stream {
        Stream::Rollout(self.rollout.id.clone())
    }

    pub(crate) fn append(&self, number: u32) -> Write {
        Write::Append {
            stream: self.stream(),
            at: at(i64::from(number)),
            address: Some(Address::new("network.vpc")),
            kind: EventKind::Identified {
                attempt: number,
                identifier: format!("vpc-{number}"),
            },
        }
    }

    pub(crate) fn audit(&self, target: &str) -> NewEntry {
        NewEntry {
            organization_id: self.organization.id.clone(),
            at: T0,
            actor: Actor::System,
            action: "connection.verify".into(),
            target: target.to_owned(),
            outcome: "ok".into(),
            detail: json!({"target": target}),
        }
    }

    pub(crate) fn work(&self, job: Job, run_at: Timestamp) -> NewWork {
        NewWork {
            id: fresh!(WorkId),
            organization_id: self.organization.id.clone(),
            job,
            run_at,
        }
    }
}

pub(crate) fn token(member: &Member) -> Token {
    Token {
        id: fresh!(TokenId),
        organization_id: member.organization_id.clone(),
        member_id: member.id.clone(),
        name: "laptop".into(),
        role: Role::Member,
        created_at: T0,
        expires_at: at(10_000),
        revoked_at: None,
    }
}

pub(crate) fn connection(organization: &OrganizationId, name: &str) -> Connection {
    let id = fresh!(ConnectionId);
    Connection {
        external_id: format!("landfall-{}", id.as_str()),
        id,
        organization_id: organization.clone(),
        name: name.to_owned(),
        target: Target::Aws(Aws {
            account_id: "123456789012".parse().unwrap(),
            partition: Partition::Aws,
            access: AwsAccess::AssumeRole,
        }),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["eu-central-1".into()],
        default_region: Some("eu-central-1".into()),
        with_reaper: true,
        grant_version: Some(3),
        grant_digest: Some(Digest::of_bytes(b"grant")),
        too_broad: false,
        checked_at: None,
        state: connection::State::Pending { since: T0 },
        created_at: T0,
        updated_at: T0,
        version: 1,
    }
}

pub(crate) fn check_run(connection: &Connection, started_at: Timestamp) -> CheckRun {
    CheckRun {
        id: fresh!(CheckRunId),
        organization_id: connection.organization_id.clone(),
        connection_id: connection.id.clone(),
        trigger: Trigger::Schedule,
        started_at,
        finished_at: started_at.plus_millis(7),
        checks: vec![Check {
            id: "aws.account-matches".into(),
            title: "The role is in the account".into(),
            outcome: Outcome::Fail,
            asked: "sts:GetCallerIdentity".into(),
            evidence: "„another“ account\n\u{0}\u{1f980}".into(),
            remedy: "Make the role there.".into(),
            millis: u64::MAX,
        }],
    }
}

pub(crate) fn application(organization: &OrganizationId, name: &str) -> Application {
    let workload = Workload {
        score: "apiVersion: score.dev/v1b1\n".into(),
        updated_at: T0,
    };
    Application {
        id: fresh!(ApplicationId),
        organization_id: organization.clone(),
        name: name.to_owned(),
        workloads: BTreeMap::from([("web".to_owned(), workload)]),
        state: application::State::Active,
        created_at: T0,
        updated_at: T0,
        version: 1,
    }
}

pub(crate) fn environment(
    application: &Application,
    connection: &Connection,
    name: &str,
) -> Environment {
    Environment {
        id: fresh!(EnvironmentId),
        organization_id: application.organization_id.clone(),
        application_id: application.id.clone(),
        connection_id: connection.id.clone(),
        name: name.to_owned(),
        kind: Kind::Production,
        region: "eu-central-1".into(),
        runtime: Runtime::Serverless,
        approval: ApprovalPolicy::Manual,
        settings: Settings {
            cpu: Some(256),
            ..Settings::default()
        },
        state: environment::State::Active,
        created_at: T0,
        updated_at: T0,
        version: 1,
    }
}

pub(crate) fn resource(environment: &Environment, address: &str) -> Resource {
    Resource {
        environment_id: environment.id.clone(),
        address: Address::new(address),
        type_name: "AWS::EC2::VPC".into(),
        title: "Network".into(),
        identifier: "vpc-0".into(),
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        applied: json!({"CidrBlock": "10.0.0.0/16", "Weights": [0.1, 1e-7, 12345678.9]}),
        outputs: json!({"VpcId": "vpc-0"}),
        stateful: false,
        generation: 1,
        monthly_cents: Some(42),
        updated_at: T0,
    }
}

pub(crate) fn plan(environment: &Environment, created_at: Timestamp) -> Plan {
    Plan {
        id: fresh!(PlanId),
        organization_id: environment.organization_id.clone(),
        environment_id: environment.id.clone(),
        graph: Graph::default(),
        actions: vec![],
        edits: BTreeMap::new(),
        summary: Summary {
            create: 3,
            ..Summary::default()
        },
        digest: Digest::of_bytes(b"plan"),
        needs_person: false,
        endpoints: BTreeMap::from([("web".to_owned(), json!("http://web"))]),
        state: plan::State::Proposed,
        created_at,
        version: 1,
    }
}

pub(crate) fn rollout(plan: &Plan, created_at: Timestamp) -> Rollout {
    Rollout {
        id: fresh!(RolloutId),
        organization_id: plan.organization_id.clone(),
        environment_id: plan.environment_id.clone(),
        plan_id: plan.id.clone(),
        started_by: "Ada".into(),
        started_by_role: Role::Admin,
        state: rollout::State::Queued { since: created_at },
        created_at,
        version: 1,
    }
}

pub(crate) fn retained(environment: &Environment, since: Timestamp) -> Retained {
    Retained {
        id: fresh!(RetainedId),
        organization_id: environment.organization_id.clone(),
        connection_id: environment.connection_id.clone(),
        environment_id: environment.id.clone(),
        environment_name: "shop/production".into(),
        address: Address::new("db.instance"),
        type_name: "AWS::RDS::DBInstance".into(),
        title: "Database".into(),
        identifier: "landfall-shop-db".into(),
        account_id: "123456789012".into(),
        region: "eu-central-1".into(),
        stateful: true,
        reason: Reason::NoLongerWanted,
        since,
        monthly_cents: None,
        state: retained::State::Retained,
        version: 1,
    }
}
