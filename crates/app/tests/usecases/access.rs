use crate::common::{World, code};
use landfall_app::{Settings, access, audit, members, sessions, tokens};
use landfall_model::{Code, member::Role};
use secrecy::SecretString;
use std::{net::IpAddr, time::Duration};

fn new_token(role: Option<Role>, days: Option<u32>) -> tokens::New {
    tokens::New {
        name: "ci".to_owned(),
        role,
        member_id: None,
        days,
    }
}

#[tokio::test]
async fn a_token_never_has_more_than_its_member() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let admin = &tenant.admin.actor;
    let member = world.person(&tenant, Role::Member).await;

    let mut new = new_token(Some(Role::Admin), None);
    new.member_id = Some(member.member.id.clone());
    assert_eq!(
        code(tokens::create(&world.app, admin, new).await),
        Code::RequestMalformed
    );

    // An Admin's token that was made for less stays less.
    let made = tokens::create(&world.app, admin, new_token(Some(Role::Viewer), None))
        .await
        .unwrap();
    let viewer = access::authenticate(&world.app, &made.secret, None)
        .await
        .unwrap();
    assert_eq!(viewer.role(), Role::Viewer);

    // A demoted member's token is worth less at once.
    let change = members::Change {
        name: None,
        role: Some(Role::Viewer),
    };
    members::change(&world.app, admin, &member.member.id, change)
        .await
        .unwrap();
    let demoted = access::authenticate(&world.app, &member.token, None)
        .await
        .unwrap();
    assert_eq!(demoted.role(), Role::Viewer);
}

#[tokio::test]
async fn tokens_expire_and_are_revoked_with_their_sessions() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let admin = &tenant.admin.actor;
    for days in [0, 366] {
        let refused = tokens::create(&world.app, admin, new_token(None, Some(days))).await;
        assert_eq!(code(refused), Code::RequestMalformed);
    }
    let made = tokens::create(&world.app, admin, new_token(None, Some(1)))
        .await
        .unwrap();
    let session = sessions::sign_in(&world.app, &made.secret, None)
        .await
        .unwrap();
    let by_cookie = sessions::authenticated(&world.app, &session.secret, None).await;
    assert_eq!(by_cookie.unwrap(), session.actor);

    tokens::revoke(&world.app, admin, &made.token.id)
        .await
        .unwrap();
    let with_token = access::authenticate(&world.app, &made.secret, None).await;
    assert_eq!(code(with_token), Code::TokenExpired);
    let with_cookie = sessions::authenticated(&world.app, &session.secret, None).await;
    assert_eq!(code(with_cookie), Code::TokenExpired);
    let refreshed = access::refresh(&world.app, &session.actor).await;
    assert_eq!(code(refreshed), Code::TokenExpired);

    let made = tokens::create(&world.app, admin, new_token(None, Some(1)))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(24 * 3600));
    let late = access::authenticate(&world.app, &made.secret, None).await;
    assert_eq!(code(late), Code::TokenExpired);
}

#[tokio::test]
async fn a_session_ends_with_its_token_or_after_half_a_day_or_by_signing_out() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let token = &tenant.admin.token;
    let first = sessions::sign_in(&world.app, token, None).await.unwrap();
    sessions::sign_out(&world.app, &first.secret).await.unwrap();
    sessions::sign_out(&world.app, &first.secret).await.unwrap();
    let after = sessions::authenticated(&world.app, &first.secret, None).await;
    assert_eq!(code(after), Code::Unauthenticated);

    let second = sessions::sign_in(&world.app, token, None).await.unwrap();
    world.clock.advance(Duration::from_secs(12 * 3600));
    let late = sessions::authenticated(&world.app, &second.secret, None).await;
    assert_eq!(code(late), Code::Unauthenticated);

    let short = tokens::create(&world.app, &tenant.admin.actor, new_token(None, Some(1)))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(20 * 3600));
    let third = sessions::sign_in(&world.app, &short.secret, None)
        .await
        .unwrap();
    assert_eq!(third.session.expires_at, short.token.expires_at);
}

#[tokio::test]
async fn many_refused_sign_ins_from_one_address_are_slowed_down_and_others_are_not() {
    let mut settings = Settings::default();
    settings.rates.failures_per_minute = 3;
    let world = World::with(settings).await;
    let tenant = world.tenant("Acme").await;
    let attacker: Option<IpAddr> = Some("192.0.2.66".parse().unwrap());
    let guess = SecretString::from(format!("lf_{}", "0".repeat(64)));
    for _ in 0..3 {
        let refused = access::authenticate(&world.app, &guess, attacker).await;
        assert_eq!(code(refused), Code::Unauthenticated);
    }
    let slowed = access::authenticate(&world.app, &guess, attacker).await;
    assert_eq!(code(slowed), Code::RateLimited);
    // Behind the same address somebody has a valid token; elsewhere somebody
    // else makes a mistake.
    access::authenticate(&world.app, &tenant.admin.token, attacker)
        .await
        .unwrap();
    let elsewhere = access::authenticate(&world.app, &guess, "192.0.2.7".parse().ok()).await;
    assert_eq!(code(elsewhere), Code::Unauthenticated);
}

#[tokio::test]
async fn an_organization_keeps_an_admin() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let admin = &tenant.admin.actor;
    let demote = || members::Change {
        name: None,
        role: Some(Role::Member),
    };
    let alone = members::change(&world.app, admin, admin.member_id(), demote()).await;
    assert_eq!(code(alone), Code::MemberLastAdmin);
    let alone = members::remove(&world.app, admin, admin.member_id()).await;
    assert_eq!(code(alone), Code::MemberLastAdmin);

    // Two Admins who demote each other in the same moment: one stays.
    let other = world.person(&tenant, Role::Admin).await;
    let (first, second) = tokio::join!(
        members::change(&world.app, admin, &other.member.id, demote()),
        members::change(&world.app, &other.actor, admin.member_id(), demote()),
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_removed_member_is_out() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let member = world.person(&tenant, Role::Member).await;
    members::remove(&world.app, &tenant.admin.actor, &member.member.id)
        .await
        .unwrap();
    let after = access::authenticate(&world.app, &member.token, None).await;
    assert_eq!(code(after), Code::Unauthenticated);
}

#[tokio::test]
async fn refusals_are_written_down() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let viewer = world.person(&tenant, Role::Viewer).await;
    let refused = tokens::create(&world.app, &viewer.actor, new_token(None, None)).await;
    assert_eq!(code(refused), Code::Forbidden);
    let newest = audit::list(&world.app, &tenant.admin.actor, None, Some(1))
        .await
        .unwrap();
    assert_eq!(newest[0].action, "token.create");
    assert_eq!(newest[0].outcome, "forbidden");

    // A member sees their own tokens only, and may revoke only those.
    let own = tokens::list(&world.app, &viewer.actor).await.unwrap();
    assert_eq!(own.len(), 1);
    let of_admin = tenant.admin.actor.token_id();
    let refused = tokens::revoke(&world.app, &viewer.actor, of_admin).await;
    assert_eq!(code(refused), Code::Forbidden);
    tokens::revoke(&world.app, &viewer.actor, &own[0].id)
        .await
        .unwrap();
    let verified = audit::verify(&world.app, &tenant.admin.actor)
        .await
        .unwrap();
    assert!(verified.entries >= 5);
}
