//! Service Usage: which APIs are on.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::state::Project;
use serde_json::{Value, json};
use std::time::Duration;

/// APIs that can be enabled: name, title, whether they want a billing account.
const KNOWN: [(&str, &str, bool); 27] = [
    ("artifactregistry", "Artifact Registry API", true),
    ("certificatemanager", "Certificate Manager API", true),
    ("cloudapis", "Google Cloud APIs", false),
    ("cloudasset", "Cloud Asset API", false),
    ("cloudbilling", "Cloud Billing API", false),
    ("cloudquotas", "Cloud Quotas API", false),
    ("cloudresourcemanager", "Cloud Resource Manager API", false),
    ("cloudscheduler", "Cloud Scheduler API", true),
    ("compute", "Compute Engine API", true),
    ("container", "Kubernetes Engine API", true),
    ("dns", "Cloud DNS API", true),
    ("iam", "Identity and Access Management (IAM) API", false),
    (
        "iamcredentials",
        "IAM Service Account Credentials API",
        false,
    ),
    ("logging", "Cloud Logging API", false),
    ("monitoring", "Cloud Monitoring API", false),
    ("orgpolicy", "Organization Policy API", false),
    ("pubsub", "Cloud Pub/Sub API", false),
    ("redis", "Google Cloud Memorystore for Redis API", true),
    ("run", "Cloud Run Admin API", true),
    ("secretmanager", "Secret Manager API", true),
    ("servicemanagement", "Service Management API", false),
    ("servicenetworking", "Service Networking API", true),
    ("serviceusage", "Service Usage API", false),
    ("sqladmin", "Cloud SQL Admin API", true),
    ("storage", "Cloud Storage API", false),
    ("sts", "Security Token Service API", false),
    ("vpcaccess", "Serverless VPC Access API", true),
];

/// Simulated time until calls of an API that was switched on pass.
const TAKES: Duration = Duration::from_secs(20);

fn known(api: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    let name = api.strip_suffix(".googleapis.com")?;
    KNOWN.iter().find(|(known, _, _)| *known == name)
}

/// The title of an API, by its name without the domain.
pub(in crate::gcp) fn service_title(name: &str) -> String {
    KNOWN
        .iter()
        .find(|(known, _, _)| *known == name)
        .map_or_else(
            || format!("{name} API"),
            |(_, title, _)| (*title).to_owned(),
        )
}

fn render(project: &Project, api: &str) -> Value {
    let number = &project.number;
    let title = service_title(api.trim_end_matches(".googleapis.com"));
    json!({
        "name": format!("projects/{number}/services/{api}"),
        "parent": format!("projects/{number}"),
        "config": { "name": api, "title": title },
        "state": if project.services.contains_key(api) { "ENABLED" } else { "DISABLED" },
    })
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("serviceusage.services.list")?;
    let wanted = match call.query("filter") {
        None | Some("") => None,
        Some("state:ENABLED") => Some(true),
        Some("state:DISABLED") => Some(false),
        Some(_) => return Err(Refusal::invalid("The filter is not supported.")),
    };
    let all = KNOWN
        .iter()
        .map(|(name, _, _)| format!("{name}.googleapis.com"))
        .filter(|api| wanted.is_none_or(|on| project.services.contains_key(api) == on))
        .map(|api| render(project, &api))
        .collect();
    page(call, "services", all, 200)
}

fn not_found(api: &str) -> Refusal {
    Refusal::forbidden(format!(
        "Not found or permission denied for service(s): {api}."
    ))
    .info(
        "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED",
        "serviceusage.googleapis.com",
        json!({ "services": api }),
    )
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("serviceusage.services.get")?;
    let api = call.param("service");
    known(&api).ok_or_else(|| not_found(&api))?;
    Ok(render(project, &api))
}

pub(super) fn batch_get(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("serviceusage.services.get")?;
    let names: Vec<&str> = call
        .query
        .iter()
        .filter(|(key, _)| key == "names")
        .filter_map(|(_, name)| name.rsplit('/').next())
        .collect();
    if names.is_empty() || names.len() > 30 {
        return Err(Refusal::invalid(
            "Between 1 and 30 services can be asked for.",
        ));
    }
    if let Some(wrong) = names.iter().find(|name| known(name).is_none()) {
        return Err(not_found(wrong));
    }
    let all: Vec<Value> = names.into_iter().map(|api| render(project, api)).collect();
    Ok(json!({ "services": all }))
}

pub(super) fn enable(call: &mut Call<'_, '_>) -> Answer {
    let api = call.param("service");
    switch_on(call, vec![api], "EnableServiceResponse")
}

pub(super) fn batch_enable(call: &mut Call<'_, '_>) -> Answer {
    let names: Vec<String> =
        serde_json::from_value(call.body["serviceIds"].clone()).unwrap_or_default();
    if names.is_empty() || names.len() > 20 {
        return Err(Refusal::invalid(
            "Between 1 and 20 services can be enabled in one request.",
        ));
    }
    switch_on(call, names, "BatchEnableServicesResponse")
}

fn switch_on(call: &mut Call<'_, '_>, apis: Vec<String>, response: &str) -> Answer {
    let project = call.path_project("serviceusage.services.enable")?;
    let number = project.number.clone();
    let unknown: Vec<&str> = apis
        .iter()
        .filter(|api| known(api).is_none())
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(not_found(&unknown.join(",")));
    }
    let billed: Vec<&str> = apis
        .iter()
        .filter(|api| known(api).is_some_and(|(_, _, billed)| *billed))
        .map(String::as_str)
        .collect();
    if !billed.is_empty() && project.billing.is_none() {
        let (billed, node) = (billed.join(","), format!("projects/{number}"));
        return Err(Refusal::precondition(format!(
            "Billing account for project '{number}' is not found. Billing must be enabled for \
             activation of service(s) '{billed}' to proceed."
        ))
        .violation("googleapis.com/billing-enabled", &node, "billing-enabled")
        .info(
            "UREQ_PROJECT_BILLING_NOT_FOUND",
            "serviceusage.googleapis.com/billing-enabled",
            json!({ "project": number, "services": billed }),
        ));
    }
    let from = call.at.now.plus(TAKES);
    let project = call.project_mut(&number)?;
    let mut shown = Vec::new();
    for api in &apis {
        project.services.entry(api.clone()).or_insert(from);
        shown.push(render(project, api));
    }
    let mut answer = if response == "EnableServiceResponse" {
        json!({ "service": shown.first() })
    } else {
        json!({ "services": shown })
    };
    answer["@type"] = json!(format!(
        "type.googleapis.com/google.api.serviceusage.v1.{response}"
    ));
    Ok(finish(call, &number, &apis, answer))
}

fn finish(call: &mut Call<'_, '_>, number: &str, apis: &[String], answer: Value) -> Value {
    let resources: Vec<String> = apis
        .iter()
        .map(|api| format!("projects/{number}/services/{api}"))
        .collect();
    let metadata = json!({
        "@type": "type.googleapis.com/google.api.serviceusage.v1.OperationMetadata",
        "resourceNames": resources,
    });
    call.operation(
        &format!("operations/acat.p2-{number}-"),
        TAKES,
        metadata,
        answer,
    )
}

pub(super) fn disable(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("serviceusage.services.disable")?;
    let (number, api) = (project.number.clone(), call.param("service"));
    known(&api).ok_or_else(|| not_found(&api))?;
    let project = call.project_mut(&number)?;
    project.services.remove(&api);
    let shown = render(project, &api);
    let answer = json!({
        "@type": "type.googleapis.com/google.api.serviceusage.v1.DisableServiceResponse",
        "service": shown,
    });
    Ok(finish(call, &number, &[api], answer))
}
