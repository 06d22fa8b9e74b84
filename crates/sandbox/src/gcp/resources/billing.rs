//! Whether a project pays.

use crate::gcp::call::{Answer, Call};
use serde_json::json;

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project("resourcemanager.projects.get")?;
    Ok(json!({
        "name": format!("projects/{}/billingInfo", project.id),
        "projectId": project.id,
        "billingAccountName": project.billing.as_deref().unwrap_or_default(),
        "billingEnabled": project.billing.is_some(),
    }))
}
