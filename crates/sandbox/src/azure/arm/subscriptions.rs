//! Tenants, subscriptions, and what a subscription has: locations, resource
//! providers, quotas.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{Cloud, Subscription};
use super::{Ask, rbac};
use serde_json::{Value, json};

pub(super) const LOCATIONS: [(&str, &str); 6] = [
    ("eastus", "East US"),
    ("germanywestcentral", "Germany West Central"),
    ("northeurope", "North Europe"),
    ("uksouth", "UK South"),
    ("westeurope", "West Europe"),
    ("westus2", "West US 2"),
];

/// Namespaces that can be registered, as they are written.
const NAMESPACES: [&str; 25] = [
    "Microsoft.App",
    "Microsoft.Authorization",
    "Microsoft.Cache",
    "Microsoft.Capacity",
    "Microsoft.Compute",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.DBforPostgreSQL",
    "Microsoft.DocumentDB",
    "Microsoft.EventHub",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.Management",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.OperationsManagement",
    "Microsoft.PolicyInsights",
    "Microsoft.Quota",
    "Microsoft.ResourceGraph",
    "Microsoft.Resources",
    "Microsoft.ServiceBus",
    "Microsoft.Sql",
    "Microsoft.Storage",
    "Microsoft.Web",
];

/// vCPU quotas of a new subscription, by name.
const QUOTAS: [(&str, &str, u64); 4] = [
    ("cores", "Total Regional vCPUs", 20),
    ("standardDSv5Family", "Standard DSv5 Family vCPUs", 10),
    ("standardBSFamily", "Standard BS Family vCPUs", 10),
    ("virtualMachines", "Virtual Machines", 25_000),
];

pub(super) fn tenants(cloud: &Cloud, ask: &Ask<'_>) -> Outcome {
    let all: Vec<Value> = cloud
        .tenants
        .get(&ask.caller.tenant)
        .into_iter()
        .map(|tenant| {
            json!({
                "id": format!("/tenants/{}", tenant.id),
                "tenantId": tenant.id,
                "displayName": tenant.display_name,
                "defaultDomain": tenant.domains.last(),
                "domains": tenant.domains,
                "tenantCategory": "Home",
                "countryCode": "DE",
                "tenantType": "AAD",
            })
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

fn render(subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant,
        "displayName": subscription.display_name,
        "state": if subscription.enabled { "Enabled" } else { "Disabled" },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

/// Those in which the caller has a role anywhere.
pub(super) fn list(cloud: &Cloud, ask: &Ask<'_>) -> Outcome {
    let visible = cloud
        .subscriptions
        .values()
        .filter(|subscription| subscription.tenant == ask.caller.tenant)
        .filter(|subscription| {
            let scope = format!("/subscriptions/{}", subscription.id);
            let below = format!("{scope}/");
            !rbac::effective(cloud, ask.context, ask.caller, &scope).is_empty()
                || cloud.assignments.values().any(|one| {
                    one.principal_id == ask.caller.object_id
                        && one.effective_at <= ask.context.moment.now
                        && one.scope.starts_with(&below)
                })
        });
    let all: Vec<Value> = visible.map(render).collect();
    Ok(Answer::ok(json!({
        "value": all,
        "count": { "type": "Total", "value": all.len() },
    })))
}

pub(super) fn known<'c>(cloud: &'c Cloud, id: &str) -> Result<&'c Subscription, Failure> {
    cloud.subscriptions.get(id).ok_or_else(|| {
        Failure::new(
            404,
            "SubscriptionNotFound",
            format!("The subscription '{id}' could not be found."),
        )
    })
}

fn scope(id: &str) -> String {
    format!("/subscriptions/{id}")
}

pub(super) fn get(cloud: &Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    ask.authorize(cloud, "Microsoft.Resources/subscriptions/read", &scope(id))?;
    Ok(Answer::ok(render(known(cloud, id)?)))
}

pub(super) fn locations(cloud: &Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    ask.authorize(
        cloud,
        "Microsoft.Resources/subscriptions/locations/read",
        &scope(id),
    )?;
    let all: Vec<Value> = LOCATIONS
        .iter()
        .map(|(name, display)| {
            json!({
                "id": format!("/subscriptions/{id}/locations/{name}"),
                "name": name,
                "type": "Region",
                "displayName": display,
                "regionalDisplayName": display,
                "metadata": { "regionType": "Physical", "regionCategory": "Recommended" },
            })
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

fn render_provider(ask: &Ask<'_>, subscription: &Subscription, namespace: &str) -> Value {
    let state = match subscription.providers.get(&namespace.to_lowercase()) {
        None => "NotRegistered",
        Some(from) if *from > ask.context.moment.now => "Registering",
        Some(_) => "Registered",
    };
    json!({
        "id": format!("/subscriptions/{}/providers/{namespace}", subscription.id),
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": state,
        "resourceTypes": [],
    })
}

pub(super) fn providers(cloud: &Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    ask.authorize(
        cloud,
        "Microsoft.Resources/subscriptions/providers/read",
        &scope(id),
    )?;
    let subscription = known(cloud, id)?;
    let all: Vec<Value> = NAMESPACES
        .iter()
        .map(|one| render_provider(ask, subscription, one))
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

fn namespace(name: &str) -> Result<&'static str, Failure> {
    NAMESPACES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .copied()
        .ok_or_else(|| {
            Failure::new(
                404,
                "InvalidResourceNamespace",
                format!("The resource namespace '{name}' is invalid."),
            )
        })
}

pub(super) fn provider(cloud: &Cloud, ask: &Ask<'_>, id: &str, name: &str) -> Outcome {
    ask.authorize(
        cloud,
        "Microsoft.Resources/subscriptions/providers/read",
        &scope(id),
    )?;
    Ok(Answer::ok(render_provider(
        ask,
        known(cloud, id)?,
        namespace(name)?,
    )))
}

/// Registering takes a while; asking again while it goes on changes nothing.
pub(super) fn register(
    cloud: &mut Cloud,
    ask: &Ask<'_>,
    id: &str,
    name: &str,
    register: bool,
) -> Outcome {
    let name = namespace(name)?;
    let verb = if register { "register" } else { "unregister" };
    ask.authorize(cloud, &format!("{name}/{verb}/action"), &scope(id))?;
    let at = ask
        .context
        .moment
        .now
        .plus(cloud.lags.provider_registration);
    let Some(subscription) = cloud.subscriptions.get_mut(id) else {
        return Err(super::not_found(id));
    };
    if register {
        subscription
            .providers
            .entry(name.to_lowercase())
            .or_insert(at);
    } else {
        subscription.providers.remove(&name.to_lowercase());
    }
    Ok(Answer::ok(render_provider(ask, subscription, name)))
}

/// Whether resources of a namespace can be made now.
pub(super) fn registered(
    cloud: &Cloud,
    ask: &Ask<'_>,
    id: &str,
    name: &str,
) -> Result<(), Failure> {
    let from = known(cloud, id)?.providers.get(&name.to_lowercase());
    if from.is_some_and(|from| *from <= ask.context.moment.now) {
        return Ok(());
    }
    let name = namespace(name)?;
    Err(Failure::new(
        409,
        "MissingSubscriptionRegistration",
        format!(
            "The subscription is not registered to use namespace '{name}'. See \
             https://aka.ms/rps-not-found for how to register subscriptions."
        ),
    ))
}

pub(super) fn usages(cloud: &Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    ask.authorize(cloud, "Microsoft.Compute/locations/usages/read", &scope(id))?;
    registered(cloud, ask, id, "Microsoft.Compute")?;
    let subscription = known(cloud, id)?;
    let all: Vec<Value> = QUOTAS
        .iter()
        .map(|(value, text, limit)| {
            json!({
                "unit": "Count",
                "currentValue": 0,
                "limit": subscription.quota.get(*value).unwrap_or(limit),
                "name": { "value": value, "localizedValue": text },
            })
        })
        .collect();
    Ok(Answer::ok(json!({ "value": all })))
}

/// How far a deletion is: 202 while it goes on.
pub(super) fn operation(cloud: &Cloud, ask: &Ask<'_>, id: &str, operation: &str) -> Outcome {
    ask.authorize(
        cloud,
        "Microsoft.Resources/subscriptions/operationresults/read",
        &scope(id),
    )?;
    let until = cloud
        .operations
        .get(operation)
        .ok_or_else(|| super::not_found(operation))?;
    if *until > ask.context.moment.now {
        let here = format!("{}{}", ask.context.origin, ask.request.id());
        let version = ask.request.query("api-version").unwrap_or_default();
        return Ok(Answer::empty(202)
            .with("location", format!("{here}?api-version={version}"))
            .with("retry-after", "1".to_owned()));
    }
    Ok(Answer::empty(200))
}
