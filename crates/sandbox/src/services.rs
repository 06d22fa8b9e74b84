//! Deployed services answer: at `/services/<DNS name of the load balancer>/…`,
//! and at any path when that name is in the Host header.

use crate::cloudcontrol::{
    Env, LISTENER, LISTENER_RULE, LOAD_BALANCER, Place, Resource, SERVICE, cluster_name, strings,
    task_definition, text,
};
use crate::console::html::{e, page};
use crate::shared::Shared;
use crate::types::Model;
use crate::world::World;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};
use std::sync::Arc;

/// Routes under `/services`.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/services/{name}", any(root))
        .route("/services/{name}/", any(root))
        .route("/services/{name}/{*path}", any(inner))
        .with_state(shared)
}

/// The path under `/services` for a request that names a load balancer as its
/// host, as a client does that resolves the name to this address.
pub(crate) fn by_host(headers: &HeaderMap, path: &str) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = host.split(':').next().unwrap_or(host);
    name.ends_with(".elb.amazonaws.com")
        .then(|| format!("/services/{name}{path}"))
}

async fn root(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    respond(&shared, &name, "/", &headers)
}

async fn inner(
    State(shared): State<Arc<Shared>>,
    Path((name, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    respond(&shared, &name, &format!("/{path}"), &headers)
}

fn respond(shared: &Shared, name: &str, path: &str, headers: &HeaderMap) -> Response {
    let found = route(&shared.world(), name, path);
    let wants_json = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    match found {
        Routed::Unknown => error(
            StatusCode::NOT_FOUND,
            "No such load balancer",
            &format!("Nothing here is called {name}."),
        ),
        Routed::Nobody(reason) => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "503 Service Temporarily Unavailable",
            &reason,
        ),
        Routed::Fixed { status, body } => (status, body).into_response(),
        Routed::Service(service) if wants_json => axum::Json(service.as_json()).into_response(),
        Routed::Service(service) => Html(service.as_page(path)).into_response(),
    }
}

fn error(status: StatusCode, title: &str, reason: &str) -> Response {
    let body = format!(
        "<h1>{}</h1><div class=\"card\"><p>{}</p></div>",
        e(title),
        e(reason)
    );
    (status, Html(page(title, None, &body))).into_response()
}

/// Where a request ends up.
enum Routed {
    Unknown,
    Nobody(String),
    Fixed { status: StatusCode, body: String },
    Service(Deployed),
}

/// A running service as its page shows it.
struct Deployed {
    account: String,
    region: String,
    cluster: String,
    service: String,
    definition: String,
    containers: Vec<Container>,
}

struct Container {
    name: String,
    image: String,
    environment: Vec<(String, String)>,
    /// Name and where the value would come from; never the value.
    secrets: Vec<(String, String)>,
}

fn route(world: &World, name: &str, path: &str) -> Routed {
    for (account, state) in &world.accounts {
        for region in state.cloudcontrol.keys() {
            let place = Place::new(account, region);
            let env = Env::new(world, &place, world.now());
            let balancer = env
                .all(LOAD_BALANCER)
                .into_iter()
                .find(|balancer| text(&balancer.properties, "DNSName") == Some(name));
            if let Some(balancer) = balancer {
                return forward(&env, &balancer, path);
            }
        }
    }
    Routed::Unknown
}

fn forward(env: &Env<'_>, balancer: &Resource, path: &str) -> Routed {
    if !balancer.ready {
        return Routed::Nobody("The load balancer is still being provisioned.".to_owned());
    }
    let listener = env.all(LISTENER).into_iter().find(|listener| {
        text(&listener.properties, "LoadBalancerArn") == Some(balancer.identifier.as_str())
    });
    let Some(listener) = listener else {
        return Routed::Nobody("The load balancer has no listener.".to_owned());
    };
    let mut rules: Vec<_> = env
        .all(LISTENER_RULE)
        .into_iter()
        .filter(|rule| text(&rule.hidden, "ListenerArn") == Some(listener.identifier.as_str()))
        .filter(|rule| matches(&rule.properties, path))
        .collect();
    rules.sort_by_key(|rule| rule.properties.get("Priority").and_then(Value::as_i64));
    let actions = rules.first().map_or_else(
        || listener.properties.get("DefaultActions"),
        |rule| rule.properties.get("Actions"),
    );
    let Some(action) = actions.and_then(Value::as_array).and_then(|all| all.last()) else {
        return Routed::Nobody("No action matches.".to_owned());
    };
    if let Some(fixed) = action.get("FixedResponseConfig") {
        let status = fixed["StatusCode"]
            .as_str()
            .and_then(|code| code.parse().ok());
        return Routed::Fixed {
            status: status.unwrap_or(StatusCode::OK),
            body: fixed["MessageBody"].as_str().unwrap_or_default().to_owned(),
        };
    }
    let group = action["TargetGroupArn"]
        .as_str()
        .or_else(|| action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"].as_str());
    match group.and_then(|group| serving(env, group)) {
        Some(service) => Routed::Service(service),
        None => Routed::Nobody("No healthy target is registered.".to_owned()),
    }
}

/// Whether a rule's path patterns let a path through. Other conditions are
/// taken as met.
fn matches(rule: &Model, path: &str) -> bool {
    let conditions = rule.get("Conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().all(|condition| {
        if condition["Field"] != "path-pattern" {
            return true;
        }
        let listed = [
            &condition["Values"],
            &condition["PathPatternConfig"]["Values"],
        ];
        listed
            .iter()
            .filter_map(|values| values.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .any(|pattern| glob(pattern.as_bytes(), path.as_bytes()))
    })
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Iterative, so that a pattern of many stars cannot take for ever.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) && pattern[p] != b'*'
        {
            p += 1;
            t += 1;
        } else if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            t = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// A healthy service behind a target group.
fn serving(env: &Env<'_>, group: &str) -> Option<Deployed> {
    let service = env.all(SERVICE).into_iter().find(|service| {
        service.ready
            && env.exists(SERVICE, &service.identifier)
            && strings(&service.properties, "LoadBalancers/*/TargetGroupArn").contains(&group)
            && service.properties.get("DesiredCount") != Some(&json!(0))
    })?;
    let properties = &service.properties;
    let definition = task_definition(env, text(properties, "TaskDefinition")?)?;
    let arn = text(&definition, "TaskDefinitionArn").unwrap_or_default();
    let containers = definition
        .get("ContainerDefinitions")
        .and_then(Value::as_array);
    Some(Deployed {
        account: env.place.account.clone(),
        region: env.place.region.clone(),
        cluster: cluster_name(text(properties, "Cluster").unwrap_or_default()).to_owned(),
        service: text(properties, "ServiceName")
            .unwrap_or_default()
            .to_owned(),
        definition: cluster_name(arn).to_owned(),
        containers: containers.into_iter().flatten().map(container).collect(),
    })
}

fn container(definition: &Value) -> Container {
    let pairs = |list: &str, value: &str| -> Vec<(String, String)> {
        definition[list]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| {
                let field = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
                (field("Name"), field(value))
            })
            .collect()
    };
    Container {
        name: definition["Name"].as_str().unwrap_or_default().to_owned(),
        image: definition["Image"].as_str().unwrap_or_default().to_owned(),
        environment: pairs("Environment", "Value"),
        secrets: pairs("Secrets", "ValueFrom"),
    }
}

impl Deployed {
    fn revision(&self) -> &str {
        self.definition.rsplit(':').next().unwrap_or_default()
    }

    fn as_json(&self) -> Value {
        let containers: Vec<Value> = self
            .containers
            .iter()
            .map(|container| {
                json!({
                    "name": container.name,
                    "image": container.image,
                    "environment": container.environment.iter().cloned()
                        .collect::<std::collections::BTreeMap<_, _>>(),
                    "secrets": container.secrets.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "simulated": true,
            "account": self.account,
            "region": self.region,
            "cluster": self.cluster,
            "service": self.service,
            "task_definition": self.definition,
            "revision": self.revision(),
            "containers": containers,
        })
    }

    fn as_page(&self, path: &str) -> String {
        let mut rows = String::new();
        for (label, value) in [
            ("Account", self.account.as_str()),
            ("Region", &self.region),
            ("Cluster", &self.cluster),
            ("Task definition", &self.definition),
            ("Revision", self.revision()),
            ("Path", path),
        ] {
            rows.push_str(&format!("<tr><th>{label}</th><td>{}</td></tr>", e(value)));
        }
        let mut body = format!(
            "<p class=\"hint\">A simulated service answers</p><h1 id=\"service\">{}</h1>\
             <div class=\"card scroll\"><table>{rows}</table></div>",
            e(&self.service)
        );
        for container in &self.containers {
            body.push_str(&format!(
                "<div class=\"card\"><h2>{}</h2><p>Image <code class=\"image\">{}</code></p>",
                e(&container.name),
                e(&container.image)
            ));
            if !container.environment.is_empty() || !container.secrets.is_empty() {
                body.push_str(
                    "<div class=\"scroll\"><table><tr><th>Variable</th><th>Value</th></tr>",
                );
                for (name, value) in &container.environment {
                    body.push_str(&format!(
                        "<tr><td>{}</td><td>{}</td></tr>",
                        e(name),
                        e(value)
                    ));
                }
                for (name, from) in &container.secrets {
                    body.push_str(&format!(
                        "<tr><td>{}</td><td class=\"hint\">from {}</td></tr>",
                        e(name),
                        e(from)
                    ));
                }
                body.push_str("</table></div>");
            }
            body.push_str("</div>");
        }
        page(&self.service, None, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_paths() {
        assert!(glob(b"/api/*", b"/api/v1/x"));
        assert!(glob(b"*", b"/"));
        assert!(glob(b"/v?/x", b"/v1/x"));
        assert!(!glob(b"/api/*", b"/apis"));
        assert!(!glob(b"/v?/x", b"/v12/x"));
        assert!(glob(b"*a*b", b"xxaxxb") && !glob(b"*a*b", b"xxaxxc"));
    }
}
