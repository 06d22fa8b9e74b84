//! Cloud Quotas: limits per region. The defaults are those of a project with
//! billing; what is used is not counted.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::state::Project;
use serde_json::{Value, json};

/// Service, quota id, metric, whether it is per region, default.
const KNOWN: [(&str, &str, &str, bool, i64); 8] = [
    (
        "compute",
        "CPUS-per-project-region",
        "compute.googleapis.com/cpus",
        true,
        24,
    ),
    (
        "compute",
        "CPUS-ALL-REGIONS-per-project",
        "compute.googleapis.com/cpus_all_regions",
        false,
        32,
    ),
    (
        "compute",
        "IN-USE-ADDRESSES-per-project-region",
        "compute.googleapis.com/in_use_addresses",
        true,
        8,
    ),
    (
        "compute",
        "NETWORKS-per-project",
        "compute.googleapis.com/networks",
        false,
        15,
    ),
    (
        "compute",
        "STATIC-ADDRESSES-per-project-region",
        "compute.googleapis.com/static_addresses",
        true,
        8,
    ),
    (
        "compute",
        "SSD-TOTAL-GB-per-project-region",
        "compute.googleapis.com/ssd_total_storage",
        true,
        500,
    ),
    (
        "run",
        "CpuAllocPerProjectRegion",
        "run.googleapis.com/cpu_allocation",
        true,
        200_000,
    ),
    (
        "sqladmin",
        "InstancesPerProject",
        "sqladmin.googleapis.com/instances",
        false,
        100,
    ),
];

/// Regions that quotas are listed for.
pub(in crate::gcp) const REGIONS: [&str; 6] = [
    "europe-west1",
    "europe-west3",
    "europe-west4",
    "us-central1",
    "us-east1",
    "asia-northeast1",
];

fn render(project: &Project, quota: &(&str, &str, &str, bool, i64)) -> Value {
    let (service, id, metric, regional, standard) = *quota;
    let limit = |region: &str| {
        let key = format!("{id}/{region}");
        project
            .quotas
            .get(&key)
            .copied()
            .unwrap_or(standard)
            .to_string()
    };
    let infos: Vec<Value> = if regional {
        REGIONS
            .iter()
            .map(|region| {
                json!({
                    "dimensions": { "region": region },
                    "details": { "value": limit(region) },
                    "applicableLocations": [region],
                })
            })
            .collect()
    } else {
        vec![json!({
            "details": { "value": limit("global") },
            "applicableLocations": ["global"],
        })]
    };
    json!({
        "name": format!(
            "projects/{}/locations/global/services/{service}.googleapis.com/quotaInfos/{id}",
            project.number
        ),
        "quotaId": id,
        "metric": metric,
        "service": format!("{service}.googleapis.com"),
        "containerType": "PROJECT",
        "dimensions": if regional { json!(["region"]) } else { json!([]) },
        "dimensionsInfos": infos,
    })
}

/// Whether a quota exists, for whoever sets one.
pub(in crate::gcp) fn exists(id: &str) -> bool {
    KNOWN.iter().any(|(_, known, ..)| *known == id)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("cloudquotas.quotas.get")?;
    let service = call.param("service");
    let all = KNOWN
        .iter()
        .filter(|(name, ..)| format!("{name}.googleapis.com") == service)
        .map(|quota| render(project, quota))
        .collect();
    page(call, "quotaInfos", all, 500)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("cloudquotas.quotas.get")?;
    let (service, id) = (call.param("service"), call.param("quota"));
    KNOWN
        .iter()
        .find(|(name, known, ..)| format!("{name}.googleapis.com") == service && *known == id)
        .map(|quota| render(project, quota))
        .ok_or_else(|| Refusal::not_found("Requested entity was not found."))
}
