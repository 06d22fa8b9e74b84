//! Environments and a pretended cloud, for tests and examples.
#![allow(dead_code, reason = "every test uses another part")]

pub mod cloud;

use landfall_model::{
    Entropy, Timestamp,
    connection::Partition,
    environment::{ApprovalPolicy, Environment, Kind, Runtime, Settings, State},
    id::{ApplicationId, ConnectionId, EnvironmentId, OrganizationId},
};
use landfall_plan::{
    blueprint::{self, Account, Expansion, Input},
    score::{self, Workload},
};
use std::path::Path;

pub const REGION: &str = "eu-central-1";
pub const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

/// The same bytes every time.
pub struct Fixed(pub u8);

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = self
                .0
                .wrapping_add(u8::try_from(index * 37 % 256).unwrap_or(0));
        }
    }
}

pub fn environment(name: &str, kind: Kind) -> Environment {
    let entropy = Fixed(7);
    Environment {
        id: EnvironmentId::at(NOW, &entropy),
        organization_id: OrganizationId::at(NOW, &entropy),
        application_id: ApplicationId::at(NOW, &entropy),
        connection_id: ConnectionId::at(NOW, &entropy),
        name: name.to_owned(),
        kind,
        region: REGION.to_owned(),
        runtime: Runtime::Serverless,
        approval: ApprovalPolicy::Automatic,
        settings: Settings::default(),
        state: State::Active,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub fn account() -> Account {
    Account {
        id: "123456789012".to_owned(),
        partition: Partition::Aws,
        permissions_boundary: "arn:aws:iam::123456789012:policy/landfall-boundary-1a2b3c4d"
            .to_owned(),
    }
}

pub fn example(name: &str) -> Workload {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/shop")
        .join(name);
    score::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn expand(environment: &Environment, workloads: &[Workload]) -> Expansion {
    try_expand(environment, workloads).unwrap()
}

pub fn try_expand(
    environment: &Environment,
    workloads: &[Workload],
) -> Result<Expansion, landfall_model::Error> {
    blueprint::expand(&Input {
        application: "shop",
        environment,
        account: &account(),
        workloads,
    })
}

/// A workload with everything that the blueprint takes.
pub fn everything() -> Workload {
    let text = r#"
apiVersion: score.dev/v1b1
metadata: {name: everything-with-a-very-long-name-that-no-load-balancer-takes}
containers:
  main:
    image: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app:1
    command: ["/app"]
    args: ["serve"]
    variables:
      DATABASE: postgres://${resources.db.username}@${resources.db.host}:${resources.db.port}/${resources.db.database}
      PASSWORD: ${resources.db.password}
      TOKEN: ${resources.token.value}
      TOKEN_ARN: ${resources.token.arn}
      TOKEN_NAME: ${resources.token.name}
      BUCKET: ${resources.files.name} ${resources.files.arn} ${resources.files.region} ${resources.files.endpoint}
    before:
      init: {ready: complete}
      side: {ready: healthy}
    resources:
      limits: {cpu: "1", memory: 1Gi}
      requests: {cpu: 500m, memory: 512Mi}
    readinessProbe: {httpGet: {path: /ready, port: 9000, scheme: HTTPS}}
  init: {image: busybox}
  side:
    image: busybox
    livenessProbe: {exec: {command: ["true"]}}
service:
  ports:
    http: {port: 8443, targetPort: 8080}
    metrics: {port: 9090}
resources:
  db: {type: postgres, params: {version: "16"}}
  token: {type: secret, params: {length: 64}}
  files: {type: s3, id: shared-files}
"#;
    score::parse(text).unwrap()
}

/// What cfn-lint judges.
pub fn scenarios() -> Vec<(&'static str, Expansion)> {
    let shop = [example("web.score.yaml"), example("worker.score.yaml")];
    let mut three = environment("a-rather-long-name", Kind::Production);
    three.settings.zones = ["a", "b", "c"]
        .iter()
        .map(|z| format!("{REGION}{z}"))
        .collect();
    three.settings.database_class = Some("db.m7g.large".to_owned());
    three.settings.backup_retention = Some(35);
    vec![
        (
            "shop/production",
            expand(&environment("production", Kind::Production), &shop),
        ),
        (
            "shop/development",
            expand(&environment("development", Kind::Development), &shop[..1]),
        ),
        (
            "everything",
            expand(&three, &[everything(), example("web.score.yaml")]),
        ),
    ]
}
