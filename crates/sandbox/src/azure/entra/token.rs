//! `POST /<tenant>/oauth2/v2.0/token`.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::graph::permissions;
use super::super::keys::sha256_url;
use super::super::request::Form;
use super::super::server::Context;
use super::super::state::{Application, Cloud, Code, ServicePrincipal, Tenant};
use super::{ARM_AUDIENCE, GRAPH_AUDIENCE, Keys, client, is_shared, tenant_of};
use serde_json::{Value, json};

/// Entra varies it between an hour and ninety minutes; the shortest is used.
const LIFETIME: i64 = 3_599;

pub(super) fn handle(
    cloud: &mut Cloud,
    context: &Context,
    tenant: &str,
    form: &Form,
    keys: &Keys,
) -> Outcome {
    match form.get("grant_type") {
        Some("client_credentials") => client_credentials(cloud, context, tenant, form, keys),
        Some("authorization_code") => authorization_code(cloud, context, tenant, form, keys),
        Some(other) => Err(Failure::entra(
            400,
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{other}'."),
        )),
        None => Err(missing("grant_type")),
    }
}

fn missing(name: &str) -> Failure {
    Failure::entra(
        400,
        "invalid_request",
        900_144,
        format!("The request body must contain the following parameter: '{name}'."),
    )
}

/// Where a client assertion may say that it is meant for.
fn audiences(context: &Context, tenant: &str, tenant_id: &str) -> Vec<String> {
    let origin = &context.origin;
    [tenant, tenant_id]
        .iter()
        .flat_map(|name| {
            [
                format!("{origin}/{name}/oauth2/v2.0/token"),
                format!("{origin}/{name}/v2.0"),
                format!("{origin}/{name}"),
            ]
        })
        .collect()
}

/// The application as this tenant may see it.
fn application<'c>(
    cloud: &'c Cloud,
    tenant: &Tenant,
    app_id: &str,
) -> Result<&'c Application, Failure> {
    cloud
        .application(app_id)
        .filter(|(home, application)| application.multi_tenant || home.id == tenant.id)
        .map(|(_, application)| application)
        .ok_or_else(|| {
            Failure::entra(
                400,
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{app_id}' was not found in the directory '{}'. \
                     This can happen if the application has not been installed by the \
                     administrator of the tenant or consented to by any user in the tenant. You \
                     may have sent your authentication request to the wrong tenant.",
                    tenant.display_name
                ),
            )
        })
}

fn client_credentials(
    cloud: &mut Cloud,
    context: &Context,
    name: &str,
    form: &Form,
    keys: &Keys,
) -> Outcome {
    if is_shared(name) {
        return Err(Failure::entra(
            400,
            "invalid_request",
            53_003,
            "A client-credentials request needs a tenant, not 'common' or 'organizations'.",
        ));
    }
    let tenant = tenant_of(cloud, name)?;
    let app_id = form.get("client_id").ok_or_else(|| missing("client_id"))?;
    let application = application(cloud, tenant, app_id)?;
    let audience = audience_of(
        context,
        form.get("scope").ok_or_else(|| missing("scope"))?,
        true,
    )?;
    client::authenticate(
        application,
        context,
        form,
        keys,
        &audiences(context, name, &tenant.id),
    )?;
    let principal = tenant
        .principal_of(&application.app_id)
        .filter(|principal| principal.effective_at <= context.moment.now)
        .ok_or_else(|| {
            Failure::entra(
                401,
                "unauthorized_client",
                7_000_229,
                format!(
                    "The client application {app_id} is missing service principal in the tenant \
                     {}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
                    tenant.id
                ),
            )
        })?;
    if !principal.enabled {
        return Err(Failure::entra(
            401,
            "unauthorized_client",
            7_000_112,
            format!(
                "Application '{app_id}'({}) is disabled.",
                application.display_name
            ),
        ));
    }
    let claims = app_claims(context, tenant, principal, &audience);
    let token = sign(cloud, &claims)?;
    Ok(Answer::ok(json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "access_token": token,
    })))
}

/// The resource that a scope names, as the token's audience. Resource Manager
/// answers to several names.
fn audience_of(context: &Context, scope: &str, default_only: bool) -> Result<String, Failure> {
    let wanted = scope
        .split_whitespace()
        .find(|part| part.contains("://"))
        .unwrap_or(scope);
    let resource = match wanted.strip_suffix("/.default") {
        Some(resource) => resource,
        None if default_only => {
            return Err(Failure::entra(
                400,
                "invalid_scope",
                1_002_012,
                format!(
                    "The provided value for scope {scope} is not valid. Client credential flows \
                     must have a scope value with /.default suffixed to the resource identifier \
                     (application ID URI)."
                ),
            ));
        }
        None => wanted
            .rsplit_once('/')
            .map_or(wanted, |(resource, _)| resource),
    };
    let known = [
        ARM_AUDIENCE,
        "https://management.core.windows.net",
        GRAPH_AUDIENCE,
        context.origin.as_str(),
    ];
    if known.contains(&resource.trim_end_matches('/')) {
        // A scope with two slashes asks for an audience that ends with one.
        Ok(resource.to_owned())
    } else {
        Err(Failure::entra(
            400,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant. This can \
                 happen if the application has not been installed by the administrator of the \
                 tenant or consented to by any user in the tenant."
            ),
        ))
    }
}

fn app_claims(
    context: &Context,
    tenant: &Tenant,
    principal: &ServicePrincipal,
    audience: &str,
) -> Value {
    let now = context.moment.wall.unix_seconds();
    let mut claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{}/", tenant.id),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "appid": principal.app_id,
        "appidacr": "1",
        "idp": format!("https://sts.windows.net/{}/", tenant.id),
        "idtyp": "app",
        "oid": principal.id,
        "sub": principal.id,
        "tid": tenant.id,
        "uti": context.request_id,
        "ver": "1.0",
    });
    let roles = granted(context, tenant, principal);
    if !roles.is_empty() && audience.trim_end_matches('/') != ARM_AUDIENCE {
        claims["roles"] = json!(roles);
    }
    claims
}

/// The app roles of Graph that have taken effect.
fn granted(context: &Context, tenant: &Tenant, principal: &ServicePrincipal) -> Vec<&'static str> {
    tenant
        .app_roles
        .values()
        .filter(|assignment| {
            assignment.principal_id == principal.id && assignment.effective_at <= context.moment.now
        })
        .filter_map(|assignment| permissions::role_name(&assignment.app_role_id))
        .collect()
}

fn sign(cloud: &mut Cloud, claims: &Value) -> Result<String, Failure> {
    cloud
        .signer()
        .and_then(|signer| signer.sign(claims))
        .map_err(|error| Failure::entra(500, "server_error", 90_014, error.to_string()))
}

fn authorization_code(
    cloud: &mut Cloud,
    context: &Context,
    name: &str,
    form: &Form,
    keys: &Keys,
) -> Outcome {
    let given = form.get("code").ok_or_else(|| missing("code"))?;
    let app_id = form.get("client_id").ok_or_else(|| missing("client_id"))?;
    // A code that is presented is used up, whether it was right or not.
    let code = cloud
        .codes
        .remove(given)
        .filter(|code| code.expires > context.moment.wall)
        .ok_or_else(|| {
            Failure::entra(
                400,
                "invalid_grant",
                70_008,
                "The provided authorization code or refresh token has expired due to inactivity \
                 or was used before. Send a new interactive authorization request.",
            )
        })?;
    let tenant = cloud
        .tenants
        .get(&code.tenant)
        .ok_or_else(|| missing("tenant"))?;
    if !is_shared(name) && tenant_of(cloud, name)?.id != tenant.id {
        return Err(Failure::entra(
            400,
            "invalid_grant",
            70_000,
            "The code was issued for another tenant.",
        ));
    }
    let application = application(cloud, tenant, app_id)?;
    client::authenticate(
        application,
        context,
        form,
        keys,
        &audiences(context, name, &tenant.id),
    )?;
    redeem(&code, app_id, form)?;
    let user = tenant
        .users
        .get(&code.user)
        .cloned()
        .ok_or_else(|| missing("user"))?;
    let tenant_id = tenant.id.clone();
    let now = context.moment.wall.unix_seconds();
    let audience = audience_of(context, &code.scope, false).unwrap_or(GRAPH_AUDIENCE.to_owned());
    let access = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{tenant_id}/"),
        "iat": now, "nbf": now, "exp": now + LIFETIME,
        "appid": app_id,
        "idtyp": "user",
        "oid": user.id,
        "sub": user.id,
        "tid": tenant_id,
        "upn": user.principal_name,
        "scp": "user_impersonation",
        "ver": "1.0",
    });
    let id = json!({
        "aud": app_id,
        "iss": format!("{}/{tenant_id}/v2.0", context.origin),
        "iat": now, "nbf": now, "exp": now + LIFETIME,
        "oid": user.id,
        "sub": user.id,
        "tid": tenant_id,
        "name": user.display_name,
        "preferred_username": user.principal_name,
        "nonce": code.nonce,
        "ver": "2.0",
    });
    let mut answer = json!({
        "token_type": "Bearer",
        "scope": code.scope,
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "access_token": sign(cloud, &access)?,
    });
    if code.scope.split_whitespace().any(|part| part == "openid") {
        answer["id_token"] = json!(sign(cloud, &id)?);
    }
    Ok(Answer::ok(answer))
}

/// What the code was issued for is what it is presented with.
fn redeem(code: &Code, app_id: &str, form: &Form) -> Result<(), Failure> {
    let refused = |number, message: &str| Failure::entra(400, "invalid_grant", number, message);
    if !code.client_id.eq_ignore_ascii_case(app_id) {
        return Err(refused(70_000, "The code was issued to another client."));
    }
    if form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(refused(
            500_112,
            "The reply address does not match the reply address provided when requesting \
             Authorization code.",
        ));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier").unwrap_or_default();
        if sha256_url(verifier.as_bytes()) != *challenge {
            return Err(refused(
                501_481,
                "The Code_Verifier does not match the code_challenge supplied in the \
                 authorization request.",
            ));
        }
    }
    Ok(())
}
