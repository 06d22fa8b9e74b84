//! Graph's JSON.

use super::super::state::{
    AppRoleAssignment, Application, Federated, Secret, ServicePrincipal, Tenant,
};
use super::permissions::{GRAPH_APP_ID, ROLES};
use serde_json::{Value, json};

pub(super) fn application(application: &Application) -> Value {
    let mut value = Value::Object(application.other.clone());
    value["id"] = json!(application.id);
    value["appId"] = json!(application.app_id);
    value["displayName"] = json!(application.display_name);
    value["createdDateTime"] = json!(application.created.iso8601());
    value["deletedDateTime"] = Value::Null;
    value["signInAudience"] = json!(if application.multi_tenant {
        "AzureADMultipleOrgs"
    } else {
        "AzureADMyOrg"
    });
    value["requiredResourceAccess"] = application.required.clone();
    value["web"] = json!({ "redirectUris": application.redirect_uris });
    // The text of a secret is shown once, when it is made.
    let secrets: Vec<Value> = application
        .secrets
        .iter()
        .map(|one| secret(one, false))
        .collect();
    value["passwordCredentials"] = json!(secrets);
    let certificates: Vec<Value> = application
        .certificates
        .iter()
        .map(|certificate| {
            json!({
                "keyId": certificate.key_id,
                "displayName": certificate.display_name,
                "type": "AsymmetricX509Cert",
                "usage": "Verify",
                "key": null,
                "startDateTime": certificate.start.iso8601(),
                "endDateTime": certificate.end.iso8601(),
            })
        })
        .collect();
    value["keyCredentials"] = json!(certificates);
    value
}

pub(super) fn secret(secret: &Secret, with_text: bool) -> Value {
    json!({
        "keyId": secret.key_id,
        "displayName": secret.display_name,
        "hint": secret.text.get(..3),
        "secretText": with_text.then_some(&secret.text),
        "startDateTime": secret.start.iso8601(),
        "endDateTime": secret.end.iso8601(),
        "customKeyIdentifier": null,
    })
}

pub(super) fn federated(credential: &Federated) -> Value {
    json!({
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": credential.audiences,
    })
}

pub(super) fn principal(principal: &ServicePrincipal) -> Value {
    let app_roles: Vec<Value> = if principal.app_id == GRAPH_APP_ID {
        ROLES
            .iter()
            .map(|(value, id)| {
                json!({
                    "id": id,
                    "value": value,
                    "displayName": value,
                    "description": value,
                    "isEnabled": true,
                    "origin": "Application",
                    "allowedMemberTypes": ["Application"],
                })
            })
            .collect()
    } else {
        Vec::new()
    };
    json!({
        "id": principal.id,
        "appId": principal.app_id,
        "appOwnerOrganizationId": principal.owner_tenant,
        "displayName": principal.display_name,
        "appDisplayName": principal.display_name,
        "accountEnabled": principal.enabled,
        "createdDateTime": principal.created.iso8601(),
        "servicePrincipalType": "Application",
        "servicePrincipalNames": [principal.app_id],
        "appRoles": app_roles,
        "oauth2PermissionScopes": [],
    })
}

pub(super) fn app_role(tenant: &Tenant, assignment: &AppRoleAssignment) -> Value {
    let name = |id: &str| {
        let principal = tenant.principals.get(id);
        principal.map(|principal| principal.display_name.clone())
    };
    json!({
        "id": assignment.id,
        "appRoleId": assignment.app_role_id,
        "createdDateTime": assignment.created.iso8601(),
        "principalId": assignment.principal_id,
        "principalType": "ServicePrincipal",
        "principalDisplayName": name(&assignment.principal_id),
        "resourceId": assignment.resource_id,
        "resourceDisplayName": name(&assignment.resource_id),
    })
}
