//! Image repositories and log groups.

use super::Rules;
use crate::cloudcontrol::env::{Env, flag, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;

pub(crate) const REPOSITORY: &str = "AWS::ECR::Repository";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        REPOSITORY => &Repository,
        LOG_GROUP => &LogGroup,
        _ => return None,
    })
}

struct Repository;

impl Rules for Repository {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("RepositoryName") {
            let name = env.name("repository").to_ascii_lowercase();
            model.insert("RepositoryName".into(), name.into());
        }
        let name = text(model, "RepositoryName").unwrap_or_default().to_owned();
        let arn = self.arn(env, model);
        let (account, region) = (&env.place.account, &env.place.region);
        let uri = format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}");
        set_default(model, "Arn", arn);
        set_default(model, "RepositoryUri", uri);
        set_default(model, "ImageTagMutability", "MUTABLE");
        set_default(
            model,
            "ImageScanningConfiguration",
            json!({"ScanOnPush": false}),
        );
        set_default(
            model,
            "EncryptionConfiguration",
            json!({"EncryptionType": "AES256"}),
        );
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        if resource.contents.is_empty() || flag(&resource.hidden, "EmptyOnDelete") {
            return Ok(());
        }
        Err(Failure::general(env.service_message(
            "Ecr",
            400,
            &format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted \
                 because it still contains images",
                resource.identifier, env.place.account
            ),
        )))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "RepositoryName").unwrap_or("*");
        env.arn("ecr", &format!("repository/{name}"))
    }
}

struct LogGroup;

impl Rules for LogGroup {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("LogGroupName") {
            model.insert("LogGroupName".into(), env.name("log-group").into());
        }
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
        set_default(model, "LogGroupClass", "STANDARD");
        set_default(model, "DeletionProtectionEnabled", false);
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        if flag(&resource.properties, "DeletionProtectionEnabled") {
            return Err(Failure::invalid(env.service_message(
                "CloudWatchLogs",
                400,
                "The log group has deletion protection enabled.",
            )));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "LogGroupName").unwrap_or("*");
        env.arn("logs", &format!("log-group:{name}:*"))
    }
}
