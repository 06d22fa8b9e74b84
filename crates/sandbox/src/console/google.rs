//! A project's page: it stands in for Google's console as far as service
//! accounts, their keys and workload identity pools go.

use super::actions::foreign;
use super::form::push;
use super::html::{e, page};
use super::pages::respond;
use super::session::{Fields, Session, is_ours};
use crate::gcp::{self, ask, projects};
use crate::shared::{Shared, WorldGuard};
use crate::world::AccountRole;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;

const TITLE: &str = "Google Cloud project";
const POOLS: [&str; 3] = ["locations", "global", "workloadIdentityPools"];

/// Something of a project in the API; `rest` are its segments, as given.
fn path(project: &str, rest: &[&str]) -> String {
    let mut path = "v1/projects".to_owned();
    for segment in std::iter::once(&project).chain(rest) {
        path.push('/');
        path.extend(utf8_percent_encode(segment, NON_ALPHANUMERIC));
    }
    path
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The items of a list.
fn list(
    world: &mut WorldGuard<'_>,
    project: &str,
    rest: &[&str],
    field: &str,
) -> Result<Vec<Value>, gcp::Refusal> {
    let mut answer = ask(world, project, "GET", &path(project, rest))?;
    Ok(match answer[field].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    })
}

/// The project that the fields name, else the first customer's.
fn chosen(world: &WorldGuard<'_>, fields: &Fields) -> Option<(String, String)> {
    let all = projects(&world.gcp);
    let named = fields
        .get("project")
        .and_then(|wanted| all.iter().find(|(id, ..)| id == wanted));
    let (id, number, _) = named.or_else(|| all.first())?;
    Some((id.clone(), number.clone()))
}

/// The project's page.
pub(super) async fn home(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Response {
    let mut world = shared.world();
    let session = Session::read(&world, &headers, &fields);
    let Some((id, number)) = chosen(&world, &fields) else {
        return refused(&session, "There is no project here.");
    };
    let mut html = switcher(&world, &id);
    push(
        &mut html,
        format_args!(
            "<div class=\"card\"><table><tr><th>Project id</th><td id=\"project-id\">{}</td></tr>\
             <tr><th>Project number</th><td id=\"project-number\">{}</td></tr></table></div>",
            e(&id),
            e(&number)
        ),
    );
    let shown = accounts(&mut html, &mut world, &session, &id)
        .and_then(|()| pools(&mut html, &mut world, &session, &id));
    match shown {
        Ok(()) => respond(&session, StatusCode::OK, page(TITLE, None, &html)),
        Err(refusal) => refused(&session, &refusal.message),
    }
}

fn switcher(world: &WorldGuard<'_>, project: &str) -> String {
    let mut html = format!(
        "<script src=\"/console/console.js\"></script><div class=\"bar\"><h1>{TITLE}</h1>\
         <form method=\"get\" action=\"/console/gcp\" class=\"bar\"><label for=\"account\">Project\
         </label><select id=\"account\" name=\"project\">"
    );
    for (id, _, role) in projects(&world.gcp) {
        let selected = if id == project { " selected" } else { "" };
        let role = match role {
            AccountRole::Operator => "operator",
            AccountRole::Customer => "customer",
        };
        push(
            &mut html,
            format_args!(
                "<option value=\"{id}\"{selected}>{id} ({role})</option>",
                id = e(&id)
            ),
        );
    }
    html.push_str(
        "</select><noscript><button type=\"submit\">Switch</button></noscript></form></div>\
         <p class=\"hint\">As the administrator of the project's organization. \
         <a href=\"/console/cloudformation/home\">CloudFormation</a></p>",
    );
    html
}

/// A button that posts one thing's name.
fn button(session: &Session, project: &str, what: &str, id: &str, label: &str) -> String {
    let class = if label == "Delete" { " quiet" } else { "" };
    format!(
        "<form method=\"post\" action=\"/console/gcp/{what}\">\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">\
         <input type=\"hidden\" name=\"project\" value=\"{}\">\
         <input type=\"hidden\" name=\"id\" value=\"{}\">\
         <button class=\"{}{class}\" type=\"submit\">{label}</button></form>",
        e(&session.token),
        e(project),
        e(id),
        what.replace('/', "-")
    )
}

fn accounts(
    html: &mut String,
    world: &mut WorldGuard<'_>,
    session: &Session,
    project: &str,
) -> Result<(), gcp::Refusal> {
    html.push_str(
        "<div class=\"card scroll\"><h2>Service accounts</h2><table id=\"service-accounts\"><tr>\
         <th>Address</th><th>Keys</th><th></th><th></th></tr>",
    );
    for account in list(world, project, &["serviceAccounts"], "accounts")? {
        let email = text(&account, "email");
        push(
            html,
            format_args!(
                "<tr><td>{}<p class=\"hint\">{}{}</p></td><td>",
                e(email),
                e(text(&account, "uniqueId")),
                if account["disabled"] == true {
                    ", disabled"
                } else {
                    ""
                }
            ),
        );
        for key in list(world, project, &["serviceAccounts", email, "keys"], "keys")? {
            push(
                html,
                format_args!(
                    "<code>{}</code><p class=\"hint\">since {}</p>",
                    e(last(text(&key, "name"))),
                    e(text(&key, "validAfterTime"))
                ),
            );
        }
        push(
            html,
            format_args!(
                "</td><td>{}</td><td>{}</td></tr>",
                button(session, project, "keys/create", email, "Create key"),
                button(session, project, "accounts/delete", email, "Delete")
            ),
        );
    }
    html.push_str("</table></div>");
    Ok(())
}

fn pools(
    html: &mut String,
    world: &mut WorldGuard<'_>,
    session: &Session,
    project: &str,
) -> Result<(), gcp::Refusal> {
    html.push_str(
        "<div class=\"card scroll\"><h2>Workload identity pools</h2><table id=\"pools\"><tr>\
         <th>Pool</th><th>Providers</th><th></th></tr>",
    );
    for pool in list(world, project, &POOLS, "workloadIdentityPools")? {
        let id = last(text(&pool, "name"));
        push(html, format_args!("<tr><td>{}</td><td>", e(id)));
        let below = [&POOLS[..], &[id, "providers"]].concat();
        for provider in list(world, project, &below, "workloadIdentityPoolProviders")? {
            push(
                html,
                format_args!(
                    "{}<p class=\"hint\">{}</p><code>{}</code>",
                    e(last(text(&provider, "name"))),
                    e(text(&provider["oidc"], "issuerUri")),
                    e(text(&provider, "attributeCondition"))
                ),
            );
        }
        push(
            html,
            format_args!(
                "</td><td>{}</td></tr>",
                button(session, project, "pools/delete", id, "Delete")
            ),
        );
    }
    html.push_str("</table></div>");
    Ok(())
}

fn refused(session: &Session, why: &str) -> Response {
    let html = format!(
        "<div class=\"card error\" id=\"error\" role=\"alert\">{}</div>",
        e(why)
    );
    let page = page("Refused", None, &html);
    respond(session, StatusCode::BAD_REQUEST, page)
}

/// Does one thing to what the form names, if the form is ours. `around` is what
/// its path has before and after the id; `answer` is given the project and what
/// the API said.
fn act(
    shared: &Shared,
    headers: &HeaderMap,
    fields: &Fields,
    method: &str,
    around: (&[&str], &[&str]),
    answer: impl FnOnce(&str, &Value) -> Response,
) -> Response {
    let mut world = shared.world();
    let session = Session::read(&world, headers, fields);
    if !is_ours(headers, fields) {
        return foreign(&session);
    }
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let project = field("project");
    let rest = [around.0, &[field("id")], around.1].concat();
    let path = path(project, &rest);
    match ask(&mut world, project, method, &path) {
        Ok(said) => answer(project, &said),
        Err(refusal) => refused(&session, &refusal.message),
    }
}

fn back(project: &str, _: &Value) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("project", project)
        .finish();
    Redirect::to(&format!("/console/gcp?{query}")).into_response()
}

/// The file of a new key, named as Google names it.
fn download(project: &str, key: &Value) -> Response {
    let Ok(file) = STANDARD.decode(text(key, "privateKeyData")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let short: String = last(text(key, "name")).chars().take(12).collect();
    let name = format!("attachment; filename=\"{project}-{short}.json\"");
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, file).into_response()
}

/// Makes a key and hands over its file, which nobody is shown again.
pub(super) async fn create_key(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let keys = (&["serviceAccounts"][..], &["keys"][..]);
    act(&shared, &headers, &fields, "POST", keys, download)
}

pub(super) async fn delete_account(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let account = (&["serviceAccounts"][..], &[][..]);
    act(&shared, &headers, &fields, "DELETE", account, back)
}

pub(super) async fn delete_pool(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let pool = (&POOLS[..], &[][..]);
    act(&shared, &headers, &fields, "DELETE", pool, back)
}
