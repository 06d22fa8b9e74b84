//! Caches.

use super::Rules;
use super::ec2::check_placement;
use super::generic;
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo, set_default};
use serde_json::{Value, json};

const GROUP: &str = "AWS::ElastiCache::ReplicationGroup";
const SUBNET_GROUP: &str = "AWS::ElastiCache::SubnetGroup";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        GROUP => &ReplicationGroup,
        SUBNET_GROUP => &SubnetGroup,
        _ => return None,
    })
}

/// Whether a cache lives in a subnet.
pub(super) fn uses_subnet(env: &Env<'_>, subnet: &str) -> bool {
    env.all(SUBNET_GROUP).iter().any(|group| {
        strings(&group.properties, "SubnetIds").contains(&subnet)
            && env
                .user_of(&group.identifier, &[(GROUP, "CacheSubnetGroupName")])
                .is_some()
    })
}

struct ReplicationGroup;

impl ReplicationGroup {
    fn check(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if let Some(group) = text(model, "CacheSubnetGroupName")
            && !env.exists(SUBNET_GROUP, group)
        {
            return Err(Failure::not_found(env.service_message(
                "ElastiCache",
                400,
                &format!("Cache Subnet Group {group} does not exist."),
            )));
        }
        check_placement(env, &[], &strings(model, "SecurityGroupIds"))
    }
}

impl Rules for ReplicationGroup {
    fn reveal(&self) -> Reveal {
        Reveal::WhenStarted
    }

    fn fill(&self, env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &mut Model) {
        if let Some(Value::String(name)) = model.get_mut("ReplicationGroupId") {
            *name = name.to_ascii_lowercase();
        } else {
            let name = format!("rg-{}", env.hex(12));
            model.insert("ReplicationGroupId".into(), name.into());
        }
        set_default(model, "Engine", "redis");
        set_default(model, "Port", 6_379);
        generic::fill(env, type_name, info, model);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        Self::check(env, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        Self::check(env, after)
    }

    fn may_change(&self, property: &str, _: &Model, _: &Model) -> bool {
        property == "AuthToken"
    }

    fn ready(&self, env: &Env<'_>, model: &mut Model) {
        let name = text(model, "ReplicationGroupId")
            .unwrap_or_default()
            .to_owned();
        let port = model
            .get("Port")
            .map_or_else(|| "6379".to_owned(), Value::to_string);
        let host = |role: &str| {
            format!(
                "{role}.{name}.{}.{}.cache.amazonaws.com",
                env.text(6, b"abcdefghijklmnopqrstuvwxyz0123456789"),
                env.place.region
            )
        };
        model.insert(
            "PrimaryEndPoint".into(),
            json!({"Address": host("master"), "Port": port}),
        );
        model.insert(
            "ReaderEndPoint".into(),
            json!({"Address": host("replica"), "Port": port}),
        );
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "ReplicationGroupId").unwrap_or("*");
        env.arn("elasticache", &format!("replicationgroup:{name}"))
    }
}

struct SubnetGroup;

impl Rules for SubnetGroup {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if let Some(Value::String(name)) = model.get_mut("CacheSubnetGroupName") {
            *name = name.to_ascii_lowercase();
        } else {
            let name = format!("subnetgroup-{}", env.hex(12));
            model.insert("CacheSubnetGroupName".into(), name.into());
        }
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        check_placement(env, &strings(model, "SubnetIds"), &[])
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        check_placement(env, &strings(after, "SubnetIds"), &[])
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let name = resource.identifier.as_str();
        match env.user_of(name, &[(GROUP, "CacheSubnetGroupName")]) {
            Some(_) => Err(Failure::invalid(env.service_message(
                "ElastiCache",
                400,
                &format!("Cache subnet group {name} is currently in use by a cache cluster."),
            ))),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "CacheSubnetGroupName").unwrap_or("*");
        env.arn("elasticache", &format!("subnetgroup:{name}"))
    }
}
