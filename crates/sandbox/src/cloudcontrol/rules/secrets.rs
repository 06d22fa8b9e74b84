//! Secrets and keys. Neither is deleted at once: both wait out a window.

use super::Rules;
use crate::cloudcontrol::env::{Env, text};
use crate::cloudcontrol::failure::Failure;
use crate::types::{Model, TypeInfo, set_default};
use serde_json::json;

pub(crate) const SECRET: &str = "AWS::SecretsManager::Secret";
const KEY: &str = "AWS::KMS::Key";
const ALIAS: &str = "AWS::KMS::Alias";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        SECRET => &Secret,
        KEY => &Key,
        ALIAS => &Alias,
        _ => return None,
    })
}

struct Secret;

impl Secret {
    fn check_value(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        if model.contains_key("SecretString") && model.contains_key("GenerateSecretString") {
            return Err(Failure::invalid(env.service_message(
                "SecretsManager",
                400,
                "You can't specify both SecretString and GenerateSecretString.",
            )));
        }
        Ok(())
    }
}

impl Rules for Secret {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("Name") {
            model.insert("Name".into(), env.name("secret").into());
        }
        let name = text(model, "Name").unwrap_or_default();
        let suffix = env.text(
            6,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        );
        let arn = env.arn("secretsmanager", &format!("secret:{name}-{suffix}"));
        set_default(model, "Id", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "Name").unwrap_or_default();
        let taken = env
            .all(SECRET)
            .iter()
            .any(|other| text(&other.properties, "Name") == Some(name));
        if taken {
            return Err(Failure::exists(env.service_message(
                "SecretsManager",
                400,
                &format!("The operation failed because the secret {name} already exists."),
            )));
        }
        if env
            .home(SECRET)
            .is_some_and(|region| region.holds_name(name, env.at))
        {
            return Err(Failure::invalid(env.service_message(
                "SecretsManager",
                400,
                "You can't create this secret because a secret with this name is already \
                 scheduled for deletion.",
            )));
        }
        Self::check_value(env, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        Self::check_value(env, after)
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "Id").map_or_else(|| env.arn("secretsmanager", "secret:*"), str::to_owned)
    }
}

struct Key;

impl Rules for Key {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        set_default(model, "KeyId", env.uuid());
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
        set_default(model, "Enabled", true);
        set_default(model, "EnableKeyRotation", false);
        set_default(model, "MultiRegion", false);
        set_default(model, "KeySpec", "SYMMETRIC_DEFAULT");
        set_default(model, "KeyUsage", "ENCRYPT_DECRYPT");
        set_default(model, "Origin", "AWS_KMS");
        let root = env.global_arn("iam", "root");
        set_default(
            model,
            "KeyPolicy",
            json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [
                {"Sid": "Enable IAM User Permissions", "Effect": "Allow",
                 "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}]}),
        );
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let id = text(model, "KeyId").unwrap_or("*");
        env.arn("kms", &format!("key/{id}"))
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(ALIAS, "TargetKeyId")]
    }
}

struct Alias;

impl Rules for Alias {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, _: &mut Model) {}

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "AliasName").unwrap_or_default();
        if !name.starts_with("alias/") || name.starts_with("alias/aws/") {
            return Err(Failure::invalid(env.service_message(
                "Kms",
                400,
                "Alias must start with the prefix \"alias/\" and may not begin with \"alias/aws/\".",
            )));
        }
        self.check_update(env, model, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        let target = text(after, "TargetKeyId").unwrap_or_default();
        let id = target.rsplit('/').next().unwrap_or(target);
        if env.exists(KEY, id) {
            return Ok(());
        }
        Err(Failure::not_found(env.service_message(
            "Kms",
            400,
            &format!("Key '{target}' does not exist"),
        )))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        env.arn("kms", text(model, "AliasName").unwrap_or("alias/*"))
    }
}
