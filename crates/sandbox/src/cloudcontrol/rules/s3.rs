//! Buckets and their policies.

use super::Rules;
use crate::cloudcontrol::env::{Env, Place, text};
use crate::cloudcontrol::failure::Failure;
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};
use crate::world::World;
use serde_json::{Value, json};

pub(crate) const BUCKET: &str = "AWS::S3::Bucket";
const BUCKET_POLICY: &str = "AWS::S3::BucketPolicy";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        BUCKET => &Bucket,
        BUCKET_POLICY => &BucketPolicy,
        _ => return None,
    })
}

fn s3(env: &Env<'_>, status: u16, message: &str) -> String {
    env.service_message("S3", status, message)
}

/// Who has a bucket of this name; names are unique over all accounts.
fn owner(world: &World, name: &str) -> Option<Place> {
    world.accounts.iter().find_map(|(account, state)| {
        state
            .cloudcontrol
            .iter()
            .find(|(_, region)| region.resource(BUCKET, name).is_some())
            .map(|(region, _)| Place::new(account, region))
    })
}

/// The account that has a bucket of this name.
pub(crate) fn bucket_owner<'w>(world: &'w World, name: &str) -> Option<&'w str> {
    let place = owner(world, name)?;
    let (account, _) = world.accounts.get_key_value(&place.account)?;
    Some(account)
}

struct Bucket;

impl Rules for Bucket {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("BucketName") {
            let name = env.name("bucket").to_ascii_lowercase();
            model.insert("BucketName".into(), name.into());
        }
        let name = text(model, "BucketName").unwrap_or_default().to_owned();
        let region = env.place.region.clone();
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
        set_default(model, "DomainName", format!("{name}.s3.amazonaws.com"));
        set_default(
            model,
            "RegionalDomainName",
            format!("{name}.s3.{region}.amazonaws.com"),
        );
        set_default(
            model,
            "DualStackDomainName",
            format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        );
        set_default(
            model,
            "WebsiteURL",
            format!("http://{name}.s3-website-{region}.amazonaws.com"),
        );
        // New buckets since April 2023: private, owner enforced, encrypted.
        set_default(
            model,
            "PublicAccessBlockConfiguration",
            json!({"BlockPublicAcls": true, "BlockPublicPolicy": true,
                   "IgnorePublicAcls": true, "RestrictPublicBuckets": true}),
        );
        set_default(
            model,
            "OwnershipControls",
            json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
        );
        set_default(
            model,
            "BucketEncryption",
            json!({"ServerSideEncryptionConfiguration": [
                {"BucketKeyEnabled": false,
                 "ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}),
        );
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "BucketName").unwrap_or_default();
        let fine = (3..=63).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !name.contains("..");
        if !fine {
            return Err(Failure::invalid(s3(
                env,
                400,
                "The specified bucket is not valid.",
            )));
        }
        match owner(env.world, name) {
            None => Ok(()),
            Some(place) if place.account == env.place.account => Err(Failure::exists(s3(
                env,
                409,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ))),
            Some(_) => Err(Failure::exists(s3(
                env,
                409,
                "The requested bucket name is not available. The bucket namespace is shared by \
                 all users of the system. Please select a different name and try again.",
            ))),
        }
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        if resource.contents.is_empty() {
            return Ok(());
        }
        Err(Failure::general(s3(
            env,
            409,
            "The bucket you tried to delete is not empty",
        )))
    }

    fn arn(&self, _: &Env<'_>, model: &Model) -> String {
        let name = text(model, "BucketName").unwrap_or("*");
        format!("arn:aws:s3:::{name}")
    }

    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[(BUCKET_POLICY, "Bucket")]
    }
}

struct BucketPolicy;

impl BucketPolicy {
    fn check(env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let document = match model.get("PolicyDocument") {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
            Some(value) => value.clone(),
            None => Value::Null,
        };
        if document.get("Statement").is_none_or(Value::is_null) {
            return Err(Failure::invalid(s3(
                env,
                400,
                "Policies must be valid JSON and the first byte must be '{'",
            )));
        }
        Ok(())
    }
}

impl Rules for BucketPolicy {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, _: &mut Model) {}

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "Bucket").unwrap_or_default();
        if !env.exists(BUCKET, name) {
            return Err(Failure::not_found(s3(
                env,
                404,
                "The specified bucket does not exist",
            )));
        }
        Self::check(env, model)
    }

    fn check_update(&self, env: &Env<'_>, _: &Model, after: &Model) -> Result<(), Failure> {
        Self::check(env, after)
    }

    fn arn(&self, _: &Env<'_>, model: &Model) -> String {
        format!("arn:aws:s3:::{}", text(model, "Bucket").unwrap_or("*"))
    }
}
