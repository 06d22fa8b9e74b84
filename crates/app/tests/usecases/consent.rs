//! Consent counts only for whoever asked for it.

use super::secrets::{SUBSCRIPTION, Stage, TENANT};
use crate::common::{self, eventually};
use landfall_app::{
    audit,
    connections::{self, Callback, New},
};
use landfall_model::{Code, connection::State};
use std::sync::{Arc, atomic::Ordering};

fn by_consent(name: &str) -> New {
    New {
        name: name.to_owned(),
        cloud: Some("azure".to_owned()),
        method: Some("admin-consent".to_owned()),
        tenant_id: Some(TENANT.to_owned()),
        subscription_id: Some(SUBSCRIPTION.to_owned()),
        ..New::default()
    }
}

#[tokio::test]
async fn consent_counts_once_for_who_asked_and_only_without_an_error() {
    const BACK: &str = "https://landfall.example/connect/azure/callback";
    let stage = Stage::new().await;
    let process = stage.start(Arc::default());
    let acme = common::tenant(&process.app, "Acme").await;
    let evil = common::tenant(&process.app, "Evil").await;
    let app = &process.app;
    let actor = &acme.admin.actor;
    let created = connections::create(app, actor, by_consent("acme"))
        .await
        .unwrap();
    let id = &created.connection.id;
    let ask = async || {
        let page = connections::consent(app, actor, id, "session", BACK)
            .await
            .unwrap();
        page.split_once("&state=").unwrap().1.to_owned()
    };
    let good = |state: &str| Callback {
        state: state.to_owned(),
        admin_consent: "True".to_owned(),
        tenant: TENANT.to_owned(),
        ..Callback::default()
    };
    let refused = async |who: &landfall_app::Actor, session: &str, callback: Callback| {
        let error = connections::consented(app, who, session, callback).await;
        let error = error.unwrap_err();
        assert_eq!(error.code, Code::ConnectionConsentRefused);
        error.detail
    };

    let state = ask().await;
    // Another browser, another organization, and states that nobody was given.
    refused(actor, "another session", good(&state)).await;
    refused(&evil.admin.actor, "session", good(&state)).await;
    for made_up in ["", ".", "x.y", &format!("{id}.00"), &format!("{state}0")] {
        refused(actor, "session", good(made_up)).await;
    }
    // Nor one that is almost right, nor what somebody types into the address.
    for (at, _) in state.char_indices() {
        for other in ["0", "f", "", "%00", "é", "'", "\r\n"] {
            let almost = format!("{}{other}{}", &state[..at], &state[at + 1..]);
            if almost != state {
                refused(actor, "session", good(&almost)).await;
            }
        }
    }
    refused(actor, "session", good(&state.repeat(10_000))).await;
    // An older question does not count once there is a newer one.
    let newer = ask().await;
    refused(actor, "session", good(&state)).await;

    // Errors look like success, and use the state up.
    let error = Callback {
        error: Some("access_denied".to_owned()),
        error_description: Some("AADSTS65004: declined\r\n<b>".to_owned()),
        ..good(&newer)
    };
    let said = refused(actor, "session", error).await;
    assert!(said.contains("AADSTS65004: declined<b>"), "{said}");
    refused(actor, "session", good(&newer)).await;

    let state = ask().await;
    let other = Callback {
        tenant: SUBSCRIPTION.to_owned(),
        ..good(&state)
    };
    assert!(
        refused(actor, "session", other)
            .await
            .contains("the tenant")
    );
    let state = ask().await;
    let silent = Callback {
        admin_consent: String::new(),
        ..good(&state)
    };
    refused(actor, "session", silent).await;

    let state = ask().await;
    let connection = connections::consented(app, actor, "session", good(&state))
        .await
        .unwrap();
    // It proves nothing yet.
    assert!(matches!(connection.state, State::Pending { .. }));
    refused(actor, "session", good(&state)).await;
    stage.application.approved.store(true, Ordering::SeqCst);
    eventually("the grant is seen", async || {
        let shown = process.show(&acme, &created.connection).await;
        matches!(shown.state, State::Connected { .. })
    })
    .await;

    // Every refusal of somebody else is in their own audit log.
    let rows = audit::list(app, &evil.admin.actor, Some(0), Some(100)).await;
    let rows = rows.unwrap();
    let refusal = Code::ConnectionConsentRefused.to_string();
    assert!(rows.iter().any(|row| row.outcome == refusal), "{rows:?}");
    process.stop().await;
}
