//! Databases and the groups that they need.

use super::Rules;
use super::ec2::zones;
use super::rds_groups::{ParameterGroup, SubnetGroup};
use crate::cloudcontrol::env::{Env, flag, strings, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};
use serde_json::{Value, json};

pub(crate) const INSTANCE: &str = "AWS::RDS::DBInstance";

pub(super) const SUBNET_GROUP: &str = "AWS::RDS::DBSubnetGroup";

pub(super) const PARAMETER_GROUP: &str = "AWS::RDS::DBParameterGroup";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        INSTANCE => &Instance,
        SUBNET_GROUP => &SubnetGroup,
        PARAMETER_GROUP => &ParameterGroup,
        _ => return None,
    })
}

pub(super) fn rds_invalid(env: &Env<'_>, message: &str) -> Failure {
    Failure::invalid(env.service_message("Rds", 400, message))
}

fn rds_missing(env: &Env<'_>, noun: &str, name: &str) -> Failure {
    Failure::not_found(env.service_message("Rds", 404, &format!("{noun} '{name}' not found.")))
}

/// RDS keeps names in lower case, whatever was asked for.
pub(super) fn lower(model: &mut Model, property: &str) {
    if let Some(Value::String(name)) = model.get_mut(property) {
        *name = name.to_ascii_lowercase();
    }
}

struct Instance;

impl Instance {
    fn port(engine: &str) -> &'static str {
        match engine {
            "mysql" | "mariadb" => "3306",
            "oracle-ee" | "oracle-se2" => "1521",
            engine if engine.starts_with("sqlserver") => "1433",
            _ => "5432",
        }
    }

    fn check_groups(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if let Some(group) = text(model, "DBSubnetGroupName") {
            let Some(found) = env.find(SUBNET_GROUP, group) else {
                return Err(rds_missing(env, "DB subnet group", group));
            };
            let subnets = strings(&found.properties, "SubnetIds");
            if flag(model, "MultiAZ") && zones(env, &subnets).len() < 2 {
                return Err(rds_invalid(
                    env,
                    "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement \
                     for Multi-AZ.",
                ));
            }
        }
        for group in strings(model, "VPCSecurityGroups") {
            if !super::security_groups::exists(env, group) {
                return Err(rds_invalid(
                    env,
                    &format!("Invalid security group , groupId= {group}, groupName=."),
                ));
            }
        }
        if let Some(group) = text(model, "DBParameterGroupName")
            && !group.starts_with("default.")
            && !env.exists(PARAMETER_GROUP, group)
        {
            return Err(rds_missing(env, "DBParameterGroup", group));
        }
        Ok(())
    }
}

impl Rules for Instance {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn seconds(&self, info: &TypeInfo, model: &Model) -> u32 {
        match info.seconds_multi_az {
            Some(seconds) if flag(model, "MultiAZ") => seconds,
            _ => info.seconds,
        }
    }

    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("DBInstanceIdentifier") {
            model.insert("DBInstanceIdentifier".into(), env.name("db").into());
        }
        lower(model, "DBInstanceIdentifier");
        lower(model, "DBSubnetGroupName");
        lower(model, "DBParameterGroupName");
        let engine = text(model, "Engine").unwrap_or("postgres").to_owned();
        let arn = self.arn(env, model);
        set_default(model, "DBInstanceArn", arn);
        let resource_id = env.text(26, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
        set_default(model, "DbiResourceId", format!("db-{resource_id}"));
        set_default(model, "DBInstanceStatus", "creating");
        set_default(model, "EngineVersion", "16.8");
        let major = text(model, "EngineVersion")
            .and_then(|version| version.split('.').next())
            .unwrap_or("16")
            .to_owned();
        set_default(
            model,
            "DBParameterGroupName",
            format!("default.{engine}{major}"),
        );
        set_default(model, "Port", Self::port(&engine));
        for (name, value) in [
            ("StorageType", "gp2"),
            ("PreferredBackupWindow", "03:11-03:41"),
            ("PreferredMaintenanceWindow", "sun:05:17-sun:05:47"),
            ("CACertificateIdentifier", "rds-ca-rsa2048-g1"),
            ("NetworkType", "IPV4"),
            ("BackupTarget", "region"),
            ("LicenseModel", "postgresql-license"),
        ] {
            set_default(model, name, value);
        }
        for (name, value) in [
            ("MultiAZ", false),
            ("DeletionProtection", false),
            ("PubliclyAccessible", false),
            ("AutoMinorVersionUpgrade", true),
            ("CopyTagsToSnapshot", false),
            ("StorageEncrypted", false),
            ("EnableIAMDatabaseAuthentication", false),
            ("EnablePerformanceInsights", false),
            ("DedicatedLogVolume", false),
        ] {
            set_default(model, name, value);
        }
        set_default(model, "BackupRetentionPeriod", 1);
        set_default(model, "MonitoringInterval", 0);
        if flag(model, "ManageMasterUserPassword") {
            fill_managed_secret(env, model);
        }
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "DBInstanceIdentifier").unwrap_or_default();
        let fine = name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-')
            && !name.contains("--")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !fine {
            return Err(rds_invalid(
                env,
                "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must \
                 begin with a letter; must contain only ASCII letters, digits, and hyphens; and \
                 must not end with a hyphen or contain two consecutive hyphens.",
            ));
        }
        let restored = [
            "DBSnapshotIdentifier",
            "SourceDBInstanceIdentifier",
            "DBClusterIdentifier",
        ]
        .iter()
        .any(|property| model.contains_key(*property));
        if !restored {
            for property in [
                "Engine",
                "DBInstanceClass",
                "AllocatedStorage",
                "MasterUsername",
            ] {
                if !model.contains_key(property) {
                    return Err(rds_invalid(
                        env,
                        &format!(
                            "The parameter {property} must be provided and must not be blank."
                        ),
                    ));
                }
            }
            let managed = flag(model, "ManageMasterUserPassword");
            if managed == model.contains_key("MasterUserPassword") {
                return Err(rds_invalid(
                    env,
                    if managed {
                        "You can't specify MasterUserPassword for an instance with \
                         ManageMasterUserPassword enabled."
                    } else {
                        "The parameter MasterUserPassword must be provided and must not be blank."
                    },
                ));
            }
        }
        Self::check_groups(env, model)
    }

    fn ready(&self, env: &Env<'_>, model: &mut Model) {
        let name = text(model, "DBInstanceIdentifier")
            .unwrap_or_default()
            .to_owned();
        let port = text(model, "Port").unwrap_or("5432").to_owned();
        let address = format!(
            "{name}.c{}.{}.rds.amazonaws.com",
            env.text(11, b"abcdefghijklmnopqrstuvwxyz0123456789"),
            env.place.region
        );
        model.insert(
            "Endpoint".into(),
            json!({"Address": address, "Port": port, "HostedZoneId": "Z1BDEGH4EXAMPLE"}),
        );
        model.insert("DBInstanceStatus".into(), "available".into());
        model.insert("InstanceCreateTime".into(), env.at.iso8601().into());
        let subnets = text(model, "DBSubnetGroupName")
            .and_then(|group| env.find(SUBNET_GROUP, group))
            .map(|group| {
                strings(&group.properties, "SubnetIds")
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default();
        let names: Vec<&str> = subnets.iter().map(String::as_str).collect();
        if let Some(zone) = zones(env, &names).first() {
            set_default(model, "AvailabilityZone", zone.clone());
        }
    }

    fn check_update(&self, env: &Env<'_>, before: &Model, after: &Model) -> Result<(), Failure> {
        let size = |model: &Model| {
            text(model, "AllocatedStorage").and_then(|size| size.parse::<u32>().ok())
        };
        if let (Some(old), Some(new)) = (size(before), size(after))
            && new < old
        {
            return Err(rds_invalid(
                env,
                "Requested size cannot be smaller than the existing size",
            ));
        }
        Self::check_groups(env, after)
    }

    fn may_change(&self, property: &str, _: &Model, _: &Model) -> bool {
        // The others only matter to restored instances and read replicas.
        [
            "AutoMinorVersionUpgrade",
            "BackupRetentionPeriod",
            "DBParameterGroupName",
            "MultiAZ",
            "PreferredMaintenanceWindow",
            "StorageType",
        ]
        .contains(&property)
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        if flag(&resource.properties, "DeletionProtection") {
            return Err(rds_invalid(
                env,
                "Cannot delete protected DB Instance, please disable deletion protection and try \
                 again.",
            ));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "DBInstanceIdentifier").unwrap_or("*");
        env.arn("rds", &format!("db:{name}"))
    }
}

/// The secret in which RDS keeps a managed master password. It belongs to
/// RDS, goes with the instance and is no resource of its own here.
fn fill_managed_secret(env: &Env<'_>, model: &mut Model) {
    let arn = env.arn(
        "secretsmanager",
        &format!(
            "secret:rds!db-{}-{}",
            env.uuid(),
            env.text(
                6,
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
            )
        ),
    );
    let mut secret = model
        .get("MasterUserSecret")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    set_default(&mut secret, "SecretArn", arn);
    model.insert("MasterUserSecret".into(), secret.into());
}
