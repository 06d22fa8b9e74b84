//! The wizard: a cloud, a scope of it and a method.

use crate::{
    Shared,
    forms::Form,
    frame::Frame,
    page::{Answer, go, render},
    session::SignedIn,
};
use askama::Template;
use axum::extract::{Query, State};
use landfall_app::connections;
use landfall_model::{connection::Cloud, connector::Availability, error::Problem, grant::How};

#[derive(Template)]
#[template(path = "connections/new.html")]
struct New {
    frame: Frame,
    cloud: Cloud,
    /// Those that this server has connectors for.
    clouds: Vec<Cloud>,
    /// Of the cloud, the best first.
    methods: Vec<connections::Offered>,
    /// The one that is ticked.
    method: String,
    form: connections::New,
    problem: Option<Problem>,
}

impl New {
    /// Whether one of the methods stores a secret.
    fn takes_secret(&self) -> bool {
        self.methods.iter().any(|one| !one.is_keyless())
    }

    /// The attributes of a field: what was refused is marked and has the focus,
    /// else the first one has it.
    fn mark(&self, field: &str, is_first: bool) -> &'static str {
        match &self.problem {
            Some(problem) if problem.violations.iter().any(|one| one.field == field) => {
                r#" aria-invalid="true" autofocus"#
            }
            None if is_first => " autofocus",
            _ => "",
        }
    }

    async fn show(
        shared: &Shared,
        signed_in: &SignedIn,
        cloud: Cloud,
        form: connections::New,
        problem: Option<Problem>,
    ) -> Answer {
        let offered = connections::methods(&shared.app, &signed_in.actor).await?;
        let has = |cloud: &Cloud| offered.iter().any(|one| one.cloud == *cloud);
        let clouds: Vec<Cloud> = Cloud::ALL.into_iter().filter(has).collect();
        let methods: Vec<_> = offered
            .into_iter()
            .filter(|one| one.cloud == cloud)
            .collect();
        let usable = |one: &&connections::Offered| one.availability == Availability::Available;
        let method = form
            .method
            .clone()
            .or_else(|| methods.iter().find(usable).map(|one| one.method.clone()))
            .unwrap_or_default();
        render(&Self {
            frame: Frame::new(signed_in, "/connections"),
            cloud,
            clouds,
            methods,
            method,
            form,
            problem,
        })
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Choice {
    cloud: Option<String>,
}

pub(super) async fn new(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Query(choice): Query<Choice>,
) -> Answer {
    let cloud = choice.cloud.as_deref().and_then(Cloud::parse);
    let form = connections::New {
        with_reaper: Some(true),
        ..connections::New::default()
    };
    New::show(&shared, &signed_in, cloud.unwrap_or(Cloud::Aws), form, None).await
}

/// A refusal shows the form again with what was typed.
pub(super) async fn create(State(shared): State<Shared>, form: Form) -> Answer {
    let cloud = form.optional("cloud").as_deref().and_then(Cloud::parse);
    let cloud = cloud.unwrap_or(Cloud::Aws);
    let account_id = form.text("account_id").replace([' ', '-'], "");
    let scope = match cloud {
        Cloud::Aws => account_id.clone(),
        Cloud::Gcp => form.text("project_id"),
        Cloud::Azure => form.text("subscription_id").chars().take(8).collect(),
    };
    let mut wanted = connections::New {
        name: form
            .optional("name")
            .unwrap_or_else(|| format!("{cloud}-{scope}")),
        cloud: Some(cloud.to_string()),
        method: form.optional("method"),
        account_id,
        project_id: form.optional("project_id"),
        project_number: form.optional("project_number"),
        parent: form.optional("parent"),
        tenant_id: form.optional("tenant_id"),
        management_group: form.optional("management_group"),
        breadth: form.optional("breadth"),
        subscription_id: form.optional("subscription_id"),
        client_id: form.optional("client_id"),
        service_account_key: form.secret("service_account_key"),
        client_secret: form.secret("client_secret"),
        secret_expires_at: form.optional("secret_expires_at"),
        regions: form.list("regions"),
        with_reaper: Some(form.checked("with_reaper")),
        ..connections::New::default()
    };
    match connections::create(&shared.app, &form.signed_in.actor, wanted.clone()).await {
        Ok(created) => go(&format!("/connections/{}", created.connection.id)),
        Err(error) => {
            // A secret never goes back into a page.
            wanted.service_account_key = None;
            wanted.client_secret = None;
            let problem = Some(Problem::from(&error));
            New::show(&shared, &form.signed_in, cloud, wanted, problem).await
        }
    }
}
