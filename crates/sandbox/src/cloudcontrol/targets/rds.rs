//! RDS: what can be told apart by condition keys, and what cannot.
//!
//! `rds:ModifyDBInstance` knows one key of the request,
//! `rds:ManageMasterUserPassword`; there is none for deletion protection or
//! backup retention (AWS docs: service authorization reference, Amazon RDS).
//! Whoever may modify an instance may switch its protection off, so a policy
//! can only tell instances apart: by ARN or by tag.

use super::{Ask, Asked, via_cloud_control};
use crate::cloudcontrol::env::{flag, text};
use crate::iam::Context;
use crate::types::{Change, Model};
use serde_json::Value;

pub(super) fn asks(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let (arn, mut context) = asked.own();
    let type_name = asked.subject.type_name;
    let key = match type_name {
        "AWS::RDS::DBSubnetGroup" => "rds:subgrp-tag",
        "AWS::RDS::DBParameterGroup" => "rds:pg-tag",
        "AWS::RDS::DBCluster" => "rds:cluster-tag",
        _ => "rds:db-tag",
    };
    if !asked.makes_it() {
        for (tag, value) in asked.standing_tags() {
            context.set(&format!("{key}/{tag}"), value);
        }
    }
    for (tag, value) in asked.sent_tags() {
        context.set(&format!("rds:req-tag/{tag}"), value);
    }
    if type_name != "AWS::RDS::DBInstance" {
        return vec![(arn, context)];
    }
    let standing = match asked.subject.change {
        Change::Update { before, .. } => before,
        _ => asked.model(),
    };
    instance_keys(&mut context, standing);
    if asked.verb == "CreateDBInstance" {
        context.set(
            "rds:ManageMasterUserPassword",
            flag(asked.model(), "ManageMasterUserPassword").to_string(),
        );
        let mut asks = vec![(arn, context)];
        asks.extend(groups(asked));
        return asks;
    }
    if let (Change::Update { before, after }, "ModifyDBInstance") =
        (asked.subject.change, asked.verb)
        && before.get("ManageMasterUserPassword") != after.get("ManageMasterUserPassword")
    {
        context.set(
            "rds:ManageMasterUserPassword",
            flag(after, "ManageMasterUserPassword").to_string(),
        );
    }
    vec![(arn, context)]
}

fn instance_keys(context: &mut Context, model: &Model) {
    for (key, property) in [
        ("rds:DatabaseClass", "DBInstanceClass"),
        ("rds:DatabaseEngine", "Engine"),
        ("rds:DatabaseName", "DBName"),
        ("rds:StorageSize", "AllocatedStorage"),
    ] {
        if let Some(value) = text(model, property) {
            context.set(key, value);
        }
    }
    context.set("rds:MultiAz", flag(model, "MultiAZ").to_string());
    context.set(
        "rds:StorageEncrypted",
        flag(model, "StorageEncrypted").to_string(),
    );
    context.set(
        "rds:Vpc",
        model.contains_key("DBSubnetGroupName").to_string(),
    );
    let piops = model.get("Iops").and_then(Value::as_u64).unwrap_or(0);
    context.set("rds:Piops", piops.to_string());
}

/// CreateDBInstance is also decided on the groups that the instance uses,
/// AWS's default ones included (AWS docs: "Allow a user to create DB
/// instances in an AWS account").
fn groups(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let model = asked.model();
    let engine = text(model, "Engine").unwrap_or("postgres");
    let major = text(model, "EngineVersion")
        .and_then(|version| version.split('.').next())
        .unwrap_or("16");
    let mut asks = Vec::new();
    if let Some(group) = text(model, "DBSubnetGroupName") {
        let mut context = asked.existing_context("AWS::RDS::DBSubnetGroup", group);
        copy_tags(
            &mut context,
            asked,
            "AWS::RDS::DBSubnetGroup",
            group,
            "rds:subgrp-tag",
        );
        asks.push((asked.env.arn("rds", &format!("subgrp:{group}")), context));
    }
    let parameters = text(model, "DBParameterGroupName")
        .map_or_else(|| format!("default.{engine}{major}"), str::to_owned);
    let mut context = asked.existing_context("AWS::RDS::DBParameterGroup", &parameters);
    copy_tags(
        &mut context,
        asked,
        "AWS::RDS::DBParameterGroup",
        &parameters,
        "rds:pg-tag",
    );
    asks.push((asked.env.arn("rds", &format!("pg:{parameters}")), context));
    let options = text(model, "OptionGroupName")
        .map_or_else(|| format!("default:{engine}-{major}"), str::to_owned);
    asks.push((
        asked.env.arn("rds", &format!("og:{options}")),
        via_cloud_control(asked.env.place),
    ));
    asks
}

fn copy_tags(context: &mut Context, asked: &Asked<'_, '_>, type_name: &str, id: &str, key: &str) {
    if let (Some(info), Some(found)) = (
        crate::types::lookup(type_name),
        asked.env.find(type_name, id),
    ) {
        for (tag, value) in crate::types::read_tags(info, &found.properties) {
            context.set(&format!("{key}/{tag}"), value);
        }
    }
}

/// The secret that RDS makes for a managed master password, and its key.
pub(super) fn managed_password(asked: &Asked<'_, '_>) -> Vec<Ask> {
    let context = via_cloud_control(asked.env.place);
    let arn = match asked.service {
        "secretsmanager" => text_of_secret(asked)
            .unwrap_or_else(|| asked.env.arn("secretsmanager", "secret:rds!db-new")),
        _ => text(asked.model(), "KmsKeyId")
            .filter(|key| key.starts_with("arn:"))
            .map_or_else(|| asked.env.arn("kms", "key/aws-managed"), str::to_owned),
    };
    vec![(arn, context)]
}

fn text_of_secret(asked: &Asked<'_, '_>) -> Option<String> {
    asked
        .model()
        .get("MasterUserSecret")?
        .get("SecretArn")?
        .as_str()
        .map(str::to_owned)
}
