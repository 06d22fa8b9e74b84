//! The few AWS managed policies that deployments and administrators use.
//!
//! Documents as AWS publishes them (AWS docs: "AWS managed policies"), shortened
//! where noted.

/// Name with path, and document.
const POLICIES: [(&str, &str); 4] = [
    (
        "AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "PowerUserAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":["account:GetAccountInformation","account:GetPrimaryEmail","account:ListRegions","iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeEffectivePolicy","organizations:DescribeOrganization"],"Resource":"*"}]}"#,
    ),
    // Shortened: the real document lists every service's read actions.
    (
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudformation:Describe*","cloudformation:Get*","cloudformation:List*","ec2:Describe*","ecr:Describe*","ecr:Get*","ecr:List*","ecs:Describe*","ecs:List*","elasticloadbalancing:Describe*","iam:Get*","iam:List*","logs:Describe*","rds:Describe*","rds:List*","s3:Get*","s3:List*","secretsmanager:DescribeSecret","secretsmanager:List*"],"Resource":"*"}]}"#,
    ),
    (
        "service-role/AmazonECSTaskExecutionRolePolicy",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    ),
];

/// ARN of the policy that makes an administrator.
pub(super) const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// The document of an AWS managed policy.
pub(super) fn document(arn: &str) -> Option<&'static str> {
    let wanted = arn.strip_prefix("arn:aws:iam::aws:policy/")?;
    POLICIES
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, document)| *document)
}

/// ARNs of all of them.
pub(super) fn arns() -> impl Iterator<Item = String> {
    POLICIES
        .iter()
        .map(|(name, _)| format!("arn:aws:iam::aws:policy/{name}"))
}
