use crate::common::{World, code};
use landfall_app::{access, organizations};
use landfall_model::{Code, member::Role};
use secrecy::SecretString;
use std::{io, sync::Mutex};

#[tokio::test]
async fn the_first_start_makes_an_admin_and_later_ones_do_nothing() {
    let world = World::new().await;
    let kept = Mutex::new(Vec::new());
    let keep = async |secret: &SecretString| {
        kept.lock().unwrap().push(secret.clone());
        Ok(())
    };
    let founded = organizations::bootstrap(&world.app, "Acme", "root", keep)
        .await
        .unwrap();
    assert_eq!(founded.unwrap().admin.role, Role::Admin);
    let again = organizations::bootstrap(&world.app, "Acme", "root", keep)
        .await
        .unwrap();
    assert!(again.is_none());
    let kept = kept.into_inner().unwrap();
    assert_eq!(kept.len(), 1);
    let actor = access::authenticate(&world.app, &kept[0], None)
        .await
        .unwrap();
    assert_eq!(actor.role(), Role::Admin);
}

#[tokio::test]
async fn two_organizations_do_not_have_one_name() {
    let world = World::new().await;
    let first = world.tenant("Acme").await;
    let keep = async |_: &SecretString| Ok(());
    let again = organizations::found(&world.app, "Acme", "root", keep).await;
    assert_eq!(code(again), Code::NameTaken);
    assert_eq!(
        organizations::list(&world.app).await.unwrap(),
        [first.organization]
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_leaves_nothing_and_the_next_start_tries_again() {
    let world = World::new().await;
    let disk_full = async |_: &SecretString| Err(io::Error::other("disk full"));
    let refused = organizations::bootstrap(&world.app, "Acme", "root", disk_full).await;
    assert_eq!(code(refused), Code::Internal);
    assert!(organizations::list(&world.app).await.unwrap().is_empty());
    let keep = async |_: &SecretString| Ok(());
    let founded = organizations::bootstrap(&world.app, "Acme", "root", keep)
        .await
        .unwrap();
    assert!(founded.is_some());
}

#[tokio::test]
async fn the_operator_gets_back_in_after_every_token_has_expired() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    world
        .clock
        .advance(std::time::Duration::from_secs(91 * 24 * 3600));
    let expired = access::authenticate(&world.app, &tenant.admin.token, None).await;
    assert_eq!(code(expired), Code::TokenExpired);

    let kept = Mutex::new(None);
    organizations::recover(
        &world.app,
        &tenant.organization.id,
        async |secret: &SecretString| {
            *kept.lock().unwrap() = Some(secret.clone());
            Ok(())
        },
    )
    .await
    .unwrap();
    let secret = kept.into_inner().unwrap().unwrap();
    let actor = access::authenticate(&world.app, &secret, None)
        .await
        .unwrap();
    assert_eq!(actor.organization_id(), &tenant.organization.id);
}
