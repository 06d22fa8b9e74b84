//! The grant on Google Cloud: what it must say, and never says.

use landfall_model::{
    Timestamp,
    connection::{Connection, Gcp, GcpAccess, State, Target},
    digest::Digest,
    grant::{GcpGrant, GcpIdentity, GcpTrust, GrantSpec, ServerPrincipal, version_of},
    id::SecretId,
};
use landfall_plan::policy::{self, gcp};
use serde_json::Value;
use std::collections::BTreeSet;

mod above;

const ISSUER: &str = "https://id.landfall.example/acme";

/// Each version with the digest of its grant, oldest first.
const VERSIONS: &str = include_str!("versions.txt");

/// The same of the grants on a folder and an organization.
const VERSIONS_ABOVE: &str = include_str!("versions_above.txt");

/// Google's permissions as the sandbox knows them: read here, so that the two
/// tables check each other.
const KNOWN: &str = include_str!("../../../sandbox/src/gcp/roles.json");

/// Permissions of Google that no predefined role of that table has.
const ALSO_KNOWN: [&str; 3] = [
    "iam.serviceAccountKeys.create",
    "resourcemanager.projects.delete",
    "resourcemanager.projects.move",
];

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str) -> T {
    format!("{prefix}_{:0>32}", "1a2b3c4d").parse().unwrap()
}

fn connection(access: GcpAccess) -> Connection {
    Connection {
        id: id("con"),
        organization_id: id("org"),
        name: "shop".into(),
        target: Target::Gcp(Gcp {
            project_id: "my-project-123".parse().unwrap(),
            parent: None,
            access,
        }),
        external_id: "lf-0190b5c8e0f07c3f8a1d2b3c4d5e6f70".into(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["europe-west1".into()],
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending {
            since: Timestamp::from_millis(0),
        },
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        version: 1,
    }
}

fn keyless() -> Connection {
    connection(GcpAccess::WorkloadIdentity {
        project_number: None,
    })
}

fn by_key() -> Connection {
    connection(GcpAccess::ServiceAccountKey {
        service_account: "any@my-project-123.iam.gserviceaccount.com".into(),
        key_id: "0123".into(),
        secret_id: id::<SecretId>("sec"),
    })
}

/// The one that the server made for this connection.
const OURS: &str = "lf-1a2b3c4d@operator-123.iam.gserviceaccount.com";

fn trusting(service_account: Option<&str>) -> Connection {
    connection(GcpAccess::Impersonation {
        service_account: service_account.map(str::to_owned),
    })
}

fn ours() -> ServerPrincipal {
    ServerPrincipal::GoogleServiceAccount {
        email: "server@operator-123.iam.gserviceaccount.com".into(),
    }
}

fn issuer() -> ServerPrincipal {
    ServerPrincipal::Issuer { url: ISSUER.into() }
}

fn granted(connection: &Connection, principal: &ServerPrincipal) -> GcpGrant {
    match policy::grant(connection, principal).unwrap() {
        GrantSpec::Gcp(grant) => *grant,
        other => panic!("{other:?}"),
    }
}

fn known() -> BTreeSet<String> {
    let table: Value = serde_json::from_str(KNOWN).unwrap();
    let mut known: BTreeSet<String> = ALSO_KNOWN.iter().map(|&p| p.to_owned()).collect();
    for resources in table["roles"].as_object().unwrap().values() {
        for (resource, verbs) in resources.as_object().unwrap() {
            for verb in verbs.as_str().unwrap().split(' ') {
                known.insert(format!("{resource}.{verb}"));
            }
        }
    }
    known
}

#[test]
fn every_permission_is_one_that_google_has() {
    let known = known();
    let grant = granted(&keyless(), &issuer());
    let asked = grant
        .roles
        .iter()
        .map(|role| &role.permissions)
        .chain(grant.permissions.iter().map(|group| &group.permissions));
    for permission in asked.flatten() {
        assert!(known.contains(permission), "{permission} does not exist");
    }
}

#[test]
fn what_is_refused_is_in_no_role_of_the_refused() {
    let grant = granted(&keyless(), &issuer());
    for group in grant
        .permissions
        .iter()
        .filter(|group| !group.expect_allowed)
    {
        let role = grant.role(group.identity).unwrap();
        for permission in &group.permissions {
            assert!(
                !role.permissions.contains(permission),
                "{} has {permission}",
                role.id
            );
        }
    }
}

/// Looks at the verbs, not at our own list of what is refused.
#[test]
fn nobody_but_the_reaper_destroys_and_nobody_widens() {
    let stateful = [
        "cloudsql.",
        "redis.",
        "storage.",
        "pubsub.",
        "secretmanager.",
        "artifactregistry.",
    ];
    let grant = granted(&keyless(), &issuer());
    for role in &grant.roles {
        for permission in &role.permissions {
            let verb = permission.rsplit('.').next().unwrap();
            if stateful
                .iter()
                .any(|service| permission.starts_with(service))
            {
                let destroys = ["delete", "destroy", "import", "restore", "truncate", "seek"]
                    .iter()
                    .any(|word| verb.starts_with(word));
                assert!(
                    !destroys || role.identity == GcpIdentity::Reaper,
                    "{}: {permission}",
                    role.id
                );
                assert_ne!(verb, "setIamPolicy", "{}: {permission}", role.id);
            }
            if permission.starts_with("iam.") {
                let reads = ["get", "list", "getIamPolicy"].contains(&verb);
                // A new account has nothing and is nobody's.
                let makes = permission == "iam.serviceAccounts.create";
                assert!(reads || makes, "{}: {permission}", role.id);
            }
            assert_ne!(permission, "resourcemanager.projects.setIamPolicy");
            assert_ne!(permission, "secretmanager.versions.access");
        }
    }
    // These destroy by a rule: a lifecycle, an expiry, a cleanup policy.
    let provisioner = grant.role(GcpIdentity::Provisioner).unwrap();
    for permission in [
        "storage.buckets.update",
        "secretmanager.secrets.update",
        "artifactregistry.repositories.update",
        "pubsub.subscriptions.update",
    ] {
        assert!(
            !provisioner.permissions.contains(permission),
            "{permission}"
        );
    }
}

#[test]
fn the_bootstrap_may_bind_the_provisioners_role_alone() {
    let grant = granted(&keyless(), &issuer());
    let provisioner = grant.role(GcpIdentity::Provisioner).unwrap();
    let reaper = grant.role(GcpIdentity::Reaper).unwrap();
    let confined: Vec<_> = grant
        .bindings
        .iter()
        .filter(|binding| binding.role.starts_with("roles/"))
        .collect();
    let [binding] = confined[..] else {
        panic!("one predefined role: {confined:?}");
    };
    assert_eq!(binding.identity, GcpIdentity::Bootstrap);
    assert_eq!(binding.role, gcp::PROJECT_IAM_ADMIN);
    let expression = &binding.condition.as_ref().unwrap().expression;
    assert_eq!(
        *expression,
        format!(
            "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['{}'])",
            provisioner.name
        )
    );
    assert!(!expression.contains(&reaper.id));
    let itself: Vec<_> = grant
        .bindings
        .iter()
        .filter(|binding| binding.by_bootstrap)
        .map(|binding| binding.role.as_str())
        .collect();
    assert_eq!(itself, [provisioner.name.as_str()]);
}

#[test]
fn one_subject_of_one_issuer_is_trusted() {
    let connection = keyless();
    let grant = granted(&connection, &issuer());
    let GcpTrust::Federation {
        condition, subject, ..
    } = &grant.trust
    else {
        panic!("{:?}", grant.trust);
    };
    assert_eq!(*subject, connection.subject());
    assert_eq!(*condition, format!("assertion.sub == '{subject}'"));
    assert!(subject.len() <= 127);
    let number = "415104041262".parse().unwrap();
    assert_eq!(
        grant.trust.member(&number),
        format!(
            "principal://iam.googleapis.com/projects/415104041262/locations/global/\
             workloadIdentityPools/{}/subject/{subject}",
            connection.gcp().unwrap().pool_id()
        )
    );
}

#[test]
fn names_keep_within_googles_limits() {
    let grant = granted(&keyless(), &issuer());
    for account in &grant.accounts {
        assert!((6..=30).contains(&account.id.len()), "{}", account.id);
        assert!(account.display_name.len() <= 100 && account.description.len() <= 256);
    }
    for role in &grant.roles {
        assert!((3..=64).contains(&role.id.len()), "{}", role.id);
        assert!(role.title.len() <= 100 && role.description.len() <= 300);
        assert!(role.permissions.len() <= 3000);
        assert_eq!(version_of(&role.description), Some(gcp::GRANT_VERSION));
    }
    // Service Usage takes so many at once.
    assert!(grant.billed_apis.len() <= 20 && grant.free_apis.len() <= 20);
}

#[test]
fn without_a_reaper_nothing_of_it_is_there() {
    let mut connection = keyless();
    connection.with_reaper = false;
    let text = serde_json::to_string(&granted(&connection, &issuer())).unwrap();
    assert!(!text.contains("reaper\""), "{text}");
    assert!(!text.contains("landfall_reaper"));
    assert!(!text.contains("storage.objects.delete\"],\"expect_allowed\":true"));
}

#[test]
fn by_a_key_the_accounts_trust_the_account_of_the_key() {
    let grant = granted(&by_key(), &ServerPrincipal::GivenKey);
    assert_eq!(
        grant.trust,
        GcpTrust::Account {
            email: "any@my-project-123.iam.gserviceaccount.com".into(),
            role: gcp::TOKEN_CREATOR.into(),
        }
    );
    // What the customer switches on before, and nothing more.
    assert_eq!(
        grant.bootstrap_apis,
        [
            "cloudresourcemanager.googleapis.com",
            "serviceusage.googleapis.com"
        ]
    );
    assert!(!grant.apis().any(|api| api.starts_with("sts.")));
}

#[test]
fn every_method_makes_the_same_identities() {
    let keyless = granted(&keyless(), &issuer());
    let by_key = granted(&by_key(), &ServerPrincipal::GivenKey);
    let trusting = granted(&trusting(Some(OURS)), &ours());
    for other in [&by_key, &trusting] {
        assert_eq!(other.accounts, keyless.accounts);
        assert_eq!(other.roles, keyless.roles);
        assert_eq!(other.bindings, keyless.bindings);
        assert_eq!(other.permissions, keyless.permissions);
    }
}

#[test]
fn one_account_of_ours_is_trusted_and_only_once_it_is_there() {
    let grant = granted(&trusting(Some(OURS)), &ours());
    assert_eq!(
        grant.trust,
        GcpTrust::Account {
            email: OURS.into(),
            role: gcp::TOKEN_CREATOR.into(),
        }
    );
    // Not the identity that all connections of this server share.
    assert!(!serde_json::to_string(&grant).unwrap().contains("server@"));
    assert!(policy::grant(&trusting(None), &ours()).is_err());
    assert!(policy::grant(&trusting(Some(OURS)), &issuer()).is_err());
}

#[test]
fn a_method_trusts_its_own_kind_of_principal_only() {
    assert!(policy::grant(&keyless(), &ServerPrincipal::GivenKey).is_err());
    assert!(policy::grant(&by_key(), &issuer()).is_err());
    for url in [
        "http://id.example",
        "https://",
        "https://id.example?x=1",
        "https://id.example#x",
        "https://id.example/'; reboot; '",
        "https://id.example/\n",
    ] {
        let principal = ServerPrincipal::Issuer { url: url.into() };
        assert!(policy::grant(&keyless(), &principal).is_err(), "{url}");
    }
    let strange = connection(GcpAccess::ServiceAccountKey {
        service_account: "a@b.gserviceaccount.com' --x".into(),
        key_id: "0123".into(),
        secret_id: id::<SecretId>("sec"),
    });
    assert!(policy::grant(&strange, &ServerPrincipal::GivenKey).is_err());
}

#[test]
fn the_grant_changes_only_with_its_version() {
    let on_project = [
        granted(&keyless(), &issuer()),
        granted(&by_key(), &ServerPrincipal::GivenKey),
        granted(&trusting(Some(OURS)), &ours()),
    ];
    is_last_of(VERSIONS, "versions.txt", &on_project);
    let [folder, organization] = above::PARENTS;
    let above = [
        granted(&above::on(folder, keyless()), &issuer()),
        granted(&above::on(organization, keyless()), &issuer()),
        granted(&above::on(folder, trusting(Some(OURS))), &ours()),
    ];
    is_last_of(VERSIONS_ABOVE, "versions_above.txt", &above);
}

fn is_last_of(versions: &str, file: &str, grants: &[GcpGrant]) {
    let grants: Vec<_> = grants
        .iter()
        .map(|grant| (&grant.trust, &grant.roles, &grant.bindings, &grant.accounts))
        .collect();
    let current = Digest::of_json(&grants).unwrap();
    let last = versions
        .lines()
        .rfind(|line| !line.starts_with('#'))
        .unwrap_or_default();
    assert_eq!(
        last,
        format!("{} {current}", gcp::GRANT_VERSION),
        "the grant changed: raise GRANT_VERSION in src/policy/gcp/mod.rs, and add the line to \
         tests/policy_gcp/{file}. A line of a released version never changes."
    );
}

/// Of a grant on a project, nothing says that there could be another one.
#[test]
fn a_grant_on_a_project_says_nothing_of_what_is_above() {
    let grant = granted(&keyless(), &issuer());
    let text = serde_json::to_string(&grant).unwrap();
    for word in ["\"above\"", "\"parent\"", "folders", "organizations"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let read: GcpGrant = serde_json::from_str(&text).unwrap();
    assert_eq!(read, grant);
}
