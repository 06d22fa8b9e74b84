//! What the serverless blueprint makes of workloads and settings.

mod common;

use common::{account, environment, everything, example, expand, scenarios, try_expand};
use landfall_model::{
    environment::{Environment, Kind},
    error::Code,
    graph::{Address, Graph, Lookup, Node, Replacement, references, tags},
};
use landfall_plan::{
    aws,
    blueprint::Expansion,
    policy::{
        self,
        aws::{Operation, refused_change},
    },
    score,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn demo() -> Expansion {
    expand(
        &environment("production", Kind::Production),
        &[example("web.score.yaml")],
    )
}

fn node<'a>(graph: &'a Graph, address: &str) -> &'a Node {
    graph
        .nodes
        .get(&Address::new(address))
        .unwrap_or_else(|| panic!("no {address}"))
}

fn wrong(environment: &Environment, text: &str) -> landfall_model::Error {
    try_expand(environment, &[score::parse(text).unwrap()]).unwrap_err()
}

fn web(rest: &str) -> String {
    format!("apiVersion: score.dev/v1b1\nmetadata: {{name: web}}\n{rest}")
}

/// Address, type, stateful, cost and needs of every node.
fn outline(graph: &Graph) -> String {
    let mut out = String::new();
    for node in graph.nodes.values() {
        let needs: Vec<String> = node
            .dependencies()
            .iter()
            .map(ToString::to_string)
            .collect();
        let cost = node
            .monthly_cents
            .map(|it| format!(" {it}c"))
            .unwrap_or_default();
        let state = if node.stateful { " stateful" } else { "" };
        out.push_str(&format!(
            "{} {}{state}{cost}\n    {}\n    needs {}\n",
            node.address,
            node.type_name,
            node.title,
            needs.join(" ")
        ));
    }
    out
}

#[test]
fn the_demo_workload_becomes_a_whole_environment() {
    let expansion = demo();
    assert!(
        expansion.graph.nodes.len() >= 35,
        "{}",
        expansion.graph.nodes.len()
    );
    insta::assert_snapshot!(outline(&expansion.graph));
    insta::with_settings!({sort_maps => true}, {
        insta::assert_json_snapshot!(expansion.endpoints);
    });
}

#[test]
fn desired_states_of_the_demo() {
    let expansion = expand(
        &environment("dev", Kind::Development),
        &[example("web.score.yaml"), example("worker.score.yaml")],
    );
    let properties: BTreeMap<String, &Value> = expansion
        .graph
        .nodes
        .values()
        .map(|node| (node.address.to_string(), &node.properties))
        .collect();
    insta::with_settings!({sort_maps => true}, {
        insta::assert_json_snapshot!(properties);
    });
}

#[test]
fn every_reference_names_a_node_and_something_it_returns() {
    fn attributes(value: &Value, found: &mut Vec<(Address, String)>) {
        match value {
            Value::Object(members) => match (members.get("$ref"), members.get("attr")) {
                (Some(address), Some(attr)) => found.push((
                    Address::new(address.as_str().unwrap()),
                    attr.as_str().unwrap().to_owned(),
                )),
                _ => members.values().for_each(|item| attributes(item, found)),
            },
            Value::Array(items) => items.iter().for_each(|item| attributes(item, found)),
            _ => {}
        }
    }
    for (name, expansion) in scenarios() {
        let mut found = Vec::new();
        for node in expansion.graph.nodes.values() {
            attributes(&node.properties, &mut found);
            attributes(&serde_json::to_value(&node.lookup).unwrap(), &mut found);
        }
        attributes(&json!(expansion.endpoints), &mut found);
        assert!(found.len() > 50);
        for (address, attr) in found {
            let other = expansion.graph.nodes.get(&address);
            let other = other.unwrap_or_else(|| panic!("{name}: there is no {address}"));
            let facts = aws::facts(&other.type_name).unwrap();
            assert!(
                attr == "$id"
                    || facts.outputs.contains(&attr)
                    || other.properties.pointer(&attr).is_some(),
                "{name}: {} does not return {attr}",
                other.type_name
            );
        }
    }
}

#[test]
fn names_fit_and_are_unique_and_end_in_the_environments_mark() {
    let limits = BTreeMap::from([
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", ("/Name", 32)),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", ("/Name", 32)),
        ("AWS::RDS::DBInstance", ("/DBInstanceIdentifier", 63)),
        ("AWS::S3::Bucket", ("/BucketName", 63)),
        ("AWS::IAM::Role", ("/RoleName", 64)),
        ("AWS::ECS::Cluster", ("/ClusterName", 255)),
        ("AWS::ECS::Service", ("/ServiceName", 255)),
        ("AWS::ECR::Repository", ("/RepositoryName", 256)),
        ("AWS::Logs::LogGroup", ("/LogGroupName", 512)),
        ("AWS::SecretsManager::Secret", ("/Name", 512)),
        ("AWS::RDS::DBSubnetGroup", ("/DBSubnetGroupName", 255)),
        ("AWS::EC2::SecurityGroup", ("/GroupName", 255)),
    ]);
    let mut checked = 0;
    for (scenario, expansion) in scenarios() {
        let mut taken = BTreeSet::new();
        for node in expansion.graph.nodes.values() {
            let Some((pointer, limit)) = limits.get(node.type_name.as_str()) else {
                continue;
            };
            let name = node.properties.pointer(pointer).unwrap().as_str().unwrap();
            assert!(name.starts_with("landfall-"), "{name}");
            // Room for the suffix of a second generation.
            assert!(name.len() + 3 <= *limit, "{scenario}: {name}");
            assert!(!name.contains("--") && !name.ends_with('-'), "{name}");
            assert!(
                taken.insert((node.type_name.clone(), name.to_owned())),
                "{name} twice"
            );
            checked += 1;
        }
    }
    assert!(checked > 30);
    let id = environment("production", Kind::Production).id;
    let demo = demo();
    let name = &node(&demo.graph, "cluster").properties["ClusterName"];
    assert_eq!(
        name,
        &json!(format!("landfall-shop-production-{}", &id.as_str()[28..]))
    );
}

#[test]
fn taggable_resources_carry_the_tags_and_data_is_protected() {
    for (_, expansion) in scenarios() {
        for node in expansion.graph.nodes.values() {
            let facts = aws::facts(&node.type_name).unwrap();
            let tags = tags(&node.properties);
            if facts.tags.is_none() {
                assert!(tags.is_empty(), "{}", node.address);
                assert!(
                    !matches!(node.lookup, Lookup::Tags { .. }),
                    "{}",
                    node.address
                );
                continue;
            }
            assert_eq!(tags["landfall:managed"], "true");
            assert_eq!(tags["landfall:address"], node.address.as_str());
            assert_eq!(tags["landfall:application"], "shop");
            assert!(tags["landfall:environment"].starts_with("env_"));
            assert!(tags["landfall:connection"].starts_with("con_"));
            let stateful = [
                "AWS::RDS::DBInstance",
                "AWS::S3::Bucket",
                "AWS::SecretsManager::Secret",
            ];
            assert_eq!(node.stateful, stateful.contains(&node.type_name.as_str()));
            assert_eq!(tags.contains_key("landfall:protected"), node.stateful);
            assert_eq!(
                tags.contains_key("Name"),
                node.type_name.starts_with("AWS::EC2::")
            );
        }
    }
}

#[test]
fn every_role_is_bounded_and_no_statement_is_open_where_it_need_not_be() {
    for (_, expansion) in scenarios() {
        let mut roles = 0;
        for node in expansion.graph.nodes.values() {
            match node.type_name.as_str() {
                "AWS::IAM::Role" => {
                    roles += 1;
                    assert_eq!(
                        node.properties["PermissionsBoundary"],
                        json!(account().permissions_boundary)
                    );
                }
                "AWS::IAM::RolePolicy" => {
                    for statement in node.properties["PolicyDocument"]["Statement"]
                        .as_array()
                        .unwrap()
                    {
                        let open = statement["Resource"] == json!("*");
                        // Neither knows a resource.
                        let action = statement["Action"].as_str().unwrap_or_default();
                        let may = ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"];
                        assert_eq!(open, may.contains(&action), "{statement}");
                    }
                }
                _ => {}
            }
        }
        assert!(roles >= 2);
    }
}

#[test]
fn the_grant_lets_everything_be_created() {
    let supported: BTreeSet<&str> = policy::aws::supported_types().collect();
    for (_, expansion) in scenarios() {
        for node in expansion.graph.nodes.values() {
            assert!(
                supported.contains(node.type_name.as_str()),
                "{}",
                node.type_name
            );
            let properties = node
                .properties
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str);
            let refused = refused_change(&node.type_name, Operation::Create, properties);
            assert_eq!(refused, None, "{}", node.address);
        }
    }
}

#[test]
fn a_task_waits_for_what_it_needs_at_its_start() {
    let expansion = demo();
    let mut before = BTreeSet::new();
    let mut next = vec![Address::new("workload.web.service")];
    while let Some(address) = next.pop() {
        for need in expansion.graph.nodes[&address].dependencies() {
            if before.insert(need.clone()) {
                next.push(need);
            }
        }
    }
    for address in [
        "workload.web.listener",
        "workload.web.ingress-8080",
        "resource.web.db.ingress-web",
        "network.compute-a-route",
        "network.compute-b-association",
        "workload.web.task-policy",
        "workload.web.execution-policy",
        "resource.web.db.instance",
        "network.gateway-attachment",
    ] {
        assert!(before.contains(&Address::new(address)), "{address}");
    }
    let task = node(&expansion.graph, "workload.web.task");
    assert_eq!(task.replacement, Replacement::Revision);
}

#[test]
fn secrets_are_handed_over_by_reference_only() {
    let expansion = demo();
    let container =
        &node(&expansion.graph, "workload.web.task").properties["ContainerDefinitions"][0];
    let names = |list: &Value| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items
            .map(|it| it["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&container["Secrets"]), ["PGPASSWORD", "SESSION_KEY"]);
    assert!(names(&container["Environment"]).contains(&"PGHOST".to_owned()));
    let mut referred = BTreeSet::new();
    references(&container["Secrets"], &mut referred);
    assert_eq!(referred.len(), 2);
}

#[test]
fn production_is_spread_and_kept_and_development_is_small() {
    let instance = |kind| {
        let expansion = expand(&environment("x", kind), &[example("web.score.yaml")]);
        let nats = expansion
            .graph
            .nodes
            .values()
            .filter(|it| it.type_name == "AWS::EC2::NatGateway");
        let nats = nats.count();
        let properties = node(&expansion.graph, "resource.web.db.instance")
            .properties
            .clone();
        (nats, properties)
    };
    let (nats, production) = instance(Kind::Production);
    assert_eq!((nats, &production["MultiAZ"]), (2, &json!(true)));
    assert_eq!(production["BackupRetentionPeriod"], 7);
    let (nats, development) = instance(Kind::Development);
    assert_eq!((nats, &development["MultiAZ"]), (1, &json!(false)));
    assert_eq!(development["DBInstanceClass"], "db.t4g.micro");
    for properties in [production, development] {
        assert_eq!(properties["DeletionProtection"], true);
        assert_eq!(properties["StorageEncrypted"], true);
        assert_eq!(properties["ManageMasterUserPassword"], true);
        assert_eq!(properties["PubliclyAccessible"], false);
    }
}

#[test]
fn settings_change_sizes_and_images() {
    let mut environment = environment("x", Kind::Development);
    environment.settings.replicas = Some(3);
    environment.settings.cpu = Some(1024);
    environment.settings.memory = Some(4096);
    environment.settings.database_storage = Some(100);
    environment
        .settings
        .images
        .insert("web.main".into(), "ghcr.io/example/shop:2.0".into());
    let graph = expand(&environment, &[example("web.score.yaml")]).graph;
    let task = &node(&graph, "workload.web.task").properties;
    assert_eq!(
        (&task["Cpu"], &task["Memory"]),
        (&json!("1024"), &json!("4096"))
    );
    assert_eq!(
        task["ContainerDefinitions"][0]["Image"],
        "ghcr.io/example/shop:2.0"
    );
    assert_eq!(
        node(&graph, "workload.web.service").properties["DesiredCount"],
        3
    );
    let database = &node(&graph, "resource.web.db.instance").properties;
    assert_eq!(database["AllocatedStorage"], "100");
}

#[test]
fn settings_that_the_cloud_would_refuse_are_named() {
    let report = |change: fn(&mut Environment)| {
        let mut environment = environment("x", Kind::Development);
        change(&mut environment);
        let error = try_expand(&environment, &[example("web.score.yaml")]).unwrap_err();
        assert_eq!(error.code, Code::EnvironmentSettings);
        let fields: Vec<String> = error
            .violations
            .iter()
            .map(|it| format!("{}: {}", it.field, it.message))
            .collect();
        fields.join("\n")
    };
    let reports = [
        report(|it| it.settings.cpu = Some(300)),
        report(|it| {
            it.settings.cpu = Some(256);
            it.settings.memory = Some(4096);
        }),
        report(|it| it.settings.memory = Some(700)),
        report(|it| {
            it.settings.backup_retention = Some(0);
            it.settings.replicas = Some(1000);
            it.settings.database_storage = Some(5);
            it.settings.database_class = Some("t4g.micro".into());
        }),
        report(|it| it.settings.zones = vec!["eu-central-1a".into()]),
        report(|it| it.settings.zones = vec!["eu-central-1a".into(), "us-east-1b".into()]),
        report(|it| {
            it.settings.images.insert("web.mian".into(), "x".into());
        }),
    ];
    insta::assert_snapshot!(reports.join("\n\n"));
}

#[test]
fn what_is_not_provisioned_is_named_with_its_place() {
    let text = web(r#"containers:
  main:
    image: .
    files:
      /etc/x: {content: y}
    volumes:
      /data: {source: d}
    before:
      other: {ready: started}
    readinessProbe: {exec: {command: [x]}}
  side:
    image: x
    livenessProbe: {httpGet: {path: /, port: 1}}
    resources: {requests: {cpu: "2"}, limits: {cpu: "1"}}
service:
  ports:
    dns: {port: 53, protocol: UDP}
resources:
  queue: {type: topic}
  db: {type: postgres, class: large, params: {version: 9, versoin: "16"}}
"#);
    let error = wrong(&environment("x", Kind::Development), &text);
    assert_eq!(error.code, Code::ScoreUnsupported);
    let lines: Vec<String> = error
        .violations
        .iter()
        .map(|it| {
            let place = it.position.as_ref().unwrap();
            format!(
                "{}:{} {}: {}",
                place.line, place.column, it.field, it.message
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn outputs_that_do_not_exist_and_secrets_inside_text_are_refused() {
    let text = web(r#"containers:
  main:
    image: x
    variables:
      A: ${resources.db.hots}
      B: postgres://landfall:${resources.db.password}@${resources.db.host}
resources:
  db: {type: postgres}
"#);
    let error = wrong(&environment("x", Kind::Development), &text);
    assert_eq!(error.code, Code::ScorePlaceholder);
    let messages: Vec<&str> = error
        .violations
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_image_that_nobody_named_is_asked_for() {
    let text = web("containers: {main: {image: .}}\n");
    let error = wrong(&environment("x", Kind::Development), &text);
    assert_eq!(error.code, Code::EnvironmentSettings);
    assert!(
        error.next_step.contains("images.web.main"),
        "{}",
        error.next_step
    );
}

#[test]
fn containers_that_wait_for_each_other_are_refused() {
    let text = web(
        "containers:\n  aa: {image: x, before: {bb: {ready: started}}}\n  bb: {image: x, before: {aa: {ready: started}}}\n",
    );
    let error = wrong(&environment("x", Kind::Development), &text);
    assert!(error.detail.contains("wait for each other"), "{error}");
}

#[test]
fn two_workloads_share_a_resource_by_id_and_the_load_balancer_by_port() {
    let api = web("containers: {main: {image: x}}\nservice: {ports: {http: {port: 80}}}\n")
        .replace("name: web", "name: api");
    let environment = environment("x", Kind::Development);
    let both = [example("web.score.yaml"), score::parse(&api).unwrap()];
    let error = try_expand(&environment, &both).unwrap_err();
    assert_eq!(error.code, Code::ScoreUnsupported);

    let other = score::parse(&api.replace("port: 80", "port: 8081")).unwrap();
    let expansion = expand(&environment, &[example("web.score.yaml"), other]);
    let balancers = expansion
        .graph
        .nodes
        .values()
        .filter(|it| it.type_name.ends_with("::LoadBalancer"));
    assert_eq!(balancers.count(), 1);
    assert_eq!(expansion.endpoints["api"]["$concat"][2], ":8081");

    let again = [example("web.score.yaml"), example("web.score.yaml")];
    assert_eq!(
        try_expand(&environment, &again).unwrap_err().code,
        Code::ScoreInvalid
    );
    assert_eq!(
        try_expand(&environment, &[]).unwrap_err().code,
        Code::ApplicationState
    );
}

#[test]
fn two_environments_share_no_name() {
    let names = |environment: &Environment| -> BTreeSet<String> {
        let graph = expand(environment, &[everything()]).graph;
        let names = graph.nodes.values().filter_map(|node| {
            let pointer = match &node.lookup {
                Lookup::Name { name_pointer, .. } | Lookup::Tags { name_pointer, .. } => {
                    name_pointer.as_ref()?
                }
                Lookup::Properties { .. } => return None,
            };
            Some(node.properties.pointer(pointer)?.as_str()?.to_owned())
        });
        names.collect()
    };
    let first = environment("production", Kind::Production);
    let mut second = first.clone();
    second.id = landfall_model::id::EnvironmentId::at(common::NOW, &common::Fixed(200));
    assert!(names(&first).is_disjoint(&names(&second)));
}
