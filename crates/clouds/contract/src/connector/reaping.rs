use super::{Harness, fresh, granted, keeps_secrets, retained};
use crate::{Support, needs};
use serde_json::json;

pub(super) async fn a_reaper_is_of_its_own_scope_only(harness: &dyn Harness) -> Support {
    needs!(harness.drives());
    let (connection, _) = granted(harness).await;
    let connector = harness.connector();
    let resource = retained(&connection);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:DeleteLogGroup", "Resource": "*"}],
    });
    connector
        .reaper(&connection, &resource, &policy)
        .await
        .map(|_| ())
        .expect("the reaper can be had");

    let mut elsewhere = resource.clone();
    elsewhere.account_id = "999999999999".to_owned();
    let mut of_another = resource.clone();
    of_another.connection_id = super::somebody_else(&connection).id;
    // Left out when it was made, and left out since.
    let (never, _) = fresh(harness, false).await;
    let theirs = retained(&never);
    let mut since = connection.clone();
    since.with_reaper = false;
    for (connection, resource, why) in [
        (&connection, &elsewhere, "it is in another scope"),
        (&connection, &of_another, "it is another connection's"),
        (&never, &theirs, "the customer never granted a reaper"),
        (&since, &resource, "the customer left the reaper out"),
    ] {
        let refused = connector.reaper(connection, resource, &policy).await;
        keeps_secrets(harness, &refused.err().expect(why));
    }
    Support::Done
}
