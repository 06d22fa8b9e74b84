use crate::common::{SCORE, World, application, code};
use landfall_app::applications::{self, New};
use landfall_model::Code;

#[tokio::test]
async fn a_score_file_is_parsed_before_anything_is_stored() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let shop = application(&world.app, actor).await;
    let put = async |name: &str, text: &str| {
        applications::put_workload(&world.app, actor, &shop.id, name, text).await
    };

    let unknown = SCORE.replace("service:", "servise:");
    let refused = put("web", &unknown).await.unwrap_err();
    assert_eq!(refused.code, Code::ScoreInvalid);
    assert!(refused.violations.iter().any(|one| one.position.is_some()));
    assert_eq!(code(put("other", SCORE).await), Code::ScoreInvalid);
    let huge = format!("{SCORE}# {}\n", "x".repeat(256 * 1024));
    assert_eq!(code(put("web", &huge).await), Code::RequestTooLarge);

    let stored = applications::show(&world.app, actor, &shop.id)
        .await
        .unwrap();
    assert_eq!(stored, shop);
    let removed = applications::remove_workload(&world.app, actor, &shop.id, "web")
        .await
        .unwrap();
    assert!(removed.workloads.is_empty());
    let again = applications::remove_workload(&world.app, actor, &shop.id, "web").await;
    assert_eq!(code(again), Code::NotFound);
}

#[tokio::test]
async fn names_are_checked_and_free_again_after_deletion() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let new = |name: &str| New {
        name: name.to_owned(),
    };
    for bad in ["", "Shop", "1shop", "shop-", "sh op", &"a".repeat(32)] {
        let refused = applications::create(&world.app, actor, new(bad)).await;
        assert_eq!(code(refused), Code::NameInvalid, "{bad}");
    }
    let shop = applications::create(&world.app, actor, new("shop"))
        .await
        .unwrap();
    let taken = applications::create(&world.app, actor, new("shop")).await;
    assert_eq!(code(taken), Code::NameTaken);
    applications::delete(&world.app, actor, &shop.id)
        .await
        .unwrap();
    let gone = applications::show(&world.app, actor, &shop.id).await;
    assert_eq!(code(gone), Code::NotFound);
    applications::create(&world.app, actor, new("shop"))
        .await
        .unwrap();
}
