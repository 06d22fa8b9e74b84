//! Subnet groups and parameter groups of databases.

use super::Rules;
use super::ec2::{SUBNET, check_placement, vpc_of_subnet, zones};
use super::rds::{INSTANCE, SUBNET_GROUP, lower, rds_invalid};
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};

/// Whether a database instance lives in a subnet.
pub(super) fn uses_subnet(env: &Env<'_>, subnet: &str) -> bool {
    env.all(SUBNET_GROUP).iter().any(|group| {
        strings(&group.properties, "SubnetIds").contains(&subnet)
            && env
                .user_of(&group.identifier, &[(INSTANCE, "DBSubnetGroupName")])
                .is_some()
    })
}

pub(super) struct SubnetGroup;

impl SubnetGroup {
    fn check(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let subnets = strings(model, "SubnetIds");
        check_placement(env, &subnets, &[])
            .map_err(|_| rds_invalid(env, "Some input subnets in :[...] are invalid."))?;
        let zones = zones(env, &subnets);
        if zones.len() < 2 {
            return Err(rds_invalid(
                env,
                &format!(
                    "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. \
                     Current AZ coverage: {}. Add subnets to cover at least 2 AZs.",
                    zones.join(", ")
                ),
            ));
        }
        let mut networks: Vec<Option<String>> = subnets
            .iter()
            .map(|subnet| vpc_of_subnet(env, subnet))
            .collect();
        networks.dedup();
        if networks.len() > 1 {
            return Err(rds_invalid(env, "The subnets are not all in the same VPC."));
        }
        Ok(())
    }
}

impl Rules for SubnetGroup {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("DBSubnetGroupName") {
            let name = env.name("dbsubnetgroup");
            model.insert("DBSubnetGroupName".into(), name.into());
        }
        lower(model, "DBSubnetGroupName");
        let arn = self.arn(env, model);
        set_default(model, "DBSubnetGroupArn", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if text(model, "DBSubnetGroupName") == Some("default") {
            return Err(rds_invalid(env, "The name 'default' is reserved."));
        }
        Self::check(env, model)
    }

    fn check_update(&self, env: &Env<'_>, before: &Model, after: &Model) -> Result<(), Failure> {
        let kept = strings(after, "SubnetIds");
        let used = strings(before, "SubnetIds").into_iter().find(|subnet| {
            !kept.contains(subnet) && env.exists(SUBNET, subnet) && uses_subnet(env, subnet)
        });
        match used {
            Some(subnet) => Err(rds_invalid(
                env,
                &format!("Some of the subnets to be deleted are currently in use: {subnet}"),
            )),
            None => Self::check(env, after),
        }
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let name = resource.identifier.as_str();
        match env.user_of(
            name,
            &[
                (INSTANCE, "DBSubnetGroupName"),
                ("AWS::RDS::DBCluster", "DBSubnetGroupName"),
            ],
        ) {
            Some(user) => Err(rds_invalid(
                env,
                &format!(
                    "Cannot delete the subnet group '{name}' because at least one database \
                     instance: {user} is still using it."
                ),
            )),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "DBSubnetGroupName").unwrap_or("*");
        env.arn("rds", &format!("subgrp:{name}"))
    }
}

pub(super) struct ParameterGroup;

impl Rules for ParameterGroup {
    fn fill(&self, env: &Env<'_>, _: &str, info: &TypeInfo, model: &mut Model) {
        if !model.contains_key("DBParameterGroupName") {
            let name = env.name("dbparametergroup");
            model.insert("DBParameterGroupName".into(), name.into());
        }
        lower(model, "DBParameterGroupName");
        if info.is_read_only("DBParameterGroupArn") {
            let arn = self.arn(env, model);
            set_default(model, "DBParameterGroupArn", arn);
        }
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let name = resource.identifier.as_str();
        match env.user_of(name, &[(INSTANCE, "DBParameterGroupName")]) {
            Some(_) => Err(rds_invalid(
                env,
                "One or more database instances are still members of this parameter group, so \
                 the group cannot be deleted",
            )),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "DBParameterGroupName").unwrap_or("*");
        env.arn("rds", &format!("pg:{name}"))
    }
}
