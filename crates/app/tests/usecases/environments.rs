use crate::common::{World, application, code, environment};
use landfall_app::{
    applications, connections,
    environments::{self, Change, New},
    retained,
};
use landfall_model::{
    Code,
    environment::{ApprovalPolicy, Environment, Kind},
    graph::Address,
    id::RetainedId,
    member::Role,
    resource::Resource,
    retained::{Reason, Retained, State},
    store::Write,
};
use serde_json::json;

fn recorded(world: &World, environment: &Environment, address: &str, stateful: bool) -> Resource {
    Resource {
        environment_id: environment.id.clone(),
        address: Address::new(address),
        type_name: "AWS::RDS::DBInstance".to_owned(),
        title: "The database".to_owned(),
        identifier: format!("landfall-{}", address.replace('.', "-")),
        account_id: crate::common::ACCOUNT.to_owned(),
        region: environment.region.clone(),
        applied: json!({}),
        outputs: json!({}),
        stateful,
        generation: 1,
        monthly_cents: Some(1500),
        updated_at: world.app.now(),
    }
}

async fn with_resources(world: &World, environment: &Environment) {
    let writes = ["db.instance", "cache.instance"]
        .map(|address| Write::PutResource(recorded(world, environment, address, true)));
    world.store.commit(writes.into()).await.unwrap();
}

#[tokio::test]
async fn deleting_an_environment_retains_everything_and_calls_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
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
    let id = &view.environment.id;
    with_resources(&world, &view.environment).await;
    let calls = world.cloud.calls().len();

    environments::delete(&world.app, actor, id).await.unwrap();
    assert_eq!(
        code(environments::show(&world.app, actor, id).await),
        Code::NotFound
    );
    assert!(
        environments::list(&world.app, actor, None)
            .await
            .unwrap()
            .is_empty()
    );
    let list = retained::list(&world.app, actor, false).await.unwrap();
    assert_eq!(list.len(), 2);
    for one in &list {
        assert_eq!(one.reason, Reason::EnvironmentDeleted);
        assert_eq!(one.environment_name, "shop/test");
        assert_eq!(one.monthly_cents, Some(1500));
    }
    assert!(world.store.resources(id).await.unwrap().is_empty());
    assert_eq!(
        world.cloud.calls().len(),
        calls,
        "nothing was asked of the cloud"
    );

    // Disconnecting lists the same, and keeps it.
    let ended = connections::disconnect(&world.app, actor, &connection.id)
        .await
        .unwrap();
    assert_eq!(ended.remaining.len(), 2);
    assert!(ended.remaining.iter().all(|one| one.retained_id.is_some()));
    assert_eq!(
        retained::list(&world.app, actor, false)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(world.cloud.calls().len(), calls);
    let by_hand = retained::destroy(&world.app, actor, &list[0].id, typed(&list[0]))
        .await
        .unwrap_err();
    assert_eq!(by_hand.code, Code::ReaperUnavailable);
    assert!(
        by_hand.next_step.contains("delete-resource"),
        "{}",
        by_hand.next_step
    );
}

fn typed(one: &Retained) -> retained::TypedName {
    retained::TypedName {
        typed_name: one.typed_name().to_owned(),
    }
}

#[tokio::test]
async fn deleting_an_application_retains_what_all_its_environments_made() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
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
    with_resources(&world, &view.environment).await;
    let before = connections::remaining(&world.app, actor, &connection.id)
        .await
        .unwrap();
    assert!(before.len() == 2 && before.iter().all(|one| one.retained_id.is_none()));

    applications::delete(&world.app, actor, &shop.id)
        .await
        .unwrap();
    let list = retained::list(&world.app, actor, false).await.unwrap();
    assert_eq!(list.len(), 2);
    assert!(
        list.iter()
            .all(|one| one.reason == Reason::ApplicationDeleted)
    );
    assert_eq!(
        code(environments::show(&world.app, actor, &view.environment.id).await),
        Code::NotFound
    );
    assert_eq!(world.cloud.count("provisioner"), 0);
}

#[tokio::test]
async fn destroying_and_forgetting_need_the_exact_name_and_an_open_resource() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
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
    with_resources(&world, &view.environment).await;
    environments::delete(&world.app, actor, &view.environment.id)
        .await
        .unwrap();
    let list = retained::list(&world.app, actor, false).await.unwrap();
    let wrong = || retained::TypedName {
        typed_name: "LANDFALL-db-instance".to_owned(),
    };
    let id = &list[0].id;
    assert_eq!(
        code(retained::destroy(&world.app, actor, id, wrong()).await),
        Code::RetainedNameMismatch
    );
    assert_eq!(
        code(retained::forget(&world.app, actor, id, wrong()).await),
        Code::RetainedNameMismatch
    );

    let destroying = retained::destroy(&world.app, actor, id, typed(&list[0]))
        .await
        .unwrap();
    assert!(matches!(destroying.state, State::Destroying { .. }));
    let again = retained::destroy(&world.app, actor, id, typed(&list[0])).await;
    assert_eq!(code(again), Code::RetainedState);
    // In flight: neither forgotten nor cut off from its credentials.
    let forgotten = retained::forget(&world.app, actor, id, typed(&list[0])).await;
    assert_eq!(code(forgotten), Code::RetainedState);
    let cut_off = connections::disconnect(&world.app, actor, &connection.id).await;
    assert_eq!(code(cut_off), Code::ConnectionState);

    let other = &list[1];
    let forgotten = retained::forget(&world.app, actor, &other.id, typed(other))
        .await
        .unwrap();
    assert!(matches!(forgotten.state, State::Forgotten { .. }));
    let open: Vec<RetainedId> = retained::list(&world.app, actor, false)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(open, std::slice::from_ref(id));
    assert_eq!(
        retained::list(&world.app, actor, true).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn only_an_admin_lets_production_approve_itself() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let admin = &tenant.admin.actor;
    let member = world.person(&tenant, Role::Member).await;
    let connection = world.connected(admin).await;
    let shop = application(&world.app, admin).await;
    let new = |name: &str, kind, approval| New {
        application_id: shop.id.clone(),
        connection_id: connection.id.clone(),
        name: name.to_owned(),
        kind,
        region: None,
        approval,
        settings: Default::default(),
    };
    let create = async |new| environments::create(&world.app, &member.actor, new).await;

    let loose = create(new("a", Kind::Production, Some(ApprovalPolicy::Automatic))).await;
    assert_eq!(code(loose), Code::Forbidden);
    let production = create(new("production", Kind::Production, None))
        .await
        .unwrap();
    assert_eq!(production.environment.approval, ApprovalPolicy::Manual);
    assert_eq!(production.environment.region, "eu-central-1");
    let preview = create(new("preview", Kind::Preview, None)).await.unwrap();
    assert_eq!(preview.environment.approval, ApprovalPolicy::Automatic);

    let id = &production.environment.id;
    let to = |approval| Change {
        approval: Some(approval),
        settings: None,
    };
    let loosened =
        environments::change(&world.app, &member.actor, id, to(ApprovalPolicy::Automatic)).await;
    assert_eq!(code(loosened), Code::Forbidden);
    environments::change(&world.app, admin, id, to(ApprovalPolicy::Automatic))
        .await
        .unwrap();
    environments::change(&world.app, &member.actor, id, to(ApprovalPolicy::Manual))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_environment_needs_a_connected_connection_and_an_enabled_region() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let shop = application(&world.app, actor).await;
    let mut wanted = crate::common::new_connection();
    wanted.regions = vec!["af-south-1".to_owned(), "eu-central-1".to_owned()];
    let pending = connections::create(&world.app, actor, wanted)
        .await
        .unwrap()
        .connection;
    let new = |name: &str, region: Option<&str>| New {
        application_id: shop.id.clone(),
        connection_id: pending.id.clone(),
        name: name.to_owned(),
        kind: Kind::Preview,
        region: region.map(str::to_owned),
        approval: None,
        settings: Default::default(),
    };
    let create = async |new| environments::create(&world.app, actor, new).await;
    assert_eq!(
        code(create(new("a", Some("eu-central-1"))).await),
        Code::ConnectionNotConnected
    );
    world
        .cloud
        .verifies(vec![crate::common::check("aws.account-matches")], false);
    connections::verify(&world.app, actor, &pending.id)
        .await
        .unwrap();
    assert_eq!(
        code(create(new("a", Some("af-south-1"))).await),
        Code::ConnectionRegionUnknown
    );
    assert_eq!(
        code(create(new("a", Some("us-east-1"))).await),
        Code::ConnectionRegionUnknown
    );
    assert_eq!(
        code(create(new("a", None)).await),
        Code::ConnectionRegionUnknown
    );
    let mut odd = new("b", Some("eu-central-1"));
    odd.settings.cpu = Some(333);
    assert_eq!(code(create(odd).await), Code::EnvironmentSettings);
    create(new("c", Some("eu-central-1"))).await.unwrap();
    assert_eq!(
        code(create(new("c", Some("eu-central-1"))).await),
        Code::NameTaken
    );
    assert_eq!(
        code(create(new("name-of-20-letters-x", Some("eu-central-1"))).await),
        Code::NameInvalid
    );
}
