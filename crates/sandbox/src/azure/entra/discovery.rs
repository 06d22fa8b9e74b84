//! The documents that clients read before they ask for anything.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::server::Context;
use super::super::state::Cloud;
use serde_json::json;

/// What MSAL asks of an authority that it does not know.
pub(super) fn instances(context: &Context) -> Answer {
    let host = context.origin.trim_start_matches("https://");
    Answer::ok(json!({
        "tenant_discovery_endpoint":
            format!("{}/common/v2.0/.well-known/openid-configuration", context.origin),
        "api-version": "1.1",
        "metadata": [{
            "preferred_network": host,
            "preferred_cache": host,
            "aliases": [host],
        }],
    }))
}

pub(super) fn configuration(cloud: &Cloud, context: &Context, tenant: &str) -> Outcome {
    let tenant = if super::is_shared(tenant) {
        "{tenantid}".to_owned()
    } else {
        super::tenant_of(cloud, tenant)?.id.clone()
    };
    let path = if tenant.starts_with('{') {
        "common"
    } else {
        tenant.as_str()
    };
    let base = format!("{}/{path}", context.origin);
    Ok(Answer::ok(json!({
        "issuer": format!("{}/{tenant}/v2.0", context.origin),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "oid", "preferred_username"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    })))
}

pub(super) fn keys(cloud: &Cloud) -> Outcome {
    let signer = cloud.known_signer().and_then(Result::ok).ok_or_else(|| {
        Failure::entra(
            500,
            "server_error",
            90_014,
            "The signing key cannot be used.",
        )
    })?;
    Ok(Answer::ok(json!({ "keys": [signer.jwk] })))
}
