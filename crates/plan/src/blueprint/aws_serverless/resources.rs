//! What Score files' `resources` become.

use super::{
    access::{Egress, ingress_from, security_group},
    build::{Builder, Draft, Find, address, output, protect},
    check::as_text,
    network::Network,
    prices,
    settings::Settled,
};
use crate::score::{Resource, Workload, problems::Problems};
use landfall_model::{
    Error,
    error::Code,
    graph::{Address, identifier_of},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Postgres,
    Bucket,
    Secret,
}

/// Major versions of PostgreSQL that RDS offers.
const POSTGRES: [&str; 5] = ["14", "15", "16", "17", "18"];
const POSTGRES_DEFAULT: &str = "17";

impl Kind {
    pub fn of(score_type: &str) -> Option<Self> {
        match score_type {
            "postgres" => Some(Self::Postgres),
            "bucket" | "s3" => Some(Self::Bucket),
            "secret" => Some(Self::Secret),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Bucket => "bucket",
            Self::Secret => "secret",
        }
    }

    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["version"],
            Self::Bucket => &[],
            Self::Secret => &["length"],
        }
    }

    /// `Err(None)` when there is no such parameter.
    pub fn parameter(self, name: &str, value: &Value) -> Result<(), Option<String>> {
        match (self, name) {
            (Self::Postgres, "version") => {
                let version = as_text(value);
                if version.is_some_and(|it| POSTGRES.contains(&it.as_str())) {
                    return Ok(());
                }
                Err(Some(format!(
                    "PostgreSQL is offered in the major versions {}",
                    crate::score::listed(&POSTGRES)
                )))
            }
            (Self::Secret, "length") => {
                let length = as_text(value).and_then(|it| it.parse::<u32>().ok());
                if length.is_some_and(|it| (8..=256).contains(&it)) {
                    return Ok(());
                }
                Err(Some("a secret has 8 to 256 characters".to_owned()))
            }
            _ => Err(None),
        }
    }
}

/// The outputs of a kind, and which of them are secrets.
pub(super) const fn outputs(kind: Kind) -> &'static [(&'static str, bool)] {
    match kind {
        Kind::Postgres => &[
            ("host", false),
            ("port", false),
            ("name", false),
            ("database", false),
            ("username", false),
            ("password", true),
        ],
        Kind::Bucket => &[
            ("name", false),
            ("arn", false),
            ("region", false),
            ("endpoint", false),
        ],
        Kind::Secret => &[("value", true), ("arn", false), ("name", false)],
    }
}

/// An output, as a task definition says it.
pub(super) enum Output {
    Plain(Value),
    Secret {
        /// For `ValueFrom`: the secret's ARN, perhaps with a JSON key.
        value_from: Value,
        arn: Value,
    },
}

/// One resource, made once for all workloads that use it.
pub(super) struct Built {
    pub outputs: BTreeMap<&'static str, Output>,
    /// Statements for the task roles of the workloads that use it.
    pub grants: Vec<Value>,
    /// What each workload waits for before it starts.
    pub ways: BTreeMap<String, Address>,
}

/// By key: see [`key`].
pub(super) type Resources = BTreeMap<String, Built>;

/// Resources of the same type and id are one resource, in whichever Score files
/// they stand; without an id each is its workload's own.
pub(super) fn key(workload: &Workload, resource: &Resource) -> Option<String> {
    let kind = Kind::of(&resource.kind.value)?;
    Some(match &resource.id {
        Some(id) => format!("shared.{}.{}", kind.as_str(), id.value),
        None => format!("{}.{}", workload.name(), resource.name.value),
    })
}

struct Asked<'a> {
    kind: Kind,
    /// The part of names: `web-db`.
    part: String,
    /// For titles.
    label: String,
    params: BTreeMap<&'a str, &'a Value>,
    users: BTreeSet<&'a str>,
}

pub(super) fn all(
    b: &mut Builder<'_>,
    settled: &Settled,
    network: &Network,
    workloads: &[&Workload],
    groups: &BTreeMap<String, Address>,
) -> Result<Resources, Error> {
    let mut built = Resources::new();
    for (key, asked) in gather(workloads)? {
        let it = match asked.kind {
            Kind::Postgres => postgres(b, settled, network, &key, &asked, groups)?,
            Kind::Bucket => bucket(b, &key, &asked)?,
            Kind::Secret => secret(b, &key, &asked)?,
        };
        built.insert(key, it);
    }
    Ok(built)
}

fn gather<'a>(workloads: &[&'a Workload]) -> Result<BTreeMap<String, Asked<'a>>, Error> {
    let mut found: BTreeMap<String, Asked<'a>> = BTreeMap::new();
    let mut problems = Problems::default();
    for workload in workloads {
        for resource in &workload.resources {
            let (Some(kind), Some(key)) = (Kind::of(&resource.kind.value), key(workload, resource))
            else {
                continue;
            };
            let (part, label) = match &resource.id {
                Some(id) => (id.value.clone(), format!("shared '{}'", id.value)),
                None => {
                    let (workload, name) = (workload.name(), &resource.name.value);
                    (
                        format!("{workload}-{name}"),
                        format!("'{name}' of {workload}"),
                    )
                }
            };
            let asked = found.entry(key).or_insert_with(|| Asked {
                kind,
                part,
                label,
                params: BTreeMap::new(),
                users: BTreeSet::new(),
            });
            asked.users.insert(workload.name());
            for (name, value) in &resource.params {
                let before = asked.params.insert(&name.value, &value.value);
                if before.is_some_and(|before| as_text(before) != as_text(&value.value)) {
                    problems.add(
                        format!("resources.{}.params.{}", resource.name.value, name.value),
                        "another Score file asks for another value of the same shared resource",
                        &value.position,
                    );
                }
            }
        }
    }
    problems.finish(Code::ScoreUnsupported)?;
    Ok(found)
}

impl Asked<'_> {
    fn param(&self, name: &str) -> Option<String> {
        self.params.get(name).and_then(|value| as_text(value))
    }
}

fn postgres(
    b: &mut Builder<'_>,
    settled: &Settled,
    network: &Network,
    key: &str,
    asked: &Asked<'_>,
    groups: &BTreeMap<String, Address>,
) -> Result<Built, Error> {
    let prefix = format!("resource.{key}");
    let title = format!("Access to database {}", asked.label);
    let group = security_group(b, network, &prefix, &asked.part, title, &Egress::Nothing)?;
    let mut ways = BTreeMap::new();
    for user in &asked.users {
        if let Some(from) = groups.get(*user) {
            let title = format!("{user} to the database {}", asked.label);
            let name = format!("{prefix}.ingress-{user}");
            let way = ingress_from(b, name, title, &group, from, json!(5432))?;
            ways.insert((*user).to_owned(), way);
        }
    }
    let subnet_group = b
        .add(Draft {
            address: format!("{prefix}.subnet-group"),
            type_name: "AWS::RDS::DBSubnetGroup",
            title: format!("Subnets of database {}", asked.label),
            properties: json!({
                "DBSubnetGroupName": b.names.name(&asked.part, 255),
                "DBSubnetGroupDescription": format!("Landfall: {key}"),
                "SubnetIds": Network::subnet_ids(&network.storage),
            }),
            find: Find::Name("/DBSubnetGroupName"),
        })?
        .address
        .clone();
    // Letters first, and never a word that the engine reserves.
    let database = format!("app_{}", asked.part.replace(['-', '.'], "_"));
    let database: String = database.chars().take(63).collect();
    let size = &settled.database;
    let node = b.add(Draft {
        address: format!("{prefix}.instance"),
        type_name: "AWS::RDS::DBInstance",
        title: format!("PostgreSQL database {}", asked.label),
        properties: json!({
            "DBInstanceIdentifier": b.names.name(&asked.part, 63),
            "DBName": database,
            "Engine": "postgres",
            "EngineVersion": asked.param("version").unwrap_or_else(|| POSTGRES_DEFAULT.to_owned()),
            "DBInstanceClass": size.class,
            "AllocatedStorage": size.storage.to_string(),
            "StorageType": "gp3",
            "StorageEncrypted": true,
            "MasterUsername": MASTER,
            "ManageMasterUserPassword": true,
            "DBSubnetGroupName": identifier_of(&subnet_group),
            "VPCSecurityGroups": [output(&group, "/GroupId")],
            "PubliclyAccessible": false,
            "MultiAZ": size.multi_az,
            "DeletionProtection": true,
            "DeleteAutomatedBackups": false,
            "BackupRetentionPeriod": size.backup_days,
            "CopyTagsToSnapshot": true,
            "AutoMinorVersionUpgrade": true,
        }),
        find: Find::Name("/DBInstanceIdentifier"),
    })?;
    protect(node);
    node.monthly_cents = prices::database(&size.class, size.storage, size.multi_az);
    let instance = node.address.clone();
    let arn = output(&instance, "/MasterUserSecret/SecretArn");
    let name = Output::Plain(json!(database));
    Ok(Built {
        outputs: BTreeMap::from([
            (
                "host",
                Output::Plain(output(&instance, "/Endpoint/Address")),
            ),
            ("port", Output::Plain(output(&instance, "/Endpoint/Port"))),
            ("name", name),
            ("database", Output::Plain(json!(database))),
            ("username", Output::Plain(json!(MASTER))),
            (
                "password",
                Output::Secret {
                    // AWS docs: "arn:json-key:version-stage:version-id".
                    value_from: json!({ "$concat": [arn, ":password::"] }),
                    arn,
                },
            ),
        ]),
        grants: Vec::new(),
        ways,
    })
}

/// The database's owner. Not a word that RDS reserves.
const MASTER: &str = "landfall";

fn bucket(b: &mut Builder<'_>, key: &str, asked: &Asked<'_>) -> Result<Built, Error> {
    let node = b.add(Draft {
        address: format!("resource.{key}.bucket"),
        type_name: "AWS::S3::Bucket",
        title: format!("Bucket {}", asked.label),
        properties: json!({
            "BucketName": b.names.global(&asked.part, 63),
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": true,
                "BlockPublicPolicy": true,
                "IgnorePublicAcls": true,
                "RestrictPublicBuckets": true,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
            ]},
        }),
        find: Find::Name("/BucketName"),
    })?;
    protect(node);
    let bucket = node.address.clone();
    let arn = output(&bucket, "/Arn");
    let suffix = match b.input.account.partition {
        landfall_model::connection::Partition::AwsCn => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    let region = b.region();
    Ok(Built {
        outputs: BTreeMap::from([
            ("name", Output::Plain(identifier_of(&bucket))),
            ("arn", Output::Plain(arn.clone())),
            ("region", Output::Plain(json!(region))),
            (
                "endpoint",
                Output::Plain(json!(format!("https://s3.{region}.{suffix}"))),
            ),
        ]),
        grants: vec![
            json!({
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": arn,
            }),
            json!({
                "Effect": "Allow",
                "Action": [
                    "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject",
                    "s3:ListMultipartUploadParts", "s3:PutObject",
                ],
                "Resource": {"$concat": [arn, "/*"]},
            }),
        ],
        ways: BTreeMap::new(),
    })
}

fn secret(b: &mut Builder<'_>, key: &str, asked: &Asked<'_>) -> Result<Built, Error> {
    let length = asked.param("length").and_then(|it| it.parse::<u32>().ok());
    let name = b.names.name(&asked.part, 512);
    let node = b.add(Draft {
        address: format!("resource.{key}.secret"),
        type_name: "AWS::SecretsManager::Secret",
        title: format!("Secret {}", asked.label),
        properties: json!({
            "Name": name,
            "GenerateSecretString": {
                "PasswordLength": length.unwrap_or(32),
                "ExcludePunctuation": true,
            },
        }),
        find: Find::Tags {
            scope: None,
            name: Some("/Name"),
        },
    })?;
    protect(node);
    node.monthly_cents = Some(prices::SECRET);
    let secret = address(node.address.as_str());
    let arn = output(&secret, "/Id");
    Ok(Built {
        outputs: BTreeMap::from([
            (
                "value",
                Output::Secret {
                    value_from: arn.clone(),
                    arn: arn.clone(),
                },
            ),
            ("arn", Output::Plain(arn.clone())),
            ("name", Output::Plain(output(&secret, "/Name"))),
        ]),
        grants: vec![json!({
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": arn,
        })],
        ways: BTreeMap::new(),
    })
}
