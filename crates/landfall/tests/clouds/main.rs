//! Google Cloud and Azure by `workload-identity`, all the way through the real
//! binary: connected over the API and on the command line, told what is wrong,
//! and kept apart between organizations.

#[path = "../harness/mod.rs"]
mod harness;

mod connect;
mod deputy;
mod wrong;

use harness::{
    api::text,
    customer::{Customer, azure, gcp},
    scene::{Scene, asked},
};
use serde_json::Value;

/// Both clouds' customers at this place.
fn customers(scene: &Scene, place: usize) -> [(&'static str, Box<dyn Customer>); 2] {
    let owner = gcp::Owner::of(&scene.cloud.ready, place).unwrap();
    let administrator = azure::Administrator::of(&scene.cloud.ready, place).unwrap();
    [
        ("gcp", Box::new(gcp::Federation(owner))),
        ("azure", Box::new(azure::Federation(administrator))),
    ]
}

/// The body of a new connection of a customer.
async fn new(cloud: &str, customer: &dyn Customer) -> Value {
    let mut body = customer.begin().await.unwrap();
    body["name"] = format!("over {cloud}").into();
    body["cloud"] = cloud.into();
    body["method"] = "workload-identity".into();
    body
}

/// A connection that works; with what its customer was asked for and what was
/// entered.
async fn connected(scene: &Scene, cloud: &str, customer: &dyn Customer) -> Connected {
    connected_as(scene, new(cloud, customer).await, customer).await
}

async fn connected_as(scene: &Scene, body: Value, customer: &dyn Customer) -> Connected {
    let created = scene.api.post("/connections", body).await.unwrap();
    let asked = asked(&created);
    let entered = customer.grant(&asked).await.unwrap().expect("it prints");
    let id = text(&created["connection"], "id").unwrap().to_owned();
    let path = format!("/connections/{id}");
    scene.api.patch(&path, entered.clone()).await.unwrap();
    let settled = scene.settled(&id).await;
    let checks = scene.checks(&id).await;
    assert_eq!(settled["state"]["status"], "connected", "{checks:#?}");
    Connected { id, asked, entered }
}

struct Connected {
    id: String,
    asked: harness::customer::Asked,
    /// What the setup printed, as fields of the connection.
    entered: Value,
}

impl Connected {
    fn path(&self) -> String {
        format!("/connections/{}", self.id)
    }
}

/// The check `id`, which must have been made.
fn check<'c>(checks: &'c [Value], id: &str) -> &'c Value {
    checks
        .iter()
        .find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no check {id} in {checks:#?}"))
}
