//! Management groups, as the customer's administrator makes them.

use super::{
    change,
    customer::{Caller, guid},
    scene::Scene,
};
use landfall_model::connection::Connection;
use serde_json::{Value, json};

const API: &str = "api-version=2020-05-01";

fn path(group: &str) -> String {
    format!("/providers/Microsoft.Management/managementGroups/{group}")
}

impl Scene {
    /// A new group, which belongs to whoever makes it.
    pub(crate) async fn group(&self, admin: &Caller<'_>, parent: Option<&str>) -> String {
        let name = format!("landing-zones-{}", &guid()[..8]);
        let details = parent.map(|parent| json!({"parent": {"id": path(parent)}}));
        let body = json!({"properties": {"displayName": "Landing zones", "details": details}});
        let made = format!("{}?{API}", path(&name));
        admin.must("PUT", &made, body).await;
        name
    }

    pub(crate) async fn move_to(&self, admin: &Caller<'_>, subscription: &str, group: &str) {
        let path = format!("{}/subscriptions/{subscription}?{API}", path(group));
        admin.must("PUT", &path, Value::Null).await;
    }

    /// Puts the subscription into a new group, and the connection's grant there.
    pub(crate) async fn below_a_group(&self, connection: &mut Connection) -> String {
        let admin = self.administrator().await;
        let group = self.group(&admin, None).await;
        self.move_to(&admin, &self.subscription, &group).await;
        at(connection, &group);
        group
    }

    /// Another subscription of the customer's, in this group.
    pub(crate) async fn another_subscription(&self, group: Option<&str>) -> String {
        let id = guid();
        let made = json!({"id": id, "tenant": self.tenant});
        self.admin("azure/subscriptions", &made).await;
        if let Some(group) = group {
            let admin = self.administrator().await;
            self.move_to(&admin, &id, group).await;
        }
        id
    }
}

pub(crate) fn at(connection: &mut Connection, group: &str) {
    change(connection, |azure| {
        azure.management_group = Some(group.parse().unwrap());
    });
}
