//! Where AWS answers otherwise than it was asked, without anything being
//! different. What holds for every type (numbers as text, documents as text,
//! lists in another order) is in `landfall_model::owned`.

/// How one property is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The cloud completes a version: `16` becomes `16.4`, and later `16.5`.
    VersionPrefix,
    /// The cloud returns it in lower case.
    IgnoreCase,
    /// A policy document: a single text stands for a list of one, lists have no
    /// order, and one statement more is a difference.
    Policy,
    /// Only counts when the resource is made: changing it later would replace
    /// what the customer has in it.
    AtCreation,
}

/// Reviewed by hand. Source: AWS docs of each API, and the read handlers that
/// AWS publishes (aws-cloudformation/aws-cloudformation-resource-providers-*).
const RULES: &[(&str, &str, Rule)] = &[
    (
        "AWS::RDS::DBInstance",
        "/EngineVersion",
        Rule::VersionPrefix,
    ),
    (
        "AWS::RDS::DBInstance",
        "/DBInstanceIdentifier",
        Rule::IgnoreCase,
    ),
    (
        "AWS::RDS::DBInstance",
        "/DBSubnetGroupName",
        Rule::IgnoreCase,
    ),
    (
        "AWS::RDS::DBSubnetGroup",
        "/DBSubnetGroupName",
        Rule::IgnoreCase,
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        "/IpProtocol",
        Rule::IgnoreCase,
    ),
    ("AWS::IAM::Role", "/AssumeRolePolicyDocument", Rule::Policy),
    ("AWS::IAM::RolePolicy", "/PolicyDocument", Rule::Policy),
    // A second generation would put another value in the place of the one that
    // the workload already uses.
    (
        "AWS::SecretsManager::Secret",
        "/GenerateSecretString",
        Rule::AtCreation,
    ),
];

pub fn rule(type_name: &str, pointer: &str) -> Option<Rule> {
    RULES
        .iter()
        .find(|(name, path, _)| *name == type_name && *path == pointer)
        .map(|(_, _, rule)| *rule)
}
