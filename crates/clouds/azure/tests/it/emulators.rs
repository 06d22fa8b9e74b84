//! The identity part on emulators that other people wrote: entra-emulator (its
//! token endpoint and Graph) and arm-emulator (Resource Manager). Both are Go
//! programs, which cannot be installed everywhere: without them, this is
//! skipped even where everything else is required.
//!
//! Resource Manager there takes tokens for `https://management.azure.com` only,
//! so the connector has the public cloud's addresses, and a proxy leads those
//! names to loopback. Only a process's environment says that there is a proxy:
//! the test runs itself once more, in one that has it.

mod conditions;

use crate::support::{
    Kept, TestClock, change, check, connected, connection,
    customer::guid,
    emulators::{self, Clients, Emulators, SUBSCRIPTION, TENANT, condition_of},
    scene::{spec, verify},
};
use landfall_azure::AzureConnector;
use landfall_model::{
    check::Outcome,
    connection::{AzureAccess, Connection},
    connector::{Connector as _, Detection, Verification},
    entropy::SystemEntropy,
    grant::{Identity, azure::CLIENT_MARK},
};
use serde_json::json;
use std::sync::Arc;

const NAME: &str = "emulators::the_identity_part_works_on_emulators_that_others_wrote";

/// Checks that need what the emulators lack, and what that is. Of the others it
/// is to be known that arm-emulator serves every caller, with a role or without:
/// that roles let us in is not proven there, and only who may do a data action
/// is decided.
const LACKING: [(&str, &str); 11] = [
    ("azure.permissions.", PERMISSIONS),
    ("azure.refused.", PERMISSIONS),
    ("azure.assignments-limited", PERMISSIONS),
    ("azure.two-keys", PERMISSIONS),
    ("azure.regions-exist", "no locations of a subscription"),
    ("azure.policies-allow", "no policies"),
    ("azure.provider-registered.", "no registration of providers"),
    ("azure.quota-vcpus", "no usages"),
    (
        "azure.federated-credential-exact.",
        "Graph knows applications by object id only, not by applications(appId='…')",
    ),
    ("azure.secret-expiry", "Graph lists no passwordCredentials"),
    (
        "azure.grant-as-specified",
        "tokens have no oid, by which the provisioner's assignment is known; and conditions need \
         quotes around ids",
    ),
];
const PERMISSIONS: &str = "Resource Manager has no Microsoft.Authorization/permissions";

/// How entra-emulator says what is wrong with an assertion.
const REFUSALS: [(&str, &str); 4] = [
    ("subject", "No matching federated identity record"),
    ("audience", "No matching federated identity record"),
    ("expiry", "has expired"),
    ("signature", "signature validation failed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_part_works_on_emulators_that_others_wrote() {
    let Some(programs) = emulators::programs() else {
        return;
    };
    let Some(proxy) = emulators::proxy_of_this_process() else {
        return emulators::run_behind_a_proxy(NAME).await;
    };
    let emulators = Emulators::start(&programs, proxy).await;
    let (connection, clients) = by_assertion(&emulators).await;
    by_secret(&emulators, &connection, &clients).await;
    conditions::hold(&emulators, &connection, &clients).await;
}

/// Everything passes, except what is named with a reason: that must not, or it
/// should be named no more.
fn as_far_as_it_goes(found: &Verification) {
    for check in &found.checks {
        let lacking = LACKING.iter().find(|(id, _)| check.id.starts_with(id));
        match check.outcome {
            Outcome::Skipped => {}
            Outcome::Pass => assert!(lacking.is_none(), "{lacking:?}: {check:#?}"),
            _ => assert!(lacking.is_some(), "{check:#?}"),
        }
    }
}

fn refused(found: Detection, words: &str) {
    let Detection::Refused { evidence } = &found else {
        panic!("{found:?}");
    };
    assert!(evidence.contains(words), "{evidence}");
}

fn refuses_wrong_ones(found: &Verification, who: &str) {
    for (what, words) in REFUSALS {
        let check = check(found, &format!("azure.token-{what}-enforced.{who}"));
        assert_eq!(check.outcome, Outcome::Pass, "{check:#?}");
        assert!(check.evidence.contains(words), "{check:#?}");
    }
}

async fn by_assertion(emulators: &Emulators) -> (Connection, Clients) {
    let connector = AzureConnector::workload_identity(
        emulators.config.clone(),
        emulators.issuer.clone(),
        Arc::new(TestClock),
        Arc::new(SystemEntropy),
    )
    .unwrap();
    let mut connection = connection(
        TENANT,
        SUBSCRIPTION,
        AzureAccess::WorkloadIdentity { client_id: None },
    );
    let spec = spec(&connection);
    let spec = spec.azure().unwrap();
    let mut clients = Clients::new();
    for role in &spec.roles {
        let subject = connection.subject();
        let client = emulators.application(&role.name, &subject).await;
        clients.insert(role.identity, client);
    }
    for role in &spec.roles {
        let client = &clients[&role.identity];
        let definition = json!({
            "roleName": role.name,
            "description": role.description,
            "permissions": [{"actions": role.actions}],
        });
        let assignment = format!("{} {CLIENT_MARK}{client}", role.assignment);
        let condition = condition_of(role, &clients);
        emulators
            .role(definition, client, &assignment, &condition)
            .await;
    }
    let client = clients[&Identity::Provisioner].parse().unwrap();
    change(&mut connection, |azure| {
        azure.access = AzureAccess::WorkloadIdentity {
            client_id: Some(client),
        };
    });
    connected(&mut connection);
    // The reaper's client id is read from the description of its assignment.
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = verify(&connector, &connection).await;
    as_far_as_it_goes(&found);
    refuses_wrong_ones(&found, "provisioner");
    refuses_wrong_ones(&found, "reaper");
    let roles = &check(&found, "azure.grant-as-specified").evidence;
    assert!(
        !roles.contains("allow") && !roles.contains("there is no"),
        "{roles}"
    );

    let mut another = crate::support::connection(
        TENANT,
        SUBSCRIPTION,
        connection.azure().unwrap().access().clone(),
    );
    another.with_reaper = false;
    refused(connector.detect(&another).await, "AADSTS700213");
    emulators.forget(&connection, &clients).await;
    refused(connector.detect(&connection).await, "AADSTS700213");
    assert!(verify(&connector, &connection).await.refused);
    (connection, clients)
}

async fn by_secret(emulators: &Emulators, connection: &Connection, clients: &Clients) {
    let kept = Arc::new(Kept::default());
    let connector = AzureConnector::client_secret(
        emulators.config.clone(),
        kept.clone(),
        Some(emulators.issuer.clone()),
        Arc::new(TestClock),
        Arc::new(SystemEntropy),
    )
    .unwrap();
    let client = &clients[&Identity::Provisioner];
    let url = Emulators::admin(&format!("apps/{client}/secrets"));
    let made = emulators.must("POST", &url, "", &json!({})).await;
    let secret = made["secretText"].as_str().unwrap();
    let with = |client: &str, secret: &str| {
        let mut connection = connection.clone();
        let secret_id = Some(kept.put(&connection.organization_id, secret));
        let client_id = Some(client.parse().unwrap());
        change(&mut connection, |azure| {
            azure.access = AzureAccess::ClientSecret {
                client_id,
                secret_id,
                secret_key_id: None,
                secret_expires_at: None,
            };
        });
        connection
    };
    let right = with(client, secret);
    assert_eq!(connector.detect(&right).await, Detection::Granted);
    let found = verify(&connector, &right).await;
    as_far_as_it_goes(&found);
    refuses_wrong_ones(&found, "reaper");
    assert_eq!(
        check(&found, "azure.secret-accepted").outcome,
        Outcome::Pass
    );

    trouble_is_no_refusal(emulators, &connector, &right).await;

    let other = "abc8Q~0123456789012345678901234567890._-";
    let mut elsewhere = right.clone();
    change(&mut elsewhere, |azure| {
        azure.tenant_id = guid().parse().unwrap()
    });
    let mut nowhere = right.clone();
    change(&mut nowhere, |azure| {
        azure.subscription_id = guid().parse().unwrap()
    });
    // The codes are coarser than Entra's, which lets the checks of the client and
    // of the tenant say so of the second and the third.
    for (wrong, id, evidence) in [
        (
            with(client, other),
            "azure.secret-accepted",
            "AADSTS7000215",
        ),
        (
            with(&guid(), secret),
            "azure.secret-accepted",
            "AADSTS700038",
        ),
        (elsewhere, "azure.secret-accepted", "AADSTS90002"),
        (nowhere, "azure.subscription-found", "SubscriptionNotFound"),
    ] {
        refused(connector.detect(&wrong).await, evidence);
        let found = verify(&connector, &wrong).await;
        let check = check(&found, id);
        assert_eq!(check.outcome, Outcome::Fail, "{check:#?}");
        assert!(check.evidence.contains(evidence), "{check:#?}");
        assert!(found.refused, "{id}");
        let all = format!("{:?}", found.checks);
        assert!(!all.contains(secret) && !all.contains(other));
    }
}

async fn trouble_is_no_refusal(
    emulators: &Emulators,
    connector: &AzureConnector,
    connection: &Connection,
) {
    let unreachable = async || {
        let found = connector.detect(connection).await;
        assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    };
    let faults = Emulators::admin("faults");
    for error in ["temporarily_unavailable", "server_error"] {
        let fault = json!({ "tokenError": error });
        emulators.must("POST", &faults, "", &fault).await;
        unreachable().await;
        let found = verify(connector, connection).await;
        let accepted = check(&found, "azure.secret-accepted");
        assert_eq!(accepted.outcome, Outcome::Unanswered, "{accepted:#?}");
        assert!(!found.refused);
    }
    emulators.must("DELETE", &faults, "", &json!({})).await;
    let faults = "https://management.azure.com/_emulator/faults";
    for kind in ["throttleNextRequests", "rejectNextRequests"] {
        emulators.must("POST", faults, "", &json!({kind: 1})).await;
        unreachable().await;
        emulators.must("POST", faults, "", &json!({kind: 3})).await;
        as_far_as_it_goes(&verify(connector, connection).await);
    }
}
