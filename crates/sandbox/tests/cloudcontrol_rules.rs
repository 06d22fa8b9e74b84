//! What exists must be referred to, and what is used cannot be deleted.

mod cloud;
mod support;

use cloud::{BUCKET, Cloud, DB, GROUP, LOG_GROUP, ROLE, SUBNET, VPC, failure, still, update};
use serde_json::{Value, json};

const BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const TARGETS: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";
const CLUSTER: &str = "AWS::ECS::Cluster";
const TASK: &str = "AWS::ECS::TaskDefinition";
const SERVICE: &str = "AWS::ECS::Service";

#[tokio::test]
async fn subnets_lie_inside_their_network_and_apart() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let vpc = &network["vpc"];
    for (desired, code, message) in [
        (
            json!({"VpcId": vpc, "CidrBlock": "10.1.0.0/24"}),
            "InvalidRequest",
            "The CIDR '10.1.0.0/24' is invalid.",
        ),
        (
            json!({"VpcId": vpc, "CidrBlock": "10.0.0.128/25"}),
            "InvalidRequest",
            "The CIDR '10.0.0.128/25' conflicts with another subnet",
        ),
        (
            json!({"VpcId": vpc, "CidrBlock": "10.0.9.0/24", "AvailabilityZone": "eu-west-1z"}),
            "InvalidRequest",
            "Value (eu-west-1z) for parameter availabilityZone is invalid",
        ),
        (
            json!({"VpcId": "vpc-0", "CidrBlock": "10.0.9.0/24"}),
            "NotFound",
            "The vpc ID 'vpc-0' does not exist",
        ),
    ] {
        let (failed, text) = cloud.fails(SUBNET, desired).await;
        assert_eq!(failed, code, "{text}");
        assert!(text.contains(message), "{text}");
    }
}

#[tokio::test]
async fn networks_are_taken_down_from_the_leaves() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let eip = cloud
        .create("AWS::EC2::EIP", json!({"Domain": "vpc"}))
        .await;
    let allocation = eip.split('|').nth(1).unwrap();
    let nat = cloud
        .create(
            "AWS::EC2::NatGateway",
            json!({"SubnetId": network["a"], "AllocationId": allocation}),
        )
        .await;
    let table = cloud
        .create("AWS::EC2::RouteTable", json!({"VpcId": network["vpc"]}))
        .await;
    let route = json!({
        "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat,
    });
    let route = cloud.create("AWS::EC2::Route", route).await;
    assert_eq!(route, format!("{table}|0.0.0.0/0"));
    let parent = json!({ "RouteTableId": table });
    assert_eq!(cloud.list("AWS::EC2::Route", Some(parent)).await, [route]);
    let association = json!({"RouteTableId": table, "SubnetId": network["b"]});
    cloud
        .create("AWS::EC2::SubnetRouteTableAssociation", association.clone())
        .await;
    let (code, _) = cloud
        .fails("AWS::EC2::SubnetRouteTableAssociation", association)
        .await;
    assert_eq!(code, "AlreadyExists");

    for (type_name, identifier, message) in [
        (VPC, network["vpc"].as_str(), "has dependencies"),
        (SUBNET, &network["a"], "has dependencies"),
        (
            "AWS::EC2::InternetGateway",
            &network["gateway"],
            "has dependencies",
        ),
        (
            "AWS::EC2::VPCGatewayAttachment",
            &network["attachment"],
            "mapped public address",
        ),
        ("AWS::EC2::EIP", &eip, "is in use"),
        ("AWS::EC2::RouteTable", &table, "has dependencies"),
    ] {
        let (code, text) = failure(&cloud.delete_event(type_name, identifier).await);
        assert_eq!(code, "InvalidRequest", "{type_name}: {text}");
        assert!(text.contains(message), "{type_name}: {text}");
    }

    cloud.delete("AWS::EC2::NatGateway", &nat).await;
    cloud.delete("AWS::EC2::EIP", &eip).await;
    // A subnet takes its association along, a table its routes.
    cloud.delete(SUBNET, &network["a"]).await;
    cloud.delete(SUBNET, &network["b"]).await;
    cloud.delete("AWS::EC2::RouteTable", &table).await;
    let attachment = &network["attachment"];
    cloud
        .delete("AWS::EC2::VPCGatewayAttachment", attachment)
        .await;
    cloud
        .delete("AWS::EC2::InternetGateway", &network["gateway"])
        .await;
    cloud.delete(GROUP, &network["group"]).await;
    cloud.delete(VPC, &network["vpc"]).await;
    let left = cloud.inventory().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn security_groups_know_who_uses_them() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let other = json!({"GroupDescription": "h", "GroupName": "h", "VpcId": network["vpc"]});
    let other = cloud.create(GROUP, other).await;
    let rule = json!({
        "GroupId": other, "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
        "SourceSecurityGroupId": network["group"],
    });
    let made = cloud
        .create("AWS::EC2::SecurityGroupIngress", rule.clone())
        .await;
    assert!(made.starts_with("sgr-0"));
    let (code, text) = cloud.fails("AWS::EC2::SecurityGroupIngress", rule).await;
    assert_eq!(code, "AlreadyExists", "{text}");
    let event = cloud.delete_event(GROUP, &network["group"]).await;
    assert!(failure(&event).1.contains("has a dependent object"));
    cloud.delete(GROUP, &other).await;
    assert!(!cloud.exists("AWS::EC2::SecurityGroupIngress", &made).await);
    cloud.delete(GROUP, &network["group"]).await;

    let ports = json!({
        "GroupId": "sg-0", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIp": "0.0.0.0/0",
    });
    let (code, text) = cloud.fails("AWS::EC2::SecurityGroupIngress", ports).await;
    assert_eq!(code, "NotFound", "{text}");
}

#[tokio::test]
async fn a_protected_database_stays() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let db = cloud.database(&network, json!([])).await;
    assert_eq!(db, "landfall-db", "RDS keeps names in lower case");
    let read = cloud.read(DB, &db).await;
    assert_eq!(read["DBInstanceStatus"], "available");
    assert_eq!(read["Endpoint"]["Port"], "5432");
    assert!(
        read["Endpoint"]["Address"]
            .as_str()
            .unwrap()
            .ends_with(".eu-west-1.rds.amazonaws.com")
    );
    let secret = read["MasterUserSecret"]["SecretArn"].as_str().unwrap();
    assert!(secret.contains(":secret:rds!db-"), "{secret}");
    assert_eq!(read["EngineVersion"], "16.8", "a default appears on read");

    for (type_name, identifier, message) in [
        (DB, db.as_str(), "Cannot delete protected DB Instance"),
        (
            "AWS::RDS::DBSubnetGroup",
            "landfall-db",
            "is still using it",
        ),
        (GROUP, &network["group"], "has a dependent object"),
        (SUBNET, &network["a"], "has dependencies"),
    ] {
        let (_, text) = failure(&cloud.delete_event(type_name, identifier).await);
        assert!(text.contains(message), "{type_name}: {text}");
    }
    let (code, _) = cloud
        .refused(
            "UpdateResource",
            update(
                DB,
                &db,
                &json!([{"op": "replace", "path": "/StorageEncrypted", "value": true}]),
            ),
        )
        .await;
    assert_eq!(code, "NotUpdatableException");
    // Conditionally create-only: in place here, not there.
    let zones = json!([{"op": "replace", "path": "/MultiAZ", "value": true}]);
    let event = cloud.update_event(DB, &db, zones).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    let engine = json!([{"op": "replace", "path": "/Engine", "value": "mysql"}]);
    let event = cloud.update_event(DB, &db, engine).await;
    assert_eq!(failure(&event).0, "NotUpdatable");

    let open = json!([{"op": "replace", "path": "/DeletionProtection", "value": false}]);
    let event = cloud.update_event(DB, &db, open).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    cloud.delete(DB, &db).await;
    cloud.delete("AWS::RDS::DBSubnetGroup", "landfall-db").await;
}

#[tokio::test]
async fn databases_and_balancers_want_two_zones() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let network = cloud.network().await;
    let group = json!({
        "DBSubnetGroupName": "one", "DBSubnetGroupDescription": "d", "SubnetIds": [network["a"]],
    });
    let (code, text) = cloud.fails("AWS::RDS::DBSubnetGroup", group).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("cover at least 2 AZs"), "{text}");
    let balancer = json!({"Name": "one", "Subnets": [network["a"]]});
    let (code, text) = cloud.fails(BALANCER, balancer).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("two different Availability Zones"), "{text}");
}

async fn service(cloud: &Cloud<'_>) -> (String, String, String) {
    let network = cloud.network().await;
    let targets = json!({
        "Name": "landfall-web", "Port": 8080, "Protocol": "HTTP", "TargetType": "ip",
        "VpcId": network["vpc"],
    });
    let targets = cloud.create(TARGETS, targets).await;
    let role = json!({
        "RoleName": "landfall-exec",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]},
    });
    cloud.create(ROLE, role).await;
    cloud
        .create(CLUSTER, json!({"ClusterName": "landfall"}))
        .await;
    let task = json!({
        "Family": "landfall-web", "NetworkMode": "awsvpc", "Cpu": "256", "Memory": "512",
        "RequiresCompatibilities": ["FARGATE"],
        "ExecutionRoleArn": format!("arn:aws:iam::{}:role/landfall-exec", cloud.who.keys.account),
        "ContainerDefinitions": [{
            "Name": "web", "Image": "registry.example/web:1",
            "PortMappings": [{"ContainerPort": 8080}],
            "Environment": [{"Name": "GREETING", "Value": "hello"}],
        }],
    });
    let task = cloud.create(TASK, task).await;
    let wanted = json!({
        "ServiceName": "landfall-web", "Cluster": "landfall", "TaskDefinition": task,
        "LaunchType": "FARGATE", "DesiredCount": 1,
        "NetworkConfiguration": {"AwsvpcConfiguration": {
            "Subnets": [network["a"], network["b"]], "SecurityGroups": [network["group"]]}},
        "LoadBalancers": [{
            "ContainerName": "web", "ContainerPort": 8080, "TargetGroupArn": targets}],
    });
    let (code, text) = cloud.fails(SERVICE, wanted.clone()).await;
    assert_eq!(code, "InvalidRequest");
    assert!(
        text.contains("does not have an associated load balancer"),
        "{text}"
    );

    let balancer = json!({
        "Name": "landfall-web", "Subnets": [network["a"], network["b"]],
        "SecurityGroups": [network["group"]],
    });
    let balancer = cloud.create(BALANCER, balancer).await;
    let listener = json!({
        "LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": targets}],
    });
    cloud.create(LISTENER, listener).await;
    let service = cloud.create(SERVICE, wanted).await;
    assert!(
        service.ends_with(":service/landfall/landfall-web|landfall"),
        "{service}"
    );
    (service, balancer, targets)
}

#[tokio::test]
async fn a_service_stands_on_what_it_needs() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let (service, balancer, targets) = service(&cloud).await;

    let read = cloud.read(TARGETS, &targets).await;
    assert_eq!(read["LoadBalancerArns"], json!([balancer]));
    let (code, _) = failure(&cloud.delete_event(TARGETS, &targets).await);
    assert_eq!(code, "ResourceConflict");
    let (_, text) = failure(&cloud.delete_event(CLUSTER, "landfall").await);
    assert!(text.contains("while Services are active"), "{text}");
    cloud.delete(SERVICE, &service).await;
    cloud.delete(CLUSTER, "landfall").await;

    let attributes = cloud.read(BALANCER, &balancer).await["LoadBalancerAttributes"].clone();
    let index = attributes
        .as_array()
        .unwrap()
        .iter()
        .position(|item| item["Key"] == "deletion_protection.enabled")
        .unwrap();
    let protect = json!([{"op": "replace",
        "path": format!("/LoadBalancerAttributes/{index}/Value"), "value": "true"}]);
    cloud.update_event(BALANCER, &balancer, protect).await;
    let (_, text) = failure(&cloud.delete_event(BALANCER, &balancer).await);
    assert!(text.contains("deletion protection is enabled"), "{text}");
}

#[tokio::test]
async fn a_service_answers_at_its_load_balancer() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let (service, balancer, _) = service(&cloud).await;
    let dns = cloud.read(BALANCER, &balancer).await["DNSName"].clone();
    let dns = dns.as_str().unwrap();
    assert!(dns.ends_with(".eu-west-1.elb.amazonaws.com"), "{dns}");
    let url = sandbox.url(&format!("/services/{dns}/"));
    let answer = sandbox.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    for expected in [
        "registry.example/web:1",
        "landfall-web:1",
        "GREETING",
        "eu-west-1",
        "simulated",
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }

    cloud.delete(SERVICE, &service).await;
    let answer = sandbox.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let unknown = sandbox.url("/services/nobody-1.eu-west-1.elb.amazonaws.com/");
    assert_eq!(
        sandbox.http.get(&unknown).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn task_definitions_are_numbered_for_ever() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let task = json!({
        "Family": "f", "ContainerDefinitions": [{"Name": "c", "Image": "i", "Memory": 64}],
    });
    let first = cloud.create(TASK, task.clone()).await;
    assert!(first.ends_with("task-definition/f:1"));
    cloud.delete(TASK, &first).await;
    assert!(
        cloud
            .create(TASK, task)
            .await
            .ends_with("task-definition/f:2")
    );
    for (change, message) in [
        (json!({"Memory": "513"}), "No Fargate configuration exists"),
        (
            json!({"NetworkMode": "bridge"}),
            "Network mode 'awsvpc' is required",
        ),
        (
            json!({"TaskRoleArn": "arn:aws:iam::1:role/absent"}),
            "Role is not valid",
        ),
    ] {
        let mut task = json!({
            "Family": "f", "NetworkMode": "awsvpc", "Cpu": "256", "Memory": "512",
            "RequiresCompatibilities": ["FARGATE"],
            "ContainerDefinitions": [{"Name": "c", "Image": "i"}],
        });
        task.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (code, text) = cloud.fails(TASK, task).await;
        assert_eq!(code, "InvalidRequest");
        assert!(text.contains(message), "{text}");
    }
}

#[tokio::test]
async fn what_holds_things_is_not_deleted() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let bucket = cloud
        .create(BUCKET, json!({"BucketName": "landfall-data"}))
        .await;
    let read = cloud.read(BUCKET, &bucket).await;
    assert_eq!(
        read["PublicAccessBlockConfiguration"]["BlockPublicAcls"],
        true
    );
    let holds = |put: Value, remove: Value| {
        json!({
            "account": cloud.who.keys.account, "region": "eu-west-1", "type": BUCKET,
            "identifier": "landfall-data", "put": put, "remove": remove,
        })
    };
    sandbox
        .admin(
            "/_sandbox/resources/contents",
            holds(json!(["a.txt"]), json!([])),
        )
        .await;
    let (code, text) = failure(&cloud.delete_event(BUCKET, &bucket).await);
    assert_eq!(code, "GeneralServiceException");
    assert!(text.contains("not empty"), "{text}");
    sandbox
        .admin(
            "/_sandbox/resources/contents",
            holds(json!([]), json!(["a.txt"])),
        )
        .await;
    cloud.delete(BUCKET, &bucket).await;
}

#[tokio::test]
async fn a_deleted_secret_holds_its_name() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let secret = "AWS::SecretsManager::Secret";
    let wanted = json!({"Name": "landfall/token", "SecretString": "canary-4711"});
    let made = cloud.create(secret, wanted.clone()).await;
    let read = cloud.read(secret, &made).await;
    assert!(read.get("SecretString").is_none());
    let inventory = sandbox.see("/_sandbox/inventory").await.to_string();
    assert!(inventory.contains("landfall/token") && !inventory.contains("canary-4711"));
    let (code, _) = cloud.fails(secret, wanted.clone()).await;
    assert_eq!(code, "AlreadyExists");
    cloud.delete(secret, &made).await;
    let (code, text) = cloud.fails(secret, wanted.clone()).await;
    assert_eq!(code, "InvalidRequest");
    assert!(text.contains("scheduled for deletion"), "{text}");
    sandbox
        .advance(std::time::Duration::from_secs(31 * 86_400))
        .await;
    cloud.create(secret, wanted).await;
}

#[tokio::test]
async fn roles_made_here_are_roles_there() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]});
    let wanted = json!({
        "RoleName": "landfall-task", "Path": "/landfall/", "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "p", "PolicyDocument": support::allow(&["s3:GetObject"])}],
        "Tags": [{"Key": "landfall:managed", "Value": "true"}],
    });
    let role = cloud.create(ROLE, wanted.clone()).await;
    assert_eq!(role, "landfall-task");
    let seen = sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", "landfall-task")])
        .await
        .expect_ok();
    assert!(seen.text("Arn").ends_with(":role/landfall/landfall-task"));
    let (code, _) = cloud.fails(ROLE, wanted).await;
    assert_eq!(code, "AlreadyExists");
    let policy = json!({
        "RoleName": "landfall-task", "PolicyName": "q",
        "PolicyDocument": support::allow(&["sqs:SendMessage"]),
    });
    let inline = cloud.create("AWS::IAM::RolePolicy", policy).await;
    assert_eq!(inline, "q|landfall-task");
    let longer = json!([{"op": "add", "path": "/MaxSessionDuration", "value": 7200}]);
    let event = cloud.update_event(ROLE, &role, longer).await;
    assert_eq!(event["OperationStatus"], "SUCCESS", "{event}");
    assert_eq!(cloud.read(ROLE, &role).await["MaxSessionDuration"], 7200);
    let huge = json!([{"op": "replace", "path": "/Policies/0/PolicyDocument",
        "value": support::allow(&["s3:*"; 2_000])}]);
    let event = cloud.update_event(ROLE, &role, huge).await;
    assert_eq!(failure(&event).0, "ServiceLimitExceeded");
    cloud.delete(ROLE, &role).await;
    let gone = sandbox
        .iam(&cloud.who, "GetRole", &[("RoleName", "landfall-task")])
        .await;
    assert_eq!(gone.code(), "NoSuchEntity");
}

#[tokio::test]
async fn every_type_of_the_table_can_be_made_or_says_why_not() {
    let sandbox = still().await;
    let cloud = Cloud::of_customer(&sandbox);
    for (type_name, desired) in [
        ("AWS::SNS::Topic", json!({"TopicName": "t"})),
        ("AWS::SQS::Queue", json!({"QueueName": "q"})),
        (
            "AWS::ECR::Repository",
            json!({"RepositoryName": "landfall/web"}),
        ),
        ("AWS::KMS::Key", json!({"Description": "k"})),
        ("AWS::Scheduler::ScheduleGroup", json!({"Name": "g"})),
        (
            "AWS::CloudWatch::Alarm",
            json!({
            "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
            "MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum", "Threshold": 1}),
        ),
        ("AWS::Route53::HostedZone", json!({"Name": "example.org"})),
        (
            "AWS::EKS::Cluster",
            json!({
            "Name": "k", "RoleArn": "arn:aws:iam::1:role/r",
            "ResourcesVpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]}}),
        ),
        (
            "AWS::CertificateManager::Certificate",
            json!({"DomainName": "example.org"}),
        ),
        (
            "AWS::IAM::OIDCProvider",
            json!({
            "Url": "https://landfall.example.org/issuer", "ClientIdList": ["sts.amazonaws.com"]}),
        ),
    ] {
        let identifier = cloud.create(type_name, desired).await;
        let read = cloud.read(type_name, &identifier).await;
        assert!(read.is_object(), "{type_name}");
        assert_eq!(
            cloud.list(type_name, None).await,
            [identifier.clone()],
            "{type_name}"
        );
        cloud.delete(type_name, &identifier).await;
        assert!(!cloud.exists(type_name, &identifier).await, "{type_name}");
    }
    assert_eq!(cloud.list(LOG_GROUP, None).await, Vec::<String>::new());
}
