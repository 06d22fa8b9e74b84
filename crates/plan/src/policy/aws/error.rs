use landfall_model::grant::Identity;

/// Why a grant or a session policy cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A trust policy names a role or a user, never a session or a whole
    /// account.
    /// The connection's method trusts something else.
    #[error("a connection by {method} cannot trust {principal}")]
    PrincipalKind {
        method: &'static str,
        principal: String,
    },
    #[error("AWS cannot trust the issuer {url}: {reason}")]
    Issuer { url: String, reason: &'static str },
    #[error("the server's identity {arn} is not an IAM role or user that a trust policy can name")]
    Principal { arn: String },
    #[error("the server's identity {arn} cannot be trusted from the partition {partition}")]
    PrincipalPartition { arn: String, partition: String },
    #[error("the external id is not 2 to 1224 characters of letters, digits and +=,.@:/-_")]
    ExternalId,
    #[error("'{region}' is not a region's name")]
    Region { region: String },
    #[error("the action {action} of {type_name} is neither scoped nor dropped in the overlay")]
    Unscoped { action: String, type_name: String },
    #[error("there are no permissions for the type {type_name}")]
    UnknownType { type_name: String },
    #[error(
        "the policies of the {} do not fit into {limit} managed policies",
        identity.as_str()
    )]
    TooManyPolicies { identity: Identity, limit: usize },
    #[error("the {what} has {size} characters, more than {limit}")]
    TooLarge {
        what: String,
        size: usize,
        limit: usize,
    },
    /// A wildcard in an identifier would make its policy wider than the one
    /// resource that was approved.
    #[error("the identifier of this {type_name} cannot stand in a policy")]
    UnsafeIdentifier { type_name: String },
    /// The ARN is in another account, region or partition than the record
    /// says.
    #[error("{arn} is not in the account and region of the retained resource")]
    ForeignResource { arn: String },
}
