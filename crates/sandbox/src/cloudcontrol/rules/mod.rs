//! What is particular about each type: names and ids, what must exist before
//! it, what a read adds, what stands in the way of its deletion.

mod addresses;
mod cidr;
mod ec2;
mod ecs;
mod elasticache;
mod elb;
mod generic;
mod iam;
mod messaging;
mod network;
mod rds;
mod rds_groups;
mod registry;
mod s3;
mod secrets;
mod security_groups;

pub(crate) use ecs::{SERVICE, TASK_DEFINITION, cluster_name, task_definition};
pub(crate) use elb::{LISTENER, LISTENER_RULE, LOAD_BALANCER};
pub(crate) use iam::SERVICE_LINKED_ROLE;
pub(crate) use registry::REPOSITORY;
pub(crate) use s3::{BUCKET, bucket_owner};
pub(crate) use secrets::SECRET;

use super::env::Env;
use super::failure::Failure;
use super::state::{Resource, Reveal};
use crate::types::{Model, TypeInfo};

/// The rules of one type. Every method has the behaviour that the table alone
/// gives.
pub(crate) trait Rules: Sync {
    /// When a creation's events first carry an identifier that AWS chose.
    fn reveal(&self) -> Reveal {
        Reveal::AtEnd
    }

    /// Simulated seconds that a creation takes.
    fn seconds(&self, info: &TypeInfo, _model: &Model) -> u32 {
        info.seconds
    }

    /// Completes a wanted model with names, ids, ARNs and defaults. Must leave
    /// every part of the primary identifier set.
    fn fill(&self, env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &mut Model) {
        generic::fill(env, type_name, info, model);
    }

    /// Whether a filled model can be created now.
    fn check_create(&self, _env: &Env<'_>, _model: &Model) -> Result<(), Failure> {
        Ok(())
    }

    /// Adds what is only known when the creation is done.
    fn ready(&self, _env: &Env<'_>, _model: &mut Model) {}

    /// Whether one model can become the other.
    fn check_update(&self, _env: &Env<'_>, _before: &Model, _after: &Model) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a conditionally create-only property may change in place here.
    fn may_change(&self, _property: &str, _before: &Model, _after: &Model) -> bool {
        false
    }

    /// Whether nothing stands in the way of a deletion.
    fn check_delete(&self, _env: &Env<'_>, _resource: &Resource) -> Result<(), Failure> {
        Ok(())
    }

    /// Adds what a read computes from other resources.
    fn view(&self, _env: &Env<'_>, _resource: &Resource, _model: &mut Model) {}

    /// The ARN that policies name. Ids that are not known yet may be missing.
    fn arn(&self, env: &Env<'_>, model: &Model) -> String;

    /// Types whose resources disappear with this one, and the property by
    /// which they refer to it.
    fn dependents(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// The rules of a type.
pub(crate) fn of(type_name: &str) -> &'static dyn Rules {
    ec2::of(type_name)
        .or_else(|| network::of(type_name))
        .or_else(|| security_groups::of(type_name))
        .or_else(|| elb::of(type_name))
        .or_else(|| ecs::of(type_name))
        .or_else(|| iam::of(type_name))
        .or_else(|| rds::of(type_name))
        .or_else(|| registry::of(type_name))
        .or_else(|| s3::of(type_name))
        .or_else(|| secrets::of(type_name))
        .or_else(|| elasticache::of(type_name))
        .or_else(|| messaging::of(type_name))
        .unwrap_or_else(|| generic::of(type_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudcontrol::env::Place;
    use crate::config::Config;
    use crate::types;
    use crate::world::World;

    #[test]
    fn every_type_gets_an_identifier_and_an_arn() {
        let world = World::create(&Config::default());
        let account = world.accounts.keys().next().unwrap();
        let place = Place::new(account, "eu-west-1");
        let env = Env::new(&world, &place, world.now());
        for type_name in types::names() {
            let info = types::lookup(type_name).unwrap();
            // As little as a caller can give.
            let mut model: Model = info
                .required
                .iter()
                .chain(&info.primary_identifier)
                .filter(|name| !info.is_read_only(name))
                .map(|name| (name.clone(), "given".into()))
                .collect();
            if type_name == "AWS::EC2::Route" {
                model.insert("DestinationCidrBlock".into(), "0.0.0.0/0".into());
            }
            of(type_name).fill(&env, type_name, info, &mut model);
            let identifier = info.identifier(&model);
            assert!(identifier.is_some(), "{type_name}: {model:?}");
            let arn = of(type_name).arn(&env, &model);
            let policy = type_name.ends_with("InlinePolicy") || type_name.ends_with("Subscription");
            assert!(arn.starts_with("arn:aws:") || policy, "{type_name}: {arn}");
        }
    }
}
