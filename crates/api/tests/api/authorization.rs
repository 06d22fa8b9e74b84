//! Every endpoint of the OpenAPI document × {nobody, viewer, member, admin,
//! another organization's admin}.

use crate::{
    client::{Answer, Call, delete, get, patch, post, put_score, send},
    common::{self, Person, SCORE, World},
};
use axum::{Router, http::Method};
use landfall_app::{environments, plans, retained, rollouts};
use landfall_model::{
    environment::ApprovalPolicy, graph::Address, member::Role, resource::Resource, store::Write,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What needs no token. This list may only shrink. (The issuer's documents, which
/// are for everybody, are a router of their own: see `issuer.rs`.)
const OPEN: &[&str] = &["GET /api/v1/openapi.json", "GET /healthz", "GET /readyz"];

/// Whom an endpoint answers, and what another organization's Admin gets.
#[derive(Clone, Copy)]
struct Rule {
    least: Role,
    elsewhere: Elsewhere,
}

#[derive(Clone, Copy, PartialEq)]
enum Elsewhere {
    /// It names something of ours: there is no such thing.
    NotFound,
    /// It is about the caller's own organization: it shows nothing of ours.
    Theirs,
}

#[rustfmt::skip]
const RULES: &[(&str, Role, Elsewhere)] = {
    use Elsewhere::{NotFound, Theirs};
    use Role::{Admin, Member, Viewer};
    &[
        ("GET /api/v1/me", Viewer, Theirs),
        ("GET /api/v1/members", Viewer, Theirs),
        ("POST /api/v1/members", Admin, Theirs),
        ("PATCH /api/v1/members/{id}", Admin, NotFound),
        ("DELETE /api/v1/members/{id}", Admin, NotFound),
        ("GET /api/v1/tokens", Viewer, Theirs),
        ("POST /api/v1/tokens", Admin, Theirs),
        ("DELETE /api/v1/tokens/{id}", Admin, NotFound),
        ("GET /api/v1/methods", Viewer, Theirs),
        ("GET /api/v1/connections", Viewer, Theirs),
        ("POST /api/v1/connections", Admin, Theirs),
        ("GET /api/v1/connections/{id}", Viewer, NotFound),
        ("PATCH /api/v1/connections/{id}", Admin, NotFound),
        ("GET /api/v1/connections/{id}/grant", Viewer, NotFound),
        ("GET /api/v1/connections/{id}/template", Viewer, NotFound),
        ("GET /api/v1/connections/{id}/checks", Viewer, NotFound),
        ("POST /api/v1/connections/{id}/verify", Member, NotFound),
        ("GET /api/v1/connections/{id}/regions", Viewer, NotFound),
        ("GET /api/v1/connections/{id}/remaining", Viewer, NotFound),
        ("GET /api/v1/connections/{id}/stream", Viewer, NotFound),
        ("POST /api/v1/connections/{id}/migration", Admin, NotFound),
        ("DELETE /api/v1/connections/{id}/migration", Admin, NotFound),
        ("POST /api/v1/connections/{id}/rotation", Admin, NotFound),
        ("POST /api/v1/connections/{id}/disconnect", Admin, NotFound),
        ("GET /api/v1/applications", Viewer, Theirs),
        ("POST /api/v1/applications", Member, Theirs),
        ("GET /api/v1/applications/{id}", Viewer, NotFound),
        ("DELETE /api/v1/applications/{id}", Member, NotFound),
        ("PUT /api/v1/applications/{id}/workloads/{name}", Member, NotFound),
        ("DELETE /api/v1/applications/{id}/workloads/{name}", Member, NotFound),
        ("GET /api/v1/environments", Viewer, Theirs),
        ("POST /api/v1/environments", Member, NotFound),
        ("GET /api/v1/environments/{id}", Viewer, NotFound),
        ("PATCH /api/v1/environments/{id}", Member, NotFound),
        ("DELETE /api/v1/environments/{id}", Member, NotFound),
        ("GET /api/v1/environments/{id}/resources", Viewer, NotFound),
        ("GET /api/v1/environments/{id}/plans", Viewer, NotFound),
        ("POST /api/v1/environments/{id}/plans", Member, NotFound),
        ("GET /api/v1/plans/{id}", Viewer, NotFound),
        ("POST /api/v1/plans/{id}/approve", Admin, NotFound),
        ("POST /api/v1/plans/{id}/rollouts", Member, NotFound),
        ("GET /api/v1/rollouts", Viewer, Theirs),
        ("GET /api/v1/rollouts/{id}", Viewer, NotFound),
        ("GET /api/v1/rollouts/{id}/events", Viewer, NotFound),
        ("GET /api/v1/rollouts/{id}/stream", Viewer, NotFound),
        ("POST /api/v1/rollouts/{id}/cancel", Member, NotFound),
        ("POST /api/v1/rollouts/{id}/resume", Member, NotFound),
        ("GET /api/v1/retained", Viewer, Theirs),
        ("GET /api/v1/retained/{id}", Viewer, NotFound),
        ("POST /api/v1/retained/{id}/destroy", Admin, NotFound),
        ("POST /api/v1/retained/{id}/forget", Admin, NotFound),
        ("GET /api/v1/audit", Viewer, Theirs),
        ("GET /api/v1/audit/verify", Viewer, Theirs),
    ]
};

fn endpoints() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&landfall_api::openapi_document()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    found
}

fn rules() -> BTreeMap<&'static str, Rule> {
    let rule = |(endpoint, least, elsewhere): &(&'static str, Role, Elsewhere)| {
        let (least, elsewhere) = (*least, *elsewhere);
        (*endpoint, Rule { least, elsewhere })
    };
    RULES.iter().map(rule).collect()
}

#[test]
fn every_endpoint_has_a_rule() {
    let rules = rules();
    for endpoint in endpoints() {
        assert!(
            rules.contains_key(endpoint.as_str()),
            "{endpoint} is not in the authorization test: add it to RULES in {} with the least \
             role that may use it, and a request for it to `request`",
            file!()
        );
    }
    let endpoints = endpoints();
    for endpoint in rules.keys() {
        assert!(
            endpoints.contains(*endpoint),
            "{endpoint} is gone: remove it from RULES"
        );
    }
}

/// One of each noun, in one organization, and a stranger in another.
struct Stage {
    world: World,
    router: Router,
    viewer: Person,
    member: Person,
    admin: Person,
    stranger: Person,
    /// A member whom nobody else here is, with a token that nobody uses.
    other: Person,
    names: BTreeMap<&'static str, String>,
}

async fn stage() -> Stage {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let stranger = world.tenant("Globex").await.admin;
    let viewer = world.person(&tenant, Role::Viewer).await;
    let member = world.person(&tenant, Role::Member).await;
    let other = world.person(&tenant, Role::Viewer).await;
    let admin = tenant.admin;
    let actor = &admin.actor;
    let connection = world.connected(actor).await;
    let shop = common::application(&world.app, actor).await;
    let environment = async |name: &str, approval| {
        let new = environments::New {
            application_id: shop.id.clone(),
            connection_id: connection.id.clone(),
            name: name.to_owned(),
            kind: landfall_model::environment::Kind::Development,
            region: None,
            approval: Some(approval),
            settings: Default::default(),
        };
        environments::create(&world.app, actor, new)
            .await
            .unwrap()
            .environment
    };
    let manual = environment("manual", ApprovalPolicy::Manual).await;
    let automatic = environment("automatic", ApprovalPolicy::Automatic).await;
    let running = environment("running", ApprovalPolicy::Automatic).await;
    let retired = environment("retired", ApprovalPolicy::Manual).await;
    let proposed = plans::create(&world.app, actor, &manual.id).await.unwrap();
    let approved = plans::create(&world.app, actor, &automatic.id)
        .await
        .unwrap();
    let used = plans::create(&world.app, actor, &running.id).await.unwrap();
    let rollout = rollouts::start(&world.app, actor, &used.id).await.unwrap();
    let resource = Resource {
        environment_id: retired.id.clone(),
        address: Address::new("logs.group"),
        type_name: "AWS::Logs::LogGroup".to_owned(),
        title: "Logs".to_owned(),
        identifier: "landfall-logs".to_owned(),
        account_id: common::ACCOUNT.to_owned(),
        region: common::REGION.to_owned(),
        applied: json!({}),
        outputs: json!({}),
        stateful: false,
        generation: 1,
        monthly_cents: None,
        updated_at: world.app.now(),
    };
    world
        .store
        .commit(vec![Write::PutResource(resource)])
        .await
        .unwrap();
    environments::delete(&world.app, actor, &retired.id)
        .await
        .unwrap();
    let retained = retained::list(&world.app, actor, false)
        .await
        .unwrap()
        .remove(0);
    let names = BTreeMap::from([
        ("connection", connection.id.to_string()),
        ("application", shop.id.to_string()),
        ("manual", manual.id.to_string()),
        ("proposed", proposed.id.to_string()),
        ("digest", proposed.digest.to_string()),
        ("approved", approved.id.to_string()),
        ("rollout", rollout.id.to_string()),
        ("retained", retained.id.to_string()),
        ("member", other.member.id.to_string()),
        ("token", other.actor.token_id().to_string()),
    ]);
    Stage {
        router: landfall_api::router(world.app.clone()),
        world,
        viewer,
        member,
        admin,
        stranger,
        other,
        names,
    }
}

impl Stage {
    /// A request that succeeds for who may make it.
    async fn request(&self, endpoint: &str, token: &str) -> Answer {
        let (method, template) = endpoint.split_once(' ').unwrap();
        let id = |noun: &str| self.names[noun].as_str();
        let noun = match template.split('/').nth(3).unwrap() {
            "members" => "member",
            "tokens" => "token",
            "connections" => "connection",
            "applications" => "application",
            "environments" => "manual",
            "plans" if template.ends_with("rollouts") => "approved",
            "plans" => "proposed",
            "rollouts" => "rollout",
            "retained" => "retained",
            _ => "connection",
        };
        let path = template.replace("{id}", id(noun)).replace("{name}", "web");
        let path = path.as_str();
        let name = json!({ "name": "another" });
        let body = match endpoint {
            "POST /api/v1/members" => json!({ "name": "Zoë", "role": "viewer" }),
            "PATCH /api/v1/members/{id}" => name,
            "POST /api/v1/connections" => json!({ "name": "b", "account_id": "210987654321" }),
            "POST /api/v1/connections/{id}/migration" => json!({ "method": "oidc" }),
            "POST /api/v1/connections/{id}/rotation" => json!({}),
            "PATCH /api/v1/connections/{id}" => name,
            "POST /api/v1/applications" | "POST /api/v1/tokens" => name,
            "POST /api/v1/environments" => json!({
                "application_id": id("application"), "connection_id": id("connection"),
                "name": "another", "kind": "preview",
            }),
            "PATCH /api/v1/environments/{id}" => json!({ "settings": { "replicas": 2 } }),
            "POST /api/v1/plans/{id}/approve" => json!({ "digest": id("digest") }),
            "POST /api/v1/retained/{id}/destroy" | "POST /api/v1/retained/{id}/forget" => {
                json!({ "typed_name": "landfall-logs" })
            }
            _ => json!({}),
        };
        match method {
            "GET" if template.ends_with("/stream") => self.head_of_stream(path, token).await,
            "GET" => get(&self.router, token, path).await,
            "DELETE" => delete(&self.router, token, path).await,
            "PUT" => put_score(&self.router, token, path, SCORE).await,
            "PATCH" => patch(&self.router, token, path, &body).await,
            "POST" => post(&self.router, token, path, &body).await,
            other => panic!("{other}"),
        }
    }

    /// A stream does not end by itself.
    async fn head_of_stream(&self, path: &str, token: &str) -> Answer {
        let call = Call {
            method: Method::GET,
            path,
            token: Some(token),
            content_type: None,
            headers: &[],
            body: vec![],
        };
        self.world.app.closing().cancel();
        send(&self.router, call).await
    }
}

/// What refuses even who may use it, in this stage, and why: a rollout runs, and
/// the only method of the cloud is in use.
const REFUSED: &[(&str, &str)] = &[
    ("POST /api/v1/rollouts/{id}/resume", "environment-busy"),
    ("DELETE /api/v1/applications/{id}", "environment-busy"),
    (
        "POST /api/v1/connections/{id}/disconnect",
        "environment-busy",
    ),
    (
        "POST /api/v1/connections/{id}/migration",
        "connection-method-unavailable",
    ),
    (
        "DELETE /api/v1/connections/{id}/migration",
        "connection-state",
    ),
    ("POST /api/v1/connections/{id}/rotation", "connection-state"),
];

#[tokio::test]
async fn nobody_gets_in_without_a_valid_token() {
    let stage = stage().await;
    for endpoint in endpoints() {
        let nobody = format!("lf_{}", "0".repeat(64));
        for token in ["", "nonsense", &nobody] {
            let answer = stage.request(&endpoint, token).await;
            let code = answer.code();
            assert!(
                code == "unauthenticated" || code == "rate-limited",
                "{endpoint} answers {} to nobody. Only {OPEN:?} may, and that list may only shrink",
                answer.status
            );
        }
    }
    for endpoint in OPEN {
        let path = endpoint.strip_prefix("GET ").unwrap();
        assert!(
            get(&stage.router, "", path).await.status.is_success(),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn roles_may_do_what_the_table_says_and_no_more() {
    // What is refused or only reads changes nothing; what changes something
    // gets a stage of its own.
    let shared = stage().await;
    for (endpoint, rule) in rules() {
        for role in Role::ALL {
            let changes = role >= rule.least && !endpoint.starts_with("GET ");
            if changes {
                judge(&stage().await, endpoint, rule, role).await;
            } else {
                judge(&shared, endpoint, rule, role).await;
            }
        }
    }
}

async fn judge(stage: &Stage, endpoint: &str, rule: Rule, role: Role) {
    let person = match role {
        Role::Viewer => &stage.viewer,
        Role::Member => &stage.member,
        Role::Admin => &stage.admin,
    };
    let answer = stage.request(endpoint, person.secret()).await;
    if role < rule.least {
        assert_eq!(
            answer.code(),
            "forbidden",
            "a {role} gets {} from {endpoint}, which is for {} and above: the use case must go \
             through `audit::attempt` with the right permission",
            answer.status,
            rule.least
        );
    } else if let Some((_, code)) = REFUSED.iter().find(|(one, _)| *one == endpoint) {
        assert_eq!(answer.code(), *code, "{endpoint} as {role}");
    } else {
        assert!(
            answer.status.is_success(),
            "a {role} may use {endpoint}, but gets {} {}",
            answer.status,
            answer.text
        );
    }
}

#[tokio::test]
async fn another_organizations_admin_sees_and_touches_nothing() {
    let stage = stage().await;
    let before =
        landfall_app::audit::list(&stage.world.app, &stage.admin.actor, Some(0), Some(500))
            .await
            .unwrap();
    // First what is about their own organization: afterwards their audit log
    // holds the ids that they tried.
    let mut rules: Vec<_> = rules().into_iter().collect();
    rules.sort_by_key(|(_, rule)| rule.elsewhere == Elsewhere::NotFound);
    for (endpoint, rule) in rules {
        let answer = stage.request(endpoint, stage.stranger.secret()).await;
        match rule.elsewhere {
            Elsewhere::NotFound => assert_eq!(
                answer.code(),
                "not-found",
                "{endpoint} lets another organization's Admin know that it exists: {}",
                answer.text
            ),
            Elsewhere::Theirs => {
                assert!(answer.status.is_success(), "{endpoint}: {}", answer.text);
                for ours in stage.names.values().chain([&stage.other.member.name]) {
                    assert!(
                        !answer.text.contains(ours),
                        "{endpoint} shows {ours} to another organization's Admin"
                    );
                }
            }
        }
    }
    // None of it happened, and none of it is in our log.
    let after = landfall_app::audit::list(&stage.world.app, &stage.admin.actor, Some(0), Some(500))
        .await
        .unwrap();
    assert_eq!(before, after);
}
