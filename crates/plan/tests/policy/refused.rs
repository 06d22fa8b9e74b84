use landfall_plan::policy::aws::{Operation, refused_change};
use serde_json::json;

#[test]
fn a_protected_database_is_not_changed_at_all() {
    for tags in [
        json!({}),
        json!({"Tags": []}),
        json!({"Tags": [{"Key": "landfall:protected", "Value": "true"}]}),
        json!({"Tags": [{"Key": "landfall:protected", "Value": "no"}]}),
    ] {
        let operation = Operation::Update { observed: &tags };
        for property in ["DBInstanceClass", "DeletionProtection", "Tags"] {
            assert!(
                refused_change("AWS::RDS::DBInstance", operation, [property]).is_some(),
                "{property} {tags}"
            );
        }
    }
    let unprotected = json!({"Tags": [{"Key": "landfall:protected", "Value": "false"}]});
    let operation = Operation::Update {
        observed: &unprotected,
    };
    assert_eq!(
        refused_change("AWS::RDS::DBInstance", operation, ["DBInstanceClass"]),
        None
    );
    assert_eq!(
        refused_change(
            "AWS::RDS::DBInstance",
            Operation::Create,
            ["DeletionProtection", "BackupRetentionPeriod"]
        ),
        None
    );
}

#[test]
fn what_can_empty_a_resource_is_refused_when_creating_too() {
    for (type_name, property) in [
        ("AWS::S3::Bucket", "LifecycleConfiguration"),
        ("AWS::S3::Bucket", "VersioningConfiguration"),
        ("AWS::ECR::Repository", "LifecyclePolicy"),
    ] {
        assert!(refused_change(type_name, Operation::Create, ["Tags", property]).is_some());
    }
}

#[test]
fn ordinary_changes_are_not_refused() {
    let observed = json!({});
    for (type_name, property) in [
        ("AWS::ECS::Service", "TaskDefinition"),
        ("AWS::S3::Bucket", "Tags"),
        ("AWS::S3::Bucket", "PublicAccessBlockConfiguration"),
        ("AWS::Logs::LogGroup", "RetentionInDays"),
        ("AWS::IAM::Role", "Policies"),
        ("AWS::SecretsManager::Secret", "Tags"),
    ] {
        let operation = Operation::Update {
            observed: &observed,
        };
        assert_eq!(refused_change(type_name, operation, [property]), None);
    }
}
