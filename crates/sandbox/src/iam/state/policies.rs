//! What can be done to managed policies.

use super::limits::{VERSIONS, check_managed, check_name, check_path, check_tags, limit};
use super::{
    ManagedPolicy, Moment, NewPolicy, PolicyVersion, State, Versioned, delete_conflict, no_entity,
};
use crate::wire::AwsError;
use std::collections::{BTreeMap, BTreeSet};

impl State {
    pub fn create_policy(
        &mut self,
        at: &Moment,
        new: NewPolicy,
    ) -> Result<&ManagedPolicy, AwsError> {
        check_name("policyName", &new.name, 128)?;
        let path = check_path(&new.path)?;
        check_tags(&new.tags)?;
        check_managed(&new.document)?;
        let taken = self
            .policies
            .values()
            .any(|policy| policy.name.eq_ignore_ascii_case(&new.name));
        if taken {
            return Err(AwsError::new(
                409,
                "EntityAlreadyExists",
                format!(
                    "A policy called {} already exists. Duplicate names are not allowed.",
                    new.name
                ),
            ));
        }
        let arn = format!("arn:aws:iam::{}:policy{path}{}", self.account_id, new.name);
        let policy = ManagedPolicy {
            id: at.id("ANPA"),
            arn: arn.clone(),
            name: new.name,
            path,
            description: new.description,
            created: at.wall,
            updated: at.wall,
            versions: BTreeMap::from([(
                1,
                PolicyVersion {
                    document: new.document,
                    created: at.wall,
                },
            )]),
            default_version: Versioned::new(1, at.effective_at),
            tags: new.tags,
            own_roles: BTreeSet::new(),
            next_version: 2,
        };
        Ok(self.policies.entry(arn).or_insert(policy))
    }

    /// Adds a version and returns its number.
    pub fn create_policy_version(
        &mut self,
        at: &Moment,
        arn: &str,
        document: &str,
        set_default: bool,
    ) -> Result<u32, AwsError> {
        let policy = self.policy_mut(arn)?;
        check_managed(document)?;
        if policy.versions.len() >= VERSIONS {
            return Err(limit(format!(
                "A managed policy can have up to {VERSIONS} versions. Before you create a new \
                 version, you must delete an existing version."
            )));
        }
        let number = policy.next_version;
        policy.next_version += 1;
        policy.updated = at.wall;
        policy.versions.insert(
            number,
            PolicyVersion {
                document: document.to_owned(),
                created: at.wall,
            },
        );
        if set_default {
            policy.default_version.set(number, at);
        }
        Ok(number)
    }

    /// Makes a document the policy's default version, deleting the oldest
    /// other one when there are too many, as CloudFormation's handler does.
    pub fn replace_policy_document(
        &mut self,
        at: &Moment,
        arn: &str,
        document: &str,
    ) -> Result<u32, AwsError> {
        check_managed(document)?;
        let policy = self.policy_mut(arn)?;
        if policy.versions.len() >= VERSIONS {
            let default = *policy.default_version.latest();
            if let Some(oldest) = policy.versions.keys().copied().find(|v| *v != default) {
                policy.versions.remove(&oldest);
            }
        }
        self.create_policy_version(at, arn, document, true)
    }

    pub fn set_default_policy_version(
        &mut self,
        at: &Moment,
        arn: &str,
        version: u32,
    ) -> Result<(), AwsError> {
        let policy = self.policy_mut(arn)?;
        if !policy.versions.contains_key(&version) {
            return Err(no_version(arn, version));
        }
        policy.default_version.set(version, at);
        policy.updated = at.wall;
        Ok(())
    }

    pub fn delete_policy_version(&mut self, arn: &str, version: u32) -> Result<(), AwsError> {
        let policy = self.policy_mut(arn)?;
        if *policy.default_version.latest() == version {
            return Err(delete_conflict(
                "Cannot delete the default version of a policy.",
            ));
        }
        policy
            .versions
            .remove(&version)
            .map(drop)
            .ok_or_else(|| no_version(arn, version))
    }

    pub fn tag_policy(
        &mut self,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let policy = self.policy_mut(arn)?;
        let mut all = policy.tags.clone();
        all.extend(tags);
        check_tags(&all)?;
        policy.tags = all;
        Ok(())
    }

    pub fn untag_policy(&mut self, arn: &str, keys: &[String]) -> Result<(), AwsError> {
        let policy = self.policy_mut(arn)?;
        policy.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    /// Writes down to which roles the policy's own resource attached it.
    pub fn set_own_roles(&mut self, arn: &str, roles: BTreeSet<String>) -> Result<(), AwsError> {
        self.policy_mut(arn)?.own_roles = roles;
        Ok(())
    }

    /// Deletes a policy that nobody uses.
    pub fn delete_policy(&mut self, arn: &str) -> Result<(), AwsError> {
        let policy = self.policy(arn)?;
        if self.attached_to(arn).next().is_some() || self.bounded_by(arn).next().is_some() {
            return Err(delete_conflict(
                "Cannot delete a policy attached to entities.",
            ));
        }
        if policy.versions.len() > 1 {
            return Err(delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must \
                 delete the policy's versions. The default version is deleted with the policy.",
            ));
        }
        self.policies.remove(arn);
        Ok(())
    }

    /// Removes a policy with all its versions when nobody uses it, as
    /// CloudFormation's handler does.
    pub fn remove_policy(&mut self, arn: &str) -> Result<(), AwsError> {
        let policy = self.policy_mut(arn)?;
        let default = *policy.default_version.latest();
        policy.versions.retain(|version, _| *version == default);
        self.delete_policy(arn)
    }
}

fn no_version(arn: &str, version: u32) -> AwsError {
    no_entity(format!(
        "Policy {arn} version v{version} does not exist or is not attachable."
    ))
}
