//! Who this server is, and whom the customers' roles must trust.

use super::caller::Caller;

/// The parts of an IAM ARN of a role or user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IamArn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) account: &'a str,
    pub(crate) kind: &'a str,
    /// Path and name.
    pub(crate) path: &'a str,
}

impl IamArn<'_> {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// `None` unless it names one role or one user.
pub(crate) fn parse_iam_arn(arn: &str) -> Option<IamArn<'_>> {
    let (partition, service, account, resource) = split(arn)?;
    let (kind, path) = resource.split_once('/')?;
    let one = service == "iam"
        && matches!(kind, "role" | "user")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !path.is_empty()
        && !path.ends_with('/')
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&b));
    one.then_some(IamArn {
        partition,
        account,
        kind,
        path,
    })
}

/// Partition, service, account and resource.
fn split(arn: &str) -> Option<(&str, &str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    if parts.next()? != "arn" {
        return None;
    }
    let (partition, service, _region, account) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((partition, service, account, parts.next()?))
}

/// The partition of any ARN.
pub(crate) fn partition_of(arn: &str) -> Option<&str> {
    split(arn).map(|(partition, ..)| partition)
}

/// Why an identity cannot be trusted by customers, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unusable {
    pub(crate) reason: String,
    pub(crate) next_step: String,
}

/// The ARN for `Principal.AWS`. A session's own ARN would stop working when the
/// session ends, so it is mapped to its role.
pub(crate) fn trusted_arn(caller: &Caller, configured: Option<&str>) -> Result<String, Unusable> {
    let unusable = |reason: String, next_step: &str| Unusable {
        reason,
        next_step: next_step.to_owned(),
    };
    let (partition, service, account, resource) = split(&caller.arn).ok_or_else(|| {
        unusable(
            format!(
                "AWS calls this server '{}', which is not an ARN",
                caller.arn
            ),
            "check clouds.aws.endpoint_url",
        )
    })?;
    let derived = match (service, resource.split_once('/')) {
        // The path of the role is not in a session's ARN: hence the setting.
        ("sts", Some(("assumed-role", rest))) => {
            let role = rest.split('/').next().unwrap_or(rest);
            format!("arn:{partition}:iam::{account}:role/{role}")
        }
        ("iam", Some(("user", _))) => caller.arn.clone(),
        ("iam", None) if resource == "root" => {
            return Err(unusable(
                "this server runs as an account's root user, which AWS does not let assume roles"
                    .to_owned(),
                "give the server an IAM role or user of its own (clouds.aws.identity)",
            ));
        }
        _ => {
            return Err(unusable(
                format!("'{}' is neither a role nor a user", caller.arn),
                "give the server an IAM role or user of its own (clouds.aws.identity)",
            ));
        }
    };
    let Some(configured) = configured else {
        return Ok(derived);
    };
    // Trusting a configured ARN that is not ours would let somebody else in
    // and lock us out: it must be the same principal, its path aside.
    let same = match (parse_iam_arn(configured), parse_iam_arn(&derived)) {
        (Some(wanted), Some(is)) => {
            wanted.partition == is.partition
                && wanted.account == is.account
                && wanted.kind == is.kind
                && wanted.name() == is.name()
        }
        _ => false,
    };
    if same {
        Ok(configured.to_owned())
    } else {
        Err(unusable(
            format!(
                "clouds.aws.principal_arn is {configured}, but AWS says that this server is {derived}"
            ),
            "correct or remove clouds.aws.principal_arn",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(arn: &str) -> Caller {
        Caller {
            account: "111122223333".into(),
            arn: arn.into(),
        }
    }

    #[test]
    fn a_session_is_mapped_to_its_role() {
        let session = caller("arn:aws:sts::111122223333:assumed-role/landfall-server/i-0abc");
        assert_eq!(
            trusted_arn(&session, None).unwrap(),
            "arn:aws:iam::111122223333:role/landfall-server"
        );
        let user = caller("arn:aws-cn:iam::111122223333:user/ops/landfall");
        assert_eq!(trusted_arn(&user, None).unwrap(), user.arn);
    }

    #[test]
    fn a_configured_arn_may_only_add_the_path() {
        let session = caller("arn:aws:sts::111122223333:assumed-role/landfall-server/i-0abc");
        let with_path = "arn:aws:iam::111122223333:role/team/landfall-server";
        assert_eq!(trusted_arn(&session, Some(with_path)).unwrap(), with_path);
        for other in [
            "arn:aws:iam::999922223333:role/landfall-server",
            "arn:aws:iam::111122223333:role/somebody-else",
            "arn:aws:iam::111122223333:user/landfall-server",
        ] {
            assert!(trusted_arn(&session, Some(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn root_and_federated_users_are_refused_with_a_next_step() {
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:sts::111122223333:federated-user/bob",
            "nonsense",
        ] {
            let error = trusted_arn(&caller(arn), None).unwrap_err();
            assert!(!error.next_step.is_empty(), "{arn}");
        }
    }

    #[test]
    fn only_roles_and_users_are_principals() {
        assert!(parse_iam_arn("arn:aws:iam::111122223333:role/a/b/c").is_some());
        for wrong in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::1111:role/a",
            "arn:aws:s3:::bucket/a",
            "*",
        ] {
            assert!(parse_iam_arn(wrong).is_none(), "{wrong}");
        }
    }
}
