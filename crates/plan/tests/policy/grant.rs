use super::*;
use landfall_plan::policy::aws::PolicyError;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn both_roles_trust_the_server_with_the_external_id_and_nothing_else() {
    let grant = granted();
    assert_eq!(grant.roles.len(), 2);
    for role in &grant.roles {
        assert_eq!(
            role.trust,
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "LandfallServer",
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::210987654321:role/landfall-server"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {
                        "sts:ExternalId": "lf-0190b5c8e0f07c3f8a1d2b3c4d5e6f70",
                    }},
                }],
            })
        );
        assert_eq!(role.max_session, 3_600);
        assert_eq!(
            role.tags["landfall:grant-version"],
            grant.version.to_string()
        );
        assert_eq!(role.tags["landfall:connection"], connection().id.as_str());
        assert_eq!(role.tags["landfall:identity"], role.identity.as_str());
    }
    assert_eq!(
        role(&grant, Identity::Provisioner).name,
        connection().aws().unwrap().provisioner_role_name()
    );
    assert_eq!(
        role(&grant, Identity::Reaper).name,
        connection().aws().unwrap().reaper_role_name()
    );
}

#[test]
fn everything_fits_what_iam_and_cloudformation_take() {
    let many_regions: Vec<String> = (0..40).map(|n| format!("ap-southeast-{n}")).collect();
    for regions in [Vec::new(), vec!["eu-central-1".to_owned()], many_regions] {
        for partition in [Partition::Aws, Partition::AwsUsGov, Partition::AwsCn] {
            let mut connection = connection();
            connection.target = account(partition, AwsAccess::AssumeRole);
            connection.regions = regions.clone();
            connection.external_id = "x".repeat(1_224);
            let principal = ServerPrincipal::Aws {
                arn: format!(
                    "arn:{}:iam::210987654321:role/{}",
                    partition.as_str(),
                    "r".repeat(64)
                ),
            };
            let grant = aws::grant(&connection, &principal).unwrap();
            for role in &grant.roles {
                assert!(role.policies.len() <= 10);
                assert!(size(&role.trust) <= 2_048);
                assert!(role.name.len() <= 64);
                assert!(role.description.len() <= 1_000);
            }
            let policies = grant.roles.iter().flat_map(|role| &role.policies);
            for policy in policies.chain([&grant.boundary]) {
                assert!(size(&policy.document) <= 6_144, "{}", policy.name);
                assert!(policy.name.len() <= 128);
                assert!(
                    policy.purpose.len() <= 1_000
                        && policy.purpose.chars().all(|c| (' '..='~').contains(&c)),
                    "IAM would refuse the description of {}",
                    policy.name
                );
            }
            assert!(grant.template.to_string().len() <= 51_200);
        }
    }
}

#[test]
fn statement_ids_are_unique_in_their_document() {
    let grant = granted();
    let policies = grant.roles.iter().flat_map(|role| &role.policies);
    for policy in policies.chain([&grant.boundary]) {
        let ids: Vec<&str> = statements(&policy.document)
            .iter()
            .map(|statement| statement["Sid"].as_str().unwrap())
            .collect();
        let unique: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{}", policy.name);
        assert!(
            ids.iter()
                .all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
    }
}

#[test]
fn nothing_is_allowed_by_a_wildcard() {
    let grant = granted();
    for identity in [Identity::Provisioner, Identity::Reaper] {
        for action in allowed(&grant, identity) {
            assert!(!action.contains(['*', '?']), "{identity:?} {action}");
        }
    }
}

/// The whole of what the provisioner may take away. Each has its reason in
/// overlay.json; a new one belongs to the reaper, or needs a very good reason.
#[test]
fn the_provisioner_takes_away_only_what_was_reviewed() {
    const TAKING: [&str; 12] = [
        "Delete",
        "Remove",
        "Untag",
        "Detach",
        "Revoke",
        "Deregister",
        "Release",
        "Disassociate",
        "Stop",
        "Cancel",
        "Terminate",
        "Purge",
    ];
    let taking: Vec<String> = allowed(&granted(), Identity::Provisioner)
        .into_iter()
        .filter(|action| {
            let name = action.split_once(':').unwrap().1;
            TAKING.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    assert_eq!(
        taking,
        [
            "cloudformation:CancelResourceRequest",
            "ec2:DeleteTags",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ecr:UntagResource",
            "ecs:StopServiceDeployment",
            "ecs:UntagResource",
            "elasticloadbalancing:RemoveTags",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:UntagRole",
            "logs:UntagResource",
            "rds:RemoveTagsFromResource",
            "s3:UntagResource",
            "secretsmanager:UntagResource",
        ]
    );
}

#[test]
fn the_reaper_makes_nothing_but_a_last_snapshot() {
    let making: Vec<String> = allowed(&granted(), Identity::Reaper)
        .into_iter()
        .filter(|action| {
            let name = action.split_once(':').unwrap().1;
            [
                "Create",
                "Run",
                "Allocate",
                "Register",
                "Put",
                "Attach",
                "Authorize",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        })
        .collect();
    assert_eq!(
        making,
        ["logs:PutLogGroupDeletionProtection", "rds:CreateDBSnapshot"]
    );
}

/// Each of these must be denied by name on every resource, whatever else the
/// customer attaches to the role.
#[test]
fn losing_data_is_denied_outright_for_every_stateful_type() {
    let grant = granted();
    let denied: Vec<&str> = statements_of(&grant, Identity::Provisioner)
        .into_iter()
        .filter(|statement| {
            statement["Effect"] == "Deny"
                && statement["Resource"] == "*"
                && statement.get("Condition").is_none()
        })
        .flat_map(|statement| texts(&statement["Action"]))
        .collect();
    for action in [
        "backup:DeleteRecoveryPoint",
        "cloudformation:DeleteResource",
        "cloudformation:DeleteStack",
        "cloudformation:CreateChangeSet",
        "dynamodb:DeleteTable",
        "ec2:DeleteSnapshot",
        "ec2:DeleteVolume",
        "ecr:BatchDeleteImage",
        "ecr:DeleteRepository",
        "ecr:PutLifecyclePolicy",
        "elasticache:DeleteReplicationGroup",
        "elasticfilesystem:DeleteFileSystem",
        "kms:DisableKey",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteLogGroup",
        "logs:PutLogGroupDeletionProtection",
        "organizations:LeaveOrganization",
        "rds:DeleteDBCluster",
        "rds:DeleteDBInstance",
        "rds:DeleteDBInstanceAutomatedBackup",
        "rds:DeleteDBSnapshot",
        "rds:ModifyDBCluster",
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:PutBucketPolicy",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
        "s3:PutObject",
        "secretsmanager:DeleteSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecret",
        "sns:DeleteTopic",
        "sqs:DeleteQueue",
        "sqs:PurgeQueue",
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "account:CloseAccount",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreatePolicyVersion",
        "iam:CreateUser",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:UpdateAssumeRolePolicy",
    ] {
        assert!(
            denied.iter().any(|pattern| matches(pattern, action)),
            "{action} is not denied"
        );
    }
}

/// `*` stands for any text, as in IAM's action patterns.
fn matches(pattern: &str, action: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == action,
        Some((before, after)) => action.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .any(|skipped| rest.is_char_boundary(skipped) && matches(after, &rest[skipped..]))
        }),
    }
}

#[test]
fn a_database_is_modified_only_when_its_tag_says_unprotected() {
    let grant = granted();
    let denied: Vec<&Value> = statements_of(&grant, Identity::Provisioner)
        .into_iter()
        .filter(|statement| statement["Sid"] == "KeepDatabaseSettings")
        .collect();
    let [statement] = denied.as_slice() else {
        panic!("{denied:?}")
    };
    assert_eq!(texts(&statement["Action"]), ["rds:ModifyDBInstance"]);
    // Negated: a database without the tag is protected too.
    assert_eq!(
        statement["Condition"],
        json!({"StringNotEquals": {"aws:ResourceTag/landfall:protected": "false"}})
    );
}

#[test]
fn the_two_identities_may_only_be_read() {
    let grant = granted();
    for identity in [Identity::Provisioner, Identity::Reaper] {
        let statement = statements_of(&grant, identity)
            .into_iter()
            .find(|statement| statement["Sid"] == "NeitherIdentity")
            .unwrap();
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(
            texts(&statement["NotAction"]),
            ["iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy"]
        );
        let resources = texts(&statement["Resource"]);
        for name in [
            connection().aws().unwrap().provisioner_role_name(),
            connection().aws().unwrap().reaper_role_name(),
        ] {
            let arn = connection().aws().unwrap().role_arn(&name);
            assert!(
                resources.iter().any(|pattern| pattern.len() == arn.len()
                    && pattern
                        .bytes()
                        .zip(arn.bytes())
                        .all(|(p, a)| p == b'?' || p == a)),
                "{arn} can be edited"
            );
        }
        // The names of all policies of the grant begin so.
        assert!(resources.contains(&"arn:aws:iam::123456789012:policy/landfall-*"));
    }
    for role in &grant.roles {
        assert!(
            role.policies
                .iter()
                .all(|policy| policy.name.starts_with("landfall-"))
        );
    }
}

#[test]
fn roles_are_made_only_under_the_boundary_and_passed_only_to_tasks() {
    let grant = granted();
    let boundary = "arn:aws:iam::123456789012:policy/landfall-boundary-1a2b3c4d";
    let statements = statements_of(&grant, Identity::Provisioner);
    let giving = [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
    ];
    for statement in statements
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
    {
        let actions = texts(&statement["Action"]);
        if giving.iter().any(|action| actions.contains(action)) {
            assert_eq!(
                statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"],
                boundary
            );
        }
        if actions.contains(&"iam:PassRole") {
            assert_eq!(
                statement["Condition"]["StringEquals"]["iam:PassedToService"],
                "ecs-tasks.amazonaws.com"
            );
        }
    }
    let deny = |sid: &str| {
        statements
            .iter()
            .find(|statement| statement["Sid"] == sid)
            .unwrap()["Condition"]
            .clone()
    };
    assert_eq!(
        deny("OnlyBoundedRoles"),
        json!({"StringNotEquals": {"iam:PermissionsBoundary": boundary}})
    );
    assert_eq!(
        deny("PassOnlyToTasks"),
        json!({"StringNotEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}})
    );
    assert_eq!(grant.boundary.name, "landfall-boundary-1a2b3c4d");
}

#[test]
fn regions_limit_the_provisioner_and_their_order_does_not_matter() {
    let limit = |grant: &AwsGrant, identity| {
        statements_of(grant, identity)
            .into_iter()
            .find(|statement| statement["Sid"] == "OnlyChosenRegions")
            .cloned()
    };
    let grant = granted();
    assert_eq!(
        limit(&grant, Identity::Provisioner).unwrap()["Condition"],
        json!({"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "us-east-1"]}})
    );
    // What stands in a region that was given up must still be deletable.
    assert_eq!(limit(&grant, Identity::Reaper), None);

    let mut other = connection();
    other.regions = vec![
        "us-east-1".into(),
        "eu-central-1".into(),
        "us-east-1".into(),
    ];
    let reordered = aws::grant(&other, &principal()).unwrap();
    assert_eq!(reordered.roles, grant.roles);

    other.regions.clear();
    let unlimited = aws::grant(&other, &principal()).unwrap();
    assert_eq!(limit(&unlimited, Identity::Provisioner), None);
}

#[test]
fn leaving_the_reaper_out_leaves_nothing_of_it() {
    let mut connection = connection();
    connection.with_reaper = false;
    let grant = aws::grant(&connection, &principal()).unwrap();
    assert_eq!(grant.roles.len(), 1);
    assert!(
        grant
            .permissions
            .iter()
            .flat_map(|group| &group.questions)
            .all(|question| question.identity == Identity::Provisioner)
    );
    let resources = grant.template["Resources"].as_object().unwrap();
    assert!(resources.keys().all(|name| !name.starts_with("Reaper")));
    assert!(grant.template["Outputs"].get("ReaperRoleArn").is_none());
}

#[test]
fn the_template_makes_exactly_the_computed_roles_and_policies() {
    let grant = granted();
    let resources = grant.template["Resources"].as_object().unwrap();
    let mut expected = 1;
    let boundary = &resources["Boundary"]["Properties"];
    assert_eq!(boundary["PolicyDocument"], grant.boundary.document);
    assert_eq!(boundary["ManagedPolicyName"], grant.boundary.name);
    for (role, id) in grant.roles.iter().zip(["Provisioner", "Reaper"]) {
        expected += 1 + role.policies.len();
        let made = &resources[&format!("{id}Role")]["Properties"];
        assert_eq!(made["RoleName"], role.name);
        assert_eq!(made["MaxSessionDuration"], role.max_session);
        let trust = made["AssumeRolePolicyDocument"].to_string();
        assert!(trust.contains(r#"{"Ref":"PrincipalArn"}"#));
        assert!(trust.contains(r#"{"Ref":"ExternalId"}"#));
        let attached = made["ManagedPolicyArns"].as_array().unwrap();
        assert_eq!(attached.len(), role.policies.len());
        for (policy, reference) in role.policies.iter().zip(attached) {
            let id = reference["Ref"].as_str().unwrap();
            let properties = &resources[id]["Properties"];
            assert_eq!(properties["PolicyDocument"], policy.document);
            assert_eq!(properties["ManagedPolicyName"], policy.name);
        }
    }
    assert_eq!(resources.len(), expected, "IAM roles and policies only");
    let parameters = &grant.template["Parameters"];
    assert_eq!(parameters["PrincipalArn"]["Default"], principal().as_str());
    assert_eq!(
        parameters["ExternalId"]["Default"],
        connection().external_id
    );
}

#[test]
fn a_principal_that_a_trust_policy_cannot_name_is_refused() {
    for arn in [
        "",
        "*",
        "210987654321",
        "arn:aws:iam::210987654321:root",
        "arn:aws:sts::210987654321:assumed-role/landfall/session",
        "arn:aws:iam::210987654321:role/",
        "arn:aws:iam::210987654321:role/*",
        "arn:aws:iam::*:role/landfall",
        "arn:aws:iam::21098765432:role/landfall",
    ] {
        let refused = aws::grant(&connection(), &ServerPrincipal::Aws { arn: arn.into() });
        assert!(
            matches!(refused, Err(PolicyError::Principal { .. })),
            "{arn}"
        );
    }
    let elsewhere = ServerPrincipal::Aws {
        arn: "arn:aws-cn:iam::210987654321:role/landfall".into(),
    };
    assert!(matches!(
        aws::grant(&connection(), &elsewhere),
        Err(PolicyError::PrincipalPartition { .. })
    ));
}

#[test]
fn what_would_not_fit_a_policy_is_refused() {
    for region in ["", "*", "eu-central-1\"", "EU", "eu central 1"] {
        let mut connection = connection();
        connection.regions = vec![region.into()];
        assert!(
            matches!(
                aws::grant(&connection, &principal()),
                Err(PolicyError::Region { .. })
            ),
            "{region}"
        );
    }
    for external_id in ["", "a", "a b", "a\"b", "ä-ä"] {
        let mut connection = connection();
        connection.external_id = external_id.into();
        assert_eq!(
            aws::grant(&connection, &principal()),
            Err(PolicyError::ExternalId),
            "{external_id}"
        );
    }
}
