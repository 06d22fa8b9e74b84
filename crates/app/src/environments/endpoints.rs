use crate::{App, failed, plans};
use landfall_model::{environment::Environment, error::Result};
use std::collections::BTreeMap;

/// Where the environment answers, by the last plan that was run and what is
/// recorded now.
pub(super) async fn of(app: &App, environment: &Environment) -> Result<BTreeMap<String, String>> {
    let organization = &environment.organization_id;
    let newest = app
        .store
        .rollouts(organization, Some(&environment.id), 1)
        .await
        .map_err(failed("reading the rollouts"))?;
    let Some(rollout) = newest.first() else {
        return Ok(BTreeMap::new());
    };
    let plan = plans::find(app, organization, &rollout.plan_id).await?;
    let resources = app
        .store
        .resources(&environment.id)
        .await
        .map_err(failed("listing resources"))?;
    Ok(reachable(
        app,
        landfall_engine::endpoints(&plan, &resources),
    ))
}

/// The addresses as people reach them: through the operator's own way, where
/// one is configured.
pub(crate) fn reachable(
    app: &App,
    endpoints: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let Some(template) = &app.settings.deployment_url else {
        return endpoints;
    };
    endpoints
        .into_iter()
        .map(|(workload, url)| (workload, through(template, &url)))
        .collect()
}

/// `template` with the URL's host, followed by its path.
fn through(template: &str, url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.split(':').next().unwrap_or(authority);
    let path = if path == "/" { "" } else { path };
    format!("{}{path}", template.replace("{host}", host))
}

#[cfg(test)]
mod tests {
    use super::through;

    #[test]
    fn the_host_goes_into_the_template_and_the_path_behind_it() {
        let template = "http://127.0.0.1:9000/deployed/{host}";
        let host = "shop-1.eu-central-1.elb.amazonaws.com";
        let expected = format!("http://127.0.0.1:9000/deployed/{host}");
        assert_eq!(through(template, &format!("http://{host}")), expected);
        assert_eq!(through(template, &format!("http://{host}:80/")), expected);
        assert_eq!(
            through(template, &format!("http://{host}/api")),
            format!("{expected}/api")
        );
    }
}
