//! Load-balanced services, and the page they answer with.

mod cloud;
mod support;

use cloud::{Cloud, ROLE, failure, still};
use serde_json::json;

const BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const TARGETS: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";
const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";
const CLUSTER: &str = "AWS::ECS::Cluster";
const TASK: &str = "AWS::ECS::TaskDefinition";
const SERVICE: &str = "AWS::ECS::Service";

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
