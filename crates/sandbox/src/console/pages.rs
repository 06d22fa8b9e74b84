//! What the console shows.

use super::form::{push, review as form};
use super::html::{e, page};
use super::session::{Fields, Session, time};
use crate::cloudcontrol::Place;
use crate::cloudformation::{self, Source, Stack};
use crate::shared::Shared;
use crate::world::{AccountRole, REGIONS, World};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;

/// Seconds between two looks at a stack that is busy.
const REFRESH: u32 = 1;

/// A finished page with the session's cookies.
pub(super) fn respond(session: &Session, status: StatusCode, html: String) -> Response {
    let mut response = (status, Html(html)).into_response();
    for cookie in session.cookies() {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// A link into the console.
pub(super) fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("/console/cloudformation/{path}?{query}")
}

/// Heading and account switcher. `carried` are fields that switching keeps.
fn header(world: &World, session: &Session, title: &str, path: &str, carried: &Fields) -> String {
    let mut html = String::from("<script src=\"/console/console.js\"></script>");
    push(
        &mut html,
        format_args!(
            "<div class=\"bar\"><h1>{}</h1><form method=\"get\" action=\"/console/cloudformation/{path}\" \
             class=\"bar\">",
            e(title)
        ),
    );
    for (name, value) in carried.iter().filter(|(name, _)| *name != "account") {
        push(
            &mut html,
            format_args!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                e(name),
                e(value)
            ),
        );
    }
    html.push_str(
        "<label for=\"account\">Signed in to</label><select id=\"account\" name=\"account\">",
    );
    for account in world.accounts.values() {
        let role = match account.role {
            AccountRole::Operator => "operator",
            AccountRole::Customer => "customer",
        };
        let selected = if account.id == session.account {
            " selected"
        } else {
            ""
        };
        push(
            &mut html,
            format_args!(
                "<option value=\"{id}\"{selected}>{id} ({role})</option>",
                id = e(&account.id)
            ),
        );
    }
    html.push_str(
        "</select><noscript><button type=\"submit\">Switch</button></noscript></form></div>",
    );
    push(
        &mut html,
        format_args!(
            "<p class=\"hint\">CloudFormation, region <strong id=\"region\">{}</strong>, as the \
             account's administrator. <a href=\"{}\">All stacks</a> \
             <a href=\"/console/gcp\">Google Cloud</a></p>",
            e(&session.region),
            e(link(
                "home",
                &[("region", &session.region), ("account", &session.account)]
            ))
        ),
    );
    html
}

/// The list of stacks; also where quick-create links lead, by their fragment.
pub(super) async fn home(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Response {
    let world = shared.world();
    let session = Session::read(&world, &headers, &fields);
    let mut html = header(&world, &session, "Stacks", "home", &fields);
    let place = Place::new(&session.account, &session.region);
    let stacks = cloudformation::all(&world, &place);
    regions(&mut html, &session);
    if stacks.is_empty() {
        html.push_str(
            "<div class=\"card\" id=\"stacks\"><p>No stacks in this account and region yet. Open a \
             quick-create link to make one.</p></div>",
        );
    } else {
        html.push_str(
            "<div class=\"card scroll\"><table id=\"stacks\"><tr><th>Name</th><th>Status</th>\
             <th>Created</th><th></th></tr>",
        );
        for stack in &stacks {
            push(
                &mut html,
                format_args!(
                    "<tr><td><a href=\"{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    e(stack_link(&session, stack)),
                    e(&stack.name),
                    status(stack),
                    e(time(stack.created_at)),
                    delete_form(&session, stack)
                ),
            );
        }
        html.push_str("</table></div>");
    }
    let busy = stacks.iter().any(|stack| stack.status.is_in_progress());
    let refresh = busy.then_some(REFRESH);
    respond(&session, StatusCode::OK, page("Stacks", refresh, &html))
}

fn regions(html: &mut String, session: &Session) {
    html.push_str("<p class=\"hint\">Regions: ");
    for (name, _) in REGIONS {
        let target = link("home", &[("region", name), ("account", &session.account)]);
        push(
            html,
            format_args!("<a href=\"{}\">{}</a> ", e(target), e(name)),
        );
    }
    html.push_str("</p>");
}

fn stack_link(session: &Session, stack: &Stack) -> String {
    link(
        "stack",
        &[
            ("region", &session.region),
            ("account", &session.account),
            ("id", &stack.id),
        ],
    )
}

fn status(stack: &Stack) -> String {
    let class = if stack.status.is_good() {
        " good"
    } else if stack.status.is_in_progress() {
        ""
    } else {
        " bad"
    };
    format!(
        "<span class=\"status{class}\">{}</span>",
        e(stack.status.as_str())
    )
}

fn delete_form(session: &Session, stack: &Stack) -> String {
    if stack.status == cloudformation::Status::DeleteComplete {
        return String::new();
    }
    format!(
        "<form method=\"post\" action=\"/console/cloudformation/stacks/delete\">\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">\
         <input type=\"hidden\" name=\"account\" value=\"{}\">\
         <input type=\"hidden\" name=\"region\" value=\"{}\">\
         <input type=\"hidden\" name=\"id\" value=\"{}\">\
         <button class=\"quiet delete-stack\" type=\"submit\">Delete</button></form>",
        e(&session.token),
        e(&session.account),
        e(&session.region),
        e(&stack.id)
    )
}

/// The form that a quick-create link opens.
pub(super) async fn review(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Response {
    let world = shared.world();
    let session = Session::read(&world, &headers, &fields);
    review_page(&world, &shared.endpoint_url(), &session, &fields, None)
}

/// The review page, after a refused attempt with the reason.
pub(super) fn review_page(
    world: &World,
    endpoint: &str,
    session: &Session,
    fields: &Fields,
    refused: Option<&str>,
) -> Response {
    let title = "Quick create stack";
    let carried: Fields = fields
        .iter()
        .filter(|(name, _)| {
            name.starts_with("param_")
                || ["region", "templateURL", "stackName"].contains(&name.as_str())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut html = header(world, session, title, "quick-create", &carried);
    let url = fields.get("templateURL").cloned().unwrap_or_default();
    let described = cloudformation::describe_form(world, &Source::Url(url));
    let status = match &described {
        Ok(described) => {
            html.push_str(&form(session, fields, described, refused));
            if refused.is_some() {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            }
        }
        Err(error) => {
            push(
                &mut html,
                format_args!(
                    "<div class=\"card error\" id=\"error\" role=\"alert\">{}</div><p class=\"hint\">\
                     The link's templateURL must name an object of this sandbox: \
                     <code>{}/templates/&lt;bucket&gt;/&lt;key&gt;</code></p>",
                    e(&error.message),
                    e(endpoint)
                ),
            );
            StatusCode::BAD_REQUEST
        }
    };
    respond(session, status, page(title, None, &html))
}

/// One stack: its status, events, outputs.
pub(super) async fn stack(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(fields): Query<Fields>,
) -> Response {
    let world = shared.world();
    let session = Session::read(&world, &headers, &fields);
    let place = Place::new(&session.account, &session.region);
    let id = fields.get("id").map_or("", String::as_str);
    let Some(stack) = cloudformation::find(&world, &place, id) else {
        let mut html = header(&world, &session, "No such stack", "home", &Fields::new());
        html.push_str(
            "<div class=\"card error\" id=\"error\">This account has no such stack here.</div>",
        );
        return respond(
            &session,
            StatusCode::NOT_FOUND,
            page("No such stack", None, &html),
        );
    };
    let mut html = header(&world, &session, &stack.name, "home", &Fields::new());
    push(
        &mut html,
        format_args!(
            "<div class=\"card bar\"><div>Status <strong id=\"stack-status\" class=\"status{}\">{}</strong>",
            if stack.status.is_good() {
                " good"
            } else if stack.status.is_in_progress() {
                ""
            } else {
                " bad"
            },
            e(stack.status.as_str())
        ),
    );
    if let Some(reason) = &stack.reason {
        push(
            &mut html,
            format_args!("<p class=\"hint\" id=\"stack-reason\">{}</p>", e(reason)),
        );
    }
    push(
        &mut html,
        format_args!("</div>{}</div>", delete_form(&session, stack)),
    );
    if !stack.outputs.is_empty() {
        html.push_str("<div class=\"card scroll\"><h2>Outputs</h2><table id=\"outputs\">");
        for output in &stack.outputs {
            push(
                &mut html,
                format_args!(
                    "<tr><th>{}</th><td><code>{}</code><p class=\"hint\">{}</p></td></tr>",
                    e(&output.key),
                    e(&output.value),
                    e(output.description.as_deref().unwrap_or(""))
                ),
            );
        }
        html.push_str("</table></div>");
    }
    html.push_str(
        "<div class=\"card scroll\"><h2>Events</h2><table id=\"events\"><tr><th>Time</th>\
         <th>Logical id</th><th>Status</th><th>Reason</th></tr>",
    );
    for event in stack.events.iter().rev() {
        push(
            &mut html,
            format_args!(
                "<tr><td>{}</td><td>{}<p class=\"hint\">{}</p></td><td>{}</td><td>{}</td></tr>",
                e(time(event.at)),
                e(&event.logical_id),
                e(&event.type_name),
                e(&event.status),
                e(event.reason.as_deref().unwrap_or(""))
            ),
        );
    }
    html.push_str("</table></div>");
    let refresh = stack.status.is_in_progress().then_some(REFRESH);
    respond(&session, StatusCode::OK, page(&stack.name, refresh, &html))
}
