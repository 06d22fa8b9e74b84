use crate::{
    client::Browser,
    common::{World, application, environment},
};
use landfall_model::{environment::ApprovalPolicy, graph::Address, plan::Edit, store::Write};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test]
async fn a_plan_shows_what_it_changes_and_no_secret() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let actor = &admin.actor;
    let connection = world.connected(actor).await;
    let shop = application(&world.app, actor).await;
    let view = environment(
        &world.app,
        actor,
        &shop,
        &connection,
        ApprovalPolicy::Manual,
    )
    .await;
    let mut plan = landfall_app::plans::create(&world.app, actor, &view.environment.id)
        .await
        .unwrap();
    // As if the service were there already, with a secret among what is new.
    let service = Address::new("workload.web.service");
    let edit = |path: &str, before, after, hidden| Edit {
        path: path.to_owned(),
        before,
        after,
        hidden,
    };
    plan.edits = BTreeMap::from([(
        service.clone(),
        vec![
            edit("/DesiredCount", Some(json!(9)), Some(json!(2)), false),
            edit("/Tags/team", Some(json!("<red>")), None, false),
            edit("/Password", None, None, true),
        ],
    )]);
    let vpc = plan
        .graph
        .nodes
        .get_mut(&Address::new("network.vpc"))
        .unwrap();
    vpc.properties["SecretString"] = json!("canary");
    vpc.write_only = BTreeSet::from(["/SecretString".to_owned()]);
    world
        .store
        .commit(vec![Write::PutPlan({
            plan.version += 1;
            plan.clone()
        })])
        .await
        .unwrap();

    let browser = Browser::signed_in(&world, &admin).await;
    let page = browser.get(&format!("/plans/{}", plan.id)).await;
    assert_eq!(page.status, 200);
    for said in [
        "<dt>/DesiredCount</dt><dd><del>9</del>",
        "<ins>2</ins>",
        "&#60;red&#62;",
        "is taken away",
        "<dt>/Password</dt><dd><span class=\"soft\">(not shown)</span>",
        "<dt>/SecretString</dt><dd><span class=\"soft\">(not shown)</span>",
        "<dt>/CidrBlock</dt>",
        plan.digest.as_str(),
        "<span class=\"soft small\">a month</span>",
    ] {
        assert!(page.html.contains(said), "no {said} in {}", page.html);
    }
    assert!(!page.html.contains("canary"));
}
