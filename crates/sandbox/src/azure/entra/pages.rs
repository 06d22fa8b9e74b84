//! The pages that people see: admin consent, sign-in, the portal's overview.
//!
//! Nobody has a password here: whoever opens the page chooses who to be.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::graph::permissions::GRAPH_APP_ID;
use super::super::request::{Form, Request};
use super::super::server::Context;
use super::super::state::{AppRoleAssignment, Application, Cloud, Code, Tenant, User};
use super::{is_shared, tenant_of};
use std::time::Duration;

const CODE_LIFETIME: Duration = Duration::from_secs(600);

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn frame(status: u16, title: &str, content: &str) -> Answer {
    let title = escape(title);
    Answer::page(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>body{{font:16px system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}}\
             button{{font:inherit;margin:.25rem .25rem .25rem 0;padding:.4rem .8rem}}\
             code{{overflow-wrap:anywhere}}</style></head>\
             <body><h1>{title}</h1>{content}<p><small>Simulated Azure</small></p></body></html>"
        ),
    )
}

/// An error that must not be told to the redirect address, because it is not
/// known to be the application's.
fn error_page(failure: &Failure) -> Answer {
    frame(
        400,
        "Sorry, something went wrong",
        &escape(&failure.description()),
    )
}

/// The application and the redirect address, which must be one of its own.
fn client<'c>(
    cloud: &'c Cloud,
    tenant: Option<&Tenant>,
    client_id: Option<&str>,
    redirect: Option<&str>,
) -> Result<&'c Application, Failure> {
    let client_id = client_id.unwrap_or_default();
    let application = cloud
        .application(client_id)
        .filter(|(home, application)| {
            application.multi_tenant || tenant.is_some_and(|tenant| tenant.id == home.id)
        })
        .map(|(_, application)| application)
        .ok_or_else(|| {
            Failure::entra(
                400,
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{client_id}' was not found in the directory."
                ),
            )
        })?;
    let redirect = redirect.unwrap_or_default();
    if application
        .redirect_uris
        .iter()
        .any(|known| known == redirect)
    {
        return Ok(application);
    }
    Err(Failure::entra(
        400,
        "invalid_request",
        50_011,
        format!(
            "The redirect URI '{redirect}' specified in the request does not match the redirect \
             URIs configured for the application '{client_id}'. Make sure the redirect URI sent \
             in the request matches one added to your application in the Azure portal."
        ),
    ))
}

fn named_tenant<'c>(cloud: &'c Cloud, name: &str) -> Result<Option<&'c Tenant>, Failure> {
    if is_shared(name) {
        Ok(None)
    } else {
        tenant_of(cloud, name).map(Some)
    }
}

/// Everybody who may sign in here, with their tenants.
fn people<'c>(
    cloud: &'c Cloud,
    tenant: Option<&'c Tenant>,
) -> impl Iterator<Item = (&'c Tenant, &'c User)> {
    cloud
        .tenants
        .values()
        .filter(move |one| tenant.is_none_or(|tenant| tenant.id == one.id))
        .flat_map(|tenant| tenant.users.values().map(move |user| (tenant, user)))
}

fn hidden(request: &Request, names: &[&str]) -> String {
    names
        .iter()
        .filter_map(|name| Some((name, request.query(name)?)))
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
                escape(value)
            )
        })
        .collect()
}

fn choices(cloud: &Cloud, tenant: Option<&Tenant>, verb: &str) -> String {
    people(cloud, tenant)
        .map(|(tenant, user)| {
            format!(
                "<p><button name=\"user\" value=\"{}\">{verb} as {} ({})</button></p>",
                escape(&user.id),
                escape(&user.principal_name),
                escape(&tenant.display_name),
            )
        })
        .collect()
}

pub(super) fn consent_page(cloud: &Cloud, name: &str, request: &Request) -> Outcome {
    let page = || -> Result<Answer, Failure> {
        let tenant = named_tenant(cloud, name)?;
        let application = client(
            cloud,
            tenant,
            request.query("client_id"),
            request.query("redirect_uri"),
        )?;
        let fields = hidden(request, &["client_id", "redirect_uri", "scope", "state"]);
        Ok(frame(
            200,
            "Permissions requested",
            &format!(
                "<p><strong>{}</strong> asks for permissions in your organization.</p>\
                 <form method=\"post\">{fields}{}<p><button name=\"cancel\" value=\"1\">Cancel\
                 </button></p></form>",
                escape(&application.display_name),
                choices(cloud, tenant, "Accept"),
            ),
        ))
    };
    Ok(page().unwrap_or_else(|failure| error_page(&failure)))
}

fn redirect(to: &str, parameters: &[(&str, &str)]) -> Answer {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()))
        .finish();
    let separator = if to.contains('?') { '&' } else { '?' };
    Answer::redirect(format!("{to}{separator}{query}"))
}

pub(super) fn consent(cloud: &mut Cloud, context: &Context, name: &str, form: &Form) -> Outcome {
    let checked = named_tenant(cloud, name).and_then(|tenant| {
        let of = tenant.map(|tenant| tenant.id.clone());
        let application = client(
            cloud,
            tenant,
            form.get("client_id"),
            form.get("redirect_uri"),
        )?;
        Ok((of, application.clone()))
    });
    let (wanted, application) = match checked {
        Ok(checked) => checked,
        Err(failure) => return Ok(error_page(&failure)),
    };
    let to = form.get("redirect_uri").unwrap_or_default();
    let state = form.get("state").unwrap_or_default();
    let refused = |error: &str, description: &str, tenant: &str| {
        // Microsoft's own error callbacks say `admin_consent=True`, too.
        Ok(redirect(
            to,
            &[
                ("admin_consent", "True"),
                ("tenant", tenant),
                ("error", error),
                ("error_description", description),
                ("state", state),
            ],
        ))
    };
    let somebody = people(
        cloud,
        wanted.as_deref().and_then(|id| cloud.tenants.get(id)),
    )
    .find(|(_, user)| Some(user.id.as_str()) == form.get("user"))
    .map(|(tenant, user)| (tenant.id.clone(), user.global_administrator));
    let Some((tenant, administrator)) = somebody.filter(|_| form.get("cancel").is_none()) else {
        return refused(
            "access_denied",
            "AADSTS65004: User declined to consent to access the app.",
            "",
        );
    };
    if !administrator {
        return refused(
            "access_denied",
            "AADSTS90094: An administrator of the tenant must consent to the permissions that \
             the application requests.",
            &tenant,
        );
    }
    grant(cloud, context, &tenant, &application);
    let scope = form.get("scope").unwrap_or_default();
    Ok(redirect(
        to,
        &[
            ("admin_consent", "True"),
            ("tenant", &tenant),
            ("scope", scope),
            ("state", state),
        ],
    ))
}

/// The application's principal in the tenant, made when there is none.
fn install(
    cloud: &mut Cloud,
    context: &Context,
    tenant_id: &str,
    application: &Application,
) -> String {
    let known = cloud
        .tenants
        .get(tenant_id)
        .and_then(|tenant| tenant.principal_of(&application.app_id))
        .map(|principal| principal.id.clone());
    if let Some(known) = known {
        return known;
    }
    let home = cloud
        .application(&application.app_id)
        .map(|(home, _)| home.id.clone());
    let effective_at = context.moment.now.plus(cloud.lags.consent);
    let mut principal = cloud.principal(
        &application.app_id,
        home,
        &application.display_name,
        effective_at,
    );
    principal.created = context.moment.wall;
    let id = principal.id.clone();
    if let Some(tenant) = cloud.tenants.get_mut(tenant_id) {
        tenant.principals.insert(id.clone(), principal);
    }
    id
}

/// Consent installs the application and grants the roles that it requires.
fn grant(cloud: &mut Cloud, context: &Context, tenant_id: &str, application: &Application) {
    let principal_id = install(cloud, context, tenant_id, application);
    let effective_at = context.moment.now.plus(cloud.lags.consent);
    let wanted: Vec<String> = application
        .required
        .as_array()
        .into_iter()
        .flatten()
        .filter(|resource| resource["resourceAppId"] == GRAPH_APP_ID)
        .filter_map(|resource| resource["resourceAccess"].as_array())
        .flatten()
        .filter(|access| access["type"] == "Role")
        .filter_map(|access| access["id"].as_str().map(str::to_owned))
        .collect();
    for app_role_id in wanted {
        let id = cloud.uuid();
        let Some(tenant) = cloud.tenants.get_mut(tenant_id) else {
            return;
        };
        let Some(graph) = tenant
            .principal_of(GRAPH_APP_ID)
            .map(|graph| graph.id.clone())
        else {
            return;
        };
        let known = tenant.app_roles.values().any(|assignment| {
            assignment.principal_id == principal_id && assignment.app_role_id == app_role_id
        });
        if !known {
            tenant.app_roles.insert(
                id.clone(),
                AppRoleAssignment {
                    id,
                    principal_id: principal_id.clone(),
                    resource_id: graph,
                    app_role_id,
                    created: context.moment.wall,
                    effective_at,
                },
            );
        }
    }
}

const AUTHORIZE: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

pub(super) fn sign_in_page(cloud: &Cloud, name: &str, request: &Request) -> Outcome {
    let page = || -> Result<Answer, Failure> {
        let tenant = named_tenant(cloud, name)?;
        let application = client(
            cloud,
            tenant,
            request.query("client_id"),
            request.query("redirect_uri"),
        )?;
        Ok(frame(
            200,
            "Sign in",
            &format!(
                "<p>to continue to <strong>{}</strong></p><form method=\"post\">{}{}\
                 <p><button name=\"cancel\" value=\"1\">Cancel</button></p></form>",
                escape(&application.display_name),
                hidden(request, &AUTHORIZE),
                choices(cloud, tenant, "Sign in"),
            ),
        ))
    };
    Ok(page().unwrap_or_else(|failure| error_page(&failure)))
}

pub(super) fn sign_in(cloud: &mut Cloud, context: &Context, name: &str, form: &Form) -> Outcome {
    let checked = named_tenant(cloud, name).and_then(|tenant| {
        let of = tenant.map(|tenant| tenant.id.clone());
        let application = client(
            cloud,
            tenant,
            form.get("client_id"),
            form.get("redirect_uri"),
        )?;
        Ok((of, application.clone()))
    });
    let (wanted, application) = match checked {
        Ok(checked) => checked,
        Err(failure) => return Ok(error_page(&failure)),
    };
    let to = form.get("redirect_uri").unwrap_or_default().to_owned();
    let state = form.get("state").unwrap_or_default();
    let refused = |error: &str, description: &str| {
        Ok(redirect(
            &to,
            &[
                ("error", error),
                ("error_description", description),
                ("state", state),
            ],
        ))
    };
    if form.get("response_type") != Some("code") {
        return refused(
            "unsupported_response_type",
            "AADSTS70005: response_type is not supported for the application.",
        );
    }
    let challenge = form.get("code_challenge").map(str::to_owned);
    if challenge.is_some() && form.get("code_challenge_method") != Some("S256") {
        return refused(
            "invalid_request",
            "AADSTS50148: The code_challenge_method is not supported here; use S256.",
        );
    }
    let somebody = people(
        cloud,
        wanted.as_deref().and_then(|id| cloud.tenants.get(id)),
    )
    .find(|(_, user)| Some(user.id.as_str()) == form.get("user"))
    .map(|(tenant, user)| (tenant.id.clone(), user.id.clone()));
    let Some((tenant, user)) = somebody.filter(|_| form.get("cancel").is_none()) else {
        return refused(
            "access_denied",
            "AADSTS65004: User declined to consent to access the app.",
        );
    };
    install(cloud, context, &tenant, &application);
    let code = format!("0.{}", cloud.rng().text(80, CODE_ALPHABET));
    cloud.codes.insert(
        code.clone(),
        Code {
            tenant,
            user,
            client_id: application.app_id.clone(),
            redirect_uri: to.clone(),
            scope: form.get("scope").unwrap_or_default().to_owned(),
            nonce: form.get("nonce").map(str::to_owned),
            challenge,
            expires: context.moment.wall.plus(CODE_LIFETIME),
        },
    );
    Ok(redirect(&to, &[("code", &code), ("state", state)]))
}

const CODE_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What is there, for people who look around.
pub(super) fn portal(cloud: &Cloud) -> Answer {
    let tenants: String = cloud
        .tenants
        .values()
        .map(|tenant| {
            let applications: String = tenant
                .applications
                .values()
                .map(|application| {
                    format!(
                        "<li>{} <code>{}</code></li>",
                        escape(&application.display_name),
                        escape(&application.app_id)
                    )
                })
                .collect();
            let subscriptions: String = cloud
                .subscriptions
                .values()
                .filter(|subscription| subscription.tenant == tenant.id)
                .map(|subscription| {
                    format!(
                        "<li>{} <code>{}</code> ({})</li>",
                        escape(&subscription.display_name),
                        escape(&subscription.id),
                        if subscription.enabled {
                            "enabled"
                        } else {
                            "disabled"
                        }
                    )
                })
                .collect();
            format!(
                "<h2>{}</h2><p>Tenant <code>{}</code></p><h3>Subscriptions</h3><ul>{subscriptions}\
                 </ul><h3>App registrations</h3><ul>{applications}</ul>",
                escape(&tenant.display_name),
                escape(&tenant.id)
            )
        })
        .collect();
    frame(200, "Portal", &tenants)
}
