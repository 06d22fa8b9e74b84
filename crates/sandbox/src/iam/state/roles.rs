//! What can be done to roles.

use super::limits::{
    check_attached, check_inline, check_name, check_path, check_session_duration, check_tags,
    check_trust,
};
use super::{Grants, Moment, NewRole, Role, State, Versioned, delete_conflict, no_entity};
use crate::iam::managed;
use crate::wire::AwsError;
use std::collections::BTreeMap;

impl State {
    pub fn create_role(&mut self, at: &Moment, new: NewRole) -> Result<&Role, AwsError> {
        check_name("roleName", &new.name, 64)?;
        let path = check_path(&new.path)?;
        check_trust(&new.trust)?;
        check_tags(&new.tags)?;
        check_inline(&new.name, &new.inline)?;
        check_attached(new.attached.len())?;
        for arn in new.attached.iter().chain(&new.permissions_boundary) {
            self.check_attachable(arn)?;
        }
        let max_session_duration =
            check_session_duration(new.max_session_duration.unwrap_or(3_600))?;
        let taken = self
            .roles
            .keys()
            .any(|name| name.eq_ignore_ascii_case(&new.name));
        if taken {
            return Err(AwsError::new(
                409,
                "EntityAlreadyExists",
                format!("Role with name {} already exists.", new.name),
            ));
        }
        let role = Role {
            id: at.id("AROA"),
            arn: format!("arn:aws:iam::{}:role{path}{}", self.account_id, new.name),
            path,
            description: new.description,
            created: at.wall,
            max_session_duration,
            trust: Versioned::new(new.trust, at.effective_at),
            grants: Versioned::new(
                Grants {
                    inline: new.inline,
                    attached: new.attached.into_iter().collect(),
                    boundary: new.permissions_boundary,
                },
                at.effective_at,
            ),
            tags: new.tags,
            name: new.name.clone(),
        };
        Ok(self.roles.entry(new.name).or_insert(role))
    }

    /// Creates the role by which an AWS service acts in the account.
    pub fn create_service_linked_role(
        &mut self,
        at: &Moment,
        service: &str,
    ) -> Result<&Role, AwsError> {
        let Some(short) = service.strip_suffix(".amazonaws.com") else {
            return Err(AwsError::bad(
                "InvalidInput",
                format!("{service} is not a service principal."),
            ));
        };
        let name = format!("AWSServiceRoleFor{}", linked_name(short));
        if self.roles.contains_key(&name) {
            return Err(AwsError::bad(
                "InvalidInput",
                format!(
                    "Service role name {name} has been taken in this account, please try a \
                     different suffix."
                ),
            ));
        }
        let trust = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": service },
                "Action": "sts:AssumeRole",
            }],
        });
        let new = NewRole {
            name,
            path: format!("/aws-service-role/{service}/"),
            trust: trust.to_string(),
            ..NewRole::default()
        };
        self.create_role(at, new)
    }

    /// Changes what is given, leaves the rest.
    pub fn update_role(
        &mut self,
        name: &str,
        description: Option<String>,
        max_session_duration: Option<u32>,
    ) -> Result<(), AwsError> {
        let role = self.role_mut(name)?;
        if let Some(seconds) = max_session_duration {
            role.max_session_duration = check_session_duration(seconds)?;
        }
        if let Some(description) = description {
            role.description = Some(description).filter(|text| !text.is_empty());
        }
        Ok(())
    }

    pub fn set_trust(&mut self, at: &Moment, name: &str, document: &str) -> Result<(), AwsError> {
        check_trust(document)?;
        self.role_mut(name)?.trust.set(document.to_owned(), at);
        Ok(())
    }

    pub fn put_inline(
        &mut self,
        at: &Moment,
        name: &str,
        policy: &str,
        document: &str,
    ) -> Result<(), AwsError> {
        let mut inline = self.role(name)?.grants.latest().inline.clone();
        inline.insert(policy.to_owned(), document.to_owned());
        self.set_inline(at, name, inline)
    }

    /// Replaces all inline policies of a role at once.
    pub fn set_inline(
        &mut self,
        at: &Moment,
        name: &str,
        inline: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        check_inline(name, &inline)?;
        self.role_mut(name)?
            .grants
            .update(at, |grants| grants.inline = inline);
        Ok(())
    }

    pub fn delete_inline(&mut self, at: &Moment, name: &str, policy: &str) -> Result<(), AwsError> {
        let role = self.role_mut(name)?;
        if !role.grants.latest().inline.contains_key(policy) {
            return Err(no_entity(format!(
                "The role policy with name {policy} cannot be found."
            )));
        }
        role.grants.update(at, |grants| {
            grants.inline.remove(policy);
        });
        Ok(())
    }

    pub fn attach(&mut self, at: &Moment, name: &str, arn: &str) -> Result<(), AwsError> {
        let attached = &self.role(name)?.grants.latest().attached;
        if attached.contains(arn) {
            return Ok(());
        }
        check_attached(attached.len() + 1)?;
        self.check_attachable(arn)?;
        self.role_mut(name)?.grants.update(at, |grants| {
            grants.attached.insert(arn.to_owned());
        });
        Ok(())
    }

    pub fn detach(&mut self, at: &Moment, name: &str, arn: &str) -> Result<(), AwsError> {
        let role = self.role_mut(name)?;
        if !role.grants.latest().attached.contains(arn) {
            return Err(no_entity(format!("Policy {arn} was not found.")));
        }
        role.grants.update(at, |grants| {
            grants.attached.remove(arn);
        });
        Ok(())
    }

    /// Sets or removes the permissions boundary.
    pub fn set_boundary(
        &mut self,
        at: &Moment,
        name: &str,
        boundary: Option<&str>,
    ) -> Result<(), AwsError> {
        if let Some(arn) = boundary {
            self.check_attachable(arn)?;
        }
        let role = self.role_mut(name)?;
        if boundary.is_none() && role.grants.latest().boundary.is_none() {
            return Err(no_entity(format!(
                "The role with name {name} does not have a permissions boundary."
            )));
        }
        role.grants.update(at, |grants| {
            grants.boundary = boundary.map(str::to_owned);
        });
        Ok(())
    }

    pub fn tag_role(&mut self, name: &str, tags: BTreeMap<String, String>) -> Result<(), AwsError> {
        let role = self.role_mut(name)?;
        let mut all = role.tags.clone();
        all.extend(tags);
        check_tags(&all)?;
        role.tags = all;
        Ok(())
    }

    pub fn untag_role(&mut self, name: &str, keys: &[String]) -> Result<(), AwsError> {
        let role = self.role_mut(name)?;
        role.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// Deletes a role that has no policies left.
    pub fn delete_role(&mut self, name: &str) -> Result<(), AwsError> {
        let grants = self.role(name)?.grants.latest();
        if !grants.inline.is_empty() {
            return Err(delete_conflict(
                "Cannot delete entity, must delete policies first.",
            ));
        }
        if !grants.attached.is_empty() {
            return Err(delete_conflict(
                "Cannot delete entity, must detach all policies first.",
            ));
        }
        self.roles.remove(name);
        Ok(())
    }

    /// Removes a role with its inline policies and attachments, as
    /// CloudFormation's handler and a person at the console do.
    pub fn remove_role(&mut self, name: &str) -> Result<Role, AwsError> {
        self.roles.remove(name).ok_or_else(|| super::no_role(name))
    }

    pub(super) fn check_attachable(&self, arn: &str) -> Result<(), AwsError> {
        if self.policies.contains_key(arn) || managed::document(arn).is_some() {
            return Ok(());
        }
        Err(no_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )))
    }
}

/// The name that a service gives its linked role (AWS docs: "AWS services that
/// work with IAM").
fn linked_name(service: &str) -> String {
    match service {
        "ecs" => "ECS".to_owned(),
        "rds" => "RDS".to_owned(),
        "elasticloadbalancing" => "ElasticLoadBalancing".to_owned(),
        "ecs.application-autoscaling" => "ApplicationAutoScaling_ECSService".to_owned(),
        "elasticache" => "ElastiCache".to_owned(),
        "eks" => "AmazonEKS".to_owned(),
        other => {
            let mut chars = other.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(chars).collect()
            })
        }
    }
}
