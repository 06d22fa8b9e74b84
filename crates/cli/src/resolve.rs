//! From what a person types (an id or a name) to the noun.

use crate::{
    client::Client,
    error::{CliError, Result},
};
use landfall_model::{application::Application, connection::Connection, environment::Environment};

fn pick<T>(
    what: &'static str,
    name: &str,
    items: Vec<T>,
    names: impl Fn(&T) -> Vec<String>,
) -> Result<T> {
    let mut known: Vec<String> = Vec::new();
    let mut found: Vec<T> = Vec::new();
    for item in items {
        let candidates = names(&item);
        if candidates.iter().any(|candidate| candidate == name) {
            found.push(item);
        } else {
            known.extend(candidates.into_iter().nth(1));
        }
    }
    if found.len() > 1 {
        return Err(CliError::Usage(format!(
            "several {what}s are called '{name}': use the id"
        )));
    }
    found.pop().ok_or_else(|| CliError::Unknown {
        what,
        name: name.to_owned(),
        known: if known.is_empty() {
            "(there are none)".into()
        } else {
            known.join(", ")
        },
    })
}

pub async fn connection(client: &Client, name: &str) -> Result<Connection> {
    let all: Vec<Connection> = client.list("/connections").await?;
    pick("connection", name, all, |one| {
        vec![one.id.to_string(), one.name.clone(), one.scope().to_owned()]
    })
}

pub async fn application(client: &Client, name: &str) -> Result<Application> {
    let all: Vec<Application> = client.list("/applications").await?;
    pick("application", name, all, |one| {
        vec![one.id.to_string(), one.name.clone()]
    })
}

/// By id, by `application/environment`, or by its name alone if only one
/// environment has it.
pub async fn environment(client: &Client, name: &str) -> Result<Environment> {
    let applications: Vec<Application> = client.list("/applications").await?;
    let all: Vec<Environment> = client.list("/environments").await?;
    pick("environment", name, all, |one| {
        let application = applications
            .iter()
            .find(|application| application.id == one.application_id)
            .map_or_else(String::new, |application| application.name.clone());
        vec![
            one.id.to_string(),
            format!("{application}/{}", one.name),
            one.name.clone(),
        ]
    })
}
