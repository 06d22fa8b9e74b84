//! Roles, policies and what carries them.

use super::Rules;
use super::generic;
use crate::cloudcontrol::env::{Env, strings, text};
use crate::cloudcontrol::failure::{Failure, HandlerErrorCode};
use crate::cloudcontrol::iam_backed::{self, MANAGED_POLICY, OIDC_PROVIDER, ROLE, ROLE_POLICY};
use crate::cloudcontrol::state::Resource;
use crate::types::{Model, TypeInfo, set_default};

const INSTANCE_PROFILE: &str = "AWS::IAM::InstanceProfile";
pub(crate) const SERVICE_LINKED_ROLE: &str = "AWS::IAM::ServiceLinkedRole";

pub(super) fn of(type_name: &str) -> Option<&'static dyn Rules> {
    Some(match type_name {
        ROLE => &Role,
        ROLE_POLICY => &RolePolicy,
        MANAGED_POLICY => &ManagedPolicy,
        INSTANCE_PROFILE => &InstanceProfile,
        OIDC_PROVIDER => &OidcProvider,
        SERVICE_LINKED_ROLE => &ServiceLinkedRole,
        _ => return None,
    })
}

fn iam_missing(env: &Env<'_>, noun: &str, name: &str) -> Failure {
    Failure::not_found(env.service_message(
        "Iam",
        404,
        &format!("The {noun} with name {name} cannot be found."),
    ))
}

fn path(model: &Model) -> &str {
    text(model, "Path").unwrap_or("/")
}

struct Role;

impl Rules for Role {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("RoleName") {
            model.insert("RoleName".into(), env.name("role").into());
        }
        set_default(model, "Path", "/");
        set_default(model, "MaxSessionDuration", 3_600);
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let name = resource.identifier.as_str();
        match env.user_of(name, &[(INSTANCE_PROFILE, "Roles")]) {
            Some(_) => Err(Failure::new(
                HandlerErrorCode::ResourceConflict,
                env.service_message(
                    "Iam",
                    409,
                    "Cannot delete entity, must remove roles from instance profile first.",
                ),
            )),
            None => Ok(()),
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "RoleName").unwrap_or("*");
        env.global_arn("iam", &format!("role{}{name}", path(model)))
    }
}

struct RolePolicy;

impl Rules for RolePolicy {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, _: &mut Model) {}

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "RoleName").unwrap_or_default();
        if env.exists(ROLE, name) {
            Ok(())
        } else {
            Err(iam_missing(env, "role", name))
        }
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "RoleName").unwrap_or("*");
        env.find(ROLE, name)
            .and_then(|role| text(&role.properties, "Arn").map(str::to_owned))
            .unwrap_or_else(|| env.global_arn("iam", &format!("role/{name}")))
    }
}

struct ManagedPolicy;

impl Rules for ManagedPolicy {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        if !model.contains_key("ManagedPolicyName") {
            model.insert("ManagedPolicyName".into(), env.name("policy").into());
        }
        set_default(model, "Path", "/");
        let arn = self.arn(env, model);
        set_default(model, "PolicyArn", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        for user in ["Users", "Groups"] {
            if let Some(name) = strings(model, user).first() {
                return Err(iam_missing(env, user.trim_end_matches('s'), name));
            }
        }
        Ok(())
    }

    fn check_delete(&self, env: &Env<'_>, resource: &Resource) -> Result<(), Failure> {
        let used = env.account().is_some_and(|account| {
            account
                .iam
                .policy(&resource.identifier)
                .is_ok_and(|policy| iam_backed::used_by_others(&account.iam, policy))
        });
        if !used {
            return Ok(());
        }
        Err(Failure::new(
            HandlerErrorCode::ResourceConflict,
            env.service_message("Iam", 409, "Cannot delete a policy attached to entities."),
        ))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "ManagedPolicyName").unwrap_or("*");
        env.global_arn("iam", &format!("policy{}{name}", path(model)))
    }
}

struct InstanceProfile;

impl Rules for InstanceProfile {
    fn fill(&self, env: &Env<'_>, type_name: &str, info: &TypeInfo, model: &mut Model) {
        set_default(model, "Path", "/");
        if !model.contains_key("InstanceProfileName") {
            let name = env.name("instance-profile");
            model.insert("InstanceProfileName".into(), name.into());
        }
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
        generic::fill(env, type_name, info, model);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        for name in strings(model, "Roles") {
            if !env.exists(ROLE, name) {
                return Err(iam_missing(env, "role", name));
            }
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let name = text(model, "InstanceProfileName").unwrap_or("*");
        env.global_arn("iam", &format!("instance-profile{}{name}", path(model)))
    }
}

struct OidcProvider;

impl OidcProvider {
    fn host(model: &Model) -> &str {
        let url = text(model, "Url").unwrap_or_default();
        url.strip_prefix("https://").unwrap_or(url)
    }
}

impl Rules for OidcProvider {
    fn fill(&self, env: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let arn = self.arn(env, model);
        set_default(model, "Arn", arn);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let url = text(model, "Url").unwrap_or_default();
        // No port, no query: AWS docs, "Create an OpenID Connect provider".
        let host = Self::host(model).split('/').next().unwrap_or_default();
        if !url.starts_with("https://")
            || host.is_empty()
            || host.contains(':')
            || url.contains('?')
        {
            return Err(Failure::invalid(env.service_message(
                "Iam",
                400,
                "The provider URL is not valid.",
            )));
        }
        Ok(())
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        text(model, "Arn").map_or_else(
            || env.global_arn("iam", &format!("oidc-provider/{}", Self::host(model))),
            str::to_owned,
        )
    }
}

struct ServiceLinkedRole;

impl Rules for ServiceLinkedRole {
    fn fill(&self, _: &Env<'_>, _: &str, _: &TypeInfo, model: &mut Model) {
        let service = text(model, "AWSServiceName").unwrap_or_default();
        let known = [
            "AWS::ECS::Cluster",
            "AWS::RDS::DBInstance",
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "AWS::ElastiCache::ReplicationGroup",
        ]
        .iter()
        .filter_map(|type_name| crate::types::service_linked_role(type_name))
        .find(|linked| linked.service == service)
        .map(|linked| linked.role.clone());
        let name = known.unwrap_or_else(|| {
            let stem = service.split('.').next().unwrap_or_default();
            format!("AWSServiceRoleFor{stem}")
        });
        set_default(model, "RoleName", name);
    }

    fn check_create(&self, env: &Env<'_>, model: &Model) -> Result<(), Failure> {
        let name = text(model, "RoleName").unwrap_or_default();
        if !env.exists(ROLE, name) {
            return Ok(());
        }
        Err(Failure::invalid(env.service_message(
            "Iam",
            400,
            &format!(
                "Service role name {name} has been taken in this account, please try a different \
                 suffix."
            ),
        )))
    }

    fn arn(&self, env: &Env<'_>, model: &Model) -> String {
        let service = text(model, "AWSServiceName").unwrap_or("*");
        let name = text(model, "RoleName").unwrap_or("*");
        env.global_arn("iam", &format!("role/aws-service-role/{service}/{name}"))
    }
}
