#!/usr/bin/env python3
"""Unmodified boto3 and the AWS CLI tour the resources half of the sandbox.

usage: tour_resources.py READY.json   (what `landfall sandbox` printed)

Needs a fast sandbox (--speed 2000 or so). Exits 0 when every step answered as
AWS would, prints the first that did not.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

READY = json.load(open(sys.argv[1]))["aws"]
ENDPOINT = READY["endpoint_url"]
REGION = "eu-west-1"
OPERATOR = next(a for a in READY["accounts"] if a["role"] == "operator")
CUSTOMER = next(a for a in READY["accounts"] if a["role"] == "customer")
SOON = {"Delay": 1, "MaxAttempts": 60}


def client(service, keys=CUSTOMER, region=REGION):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        aws_session_token=keys.get("session_token"),
        config=Config(retries={"total_max_attempts": 1}),
    )


CLOUD = client("cloudcontrol")


def refused(code, call, *words, **params):
    """The call must fail with this code and these words in its message."""
    try:
        call(**params)
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] == code, f"{got} instead of {code}"
        for word in words:
            assert word in got["Message"], f"{word!r} not in {got['Message']!r}"
        return
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def finish(event, cloud=CLOUD):
    token = event["ProgressEvent"]["RequestToken"]
    for _ in range(600):
        event = cloud.get_resource_request_status(RequestToken=token)["ProgressEvent"]
        if event["OperationStatus"] not in ("PENDING", "IN_PROGRESS", "CANCEL_IN_PROGRESS"):
            return event
        time.sleep(0.02)
    raise AssertionError(f"{event} never ended")


def create(kind, cloud=CLOUD, **desired):
    event = cloud.create_resource(TypeName=kind, DesiredState=json.dumps(desired))
    event = finish(event, cloud)
    assert event["OperationStatus"] == "SUCCESS", event
    return event["Identifier"]


def fails(code, word, kind, cloud=CLOUD, **desired):
    event = cloud.create_resource(TypeName=kind, DesiredState=json.dumps(desired))
    event = finish(event, cloud)
    assert event["OperationStatus"] == "FAILED", event
    assert event["ErrorCode"] == code, event
    assert word in event["StatusMessage"], event


def undeletable(code, word, kind, identifier, cloud=CLOUD):
    event = finish(cloud.delete_resource(TypeName=kind, Identifier=identifier), cloud)
    assert event["OperationStatus"] == "FAILED", event
    assert event["ErrorCode"] == code, event
    assert word in event["StatusMessage"], event


def delete(kind, identifier):
    event = finish(CLOUD.delete_resource(TypeName=kind, Identifier=identifier))
    assert event["OperationStatus"] == "SUCCESS", event


def read(kind, identifier, cloud=CLOUD):
    answer = cloud.get_resource(TypeName=kind, Identifier=identifier)
    return json.loads(answer["ResourceDescription"]["Properties"])


def aws(*arguments, keys=CUSTOMER, fine=True):
    """The AWS CLI with only the endpoint changed."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "aws"), *arguments, "--output", "json"],
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": home,
                "AWS_ENDPOINT_URL": ENDPOINT,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": keys["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
                "AWS_SESSION_TOKEN": keys.get("session_token", ""),
            },
            capture_output=True,
            text=True,
        )
    assert (done.returncode == 0) == fine, f"{arguments}: {done.stdout}{done.stderr}"
    if not fine:
        return done.stderr
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout


def assume(name, *statements):
    """A session of the operator's in a role of the customer's."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OPERATOR['id']}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": name}},
            }
        ],
    }
    create("AWS::IAM::Role", RoleName=name, AssumeRolePolicyDocument=trust)
    create(
        "AWS::IAM::RolePolicy",
        RoleName=name,
        PolicyName="main",
        PolicyDocument={"Version": "2012-10-17", "Statement": list(statements)},
    )
    issued = client("sts", OPERATOR).assume_role(
        RoleArn=f"arn:aws:iam::{CUSTOMER['id']}:role/{name}",
        RoleSessionName="tour",
        ExternalId=name,
    )["Credentials"]
    return {
        "access_key_id": issued["AccessKeyId"],
        "secret_access_key": issued["SecretAccessKey"],
        "session_token": issued["SessionToken"],
    }


def network():
    vpc = create(
        "AWS::EC2::VPC",
        CidrBlock="10.20.0.0/16",
        EnableDnsHostnames=True,
        Tags=[{"Key": "landfall:environment", "Value": "tour"}],
    )
    assert vpc.startswith("vpc-0") and len(vpc) == 21, vpc
    subnets = [
        create(
            "AWS::EC2::Subnet",
            VpcId=vpc,
            CidrBlock=f"10.20.{number}.0/24",
            AvailabilityZone=f"{REGION}{zone}",
        )
        for number, zone in enumerate("ab")
    ]
    fails("InvalidRequest", "conflicts", "AWS::EC2::Subnet", VpcId=vpc, CidrBlock="10.20.0.0/25")
    gateway = create("AWS::EC2::InternetGateway")
    attachment = create("AWS::EC2::VPCGatewayAttachment", VpcId=vpc, InternetGatewayId=gateway)
    assert attachment == f"IGW|{vpc}"
    address = create("AWS::EC2::EIP", Domain="vpc")
    nat = create(
        "AWS::EC2::NatGateway", SubnetId=subnets[0], AllocationId=address.split("|")[1]
    )
    table = create("AWS::EC2::RouteTable", VpcId=vpc)
    route = create(
        "AWS::EC2::Route",
        RouteTableId=table,
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=nat,
    )
    assert route == f"{table}|0.0.0.0/0"
    group = create("AWS::EC2::SecurityGroup", GroupDescription="db", VpcId=vpc)
    create(
        "AWS::EC2::SecurityGroupIngress",
        GroupId=group,
        IpProtocol="tcp",
        FromPort=5432,
        ToPort=5432,
        CidrIp="10.20.0.0/16",
    )
    undeletable("InvalidRequest", "dependencies", "AWS::EC2::VPC", vpc)
    undeletable("InvalidRequest", "dependencies", "AWS::EC2::Subnet", subnets[0])
    return vpc, subnets, group


def database(subnets, group):
    create(
        "AWS::RDS::DBSubnetGroup",
        DBSubnetGroupName="tour",
        DBSubnetGroupDescription="tour",
        SubnetIds=subnets,
    )
    event = CLOUD.create_resource(
        TypeName="AWS::RDS::DBInstance",
        ClientToken="tour-db-1",
        DesiredState=json.dumps(
            {
                "DBInstanceIdentifier": "tour-db",
                "Engine": "postgres",
                "DBInstanceClass": "db.t4g.micro",
                "AllocatedStorage": "20",
                "MasterUsername": "app",
                "ManageMasterUserPassword": True,
                "DBSubnetGroupName": "tour",
                "VPCSecurityGroups": [group],
                "DeletionProtection": True,
                "Tags": [{"Key": "landfall:protected", "Value": "true"}],
            }
        ),
    )["ProgressEvent"]
    assert event["Identifier"] == "tour-db"
    # boto3's own waiter.
    CLOUD.get_waiter("resource_request_success").wait(
        RequestToken=event["RequestToken"], WaiterConfig=SOON
    )
    seen = read("AWS::RDS::DBInstance", "tour-db")
    assert seen["Endpoint"]["Address"].endswith(f".{REGION}.rds.amazonaws.com"), seen
    assert "MasterUserPassword" not in seen and seen["StorageType"] == "gp2"
    undeletable("InvalidRequest", "protected", "AWS::RDS::DBInstance", "tour-db")
    undeletable("InvalidRequest", "still using it", "AWS::RDS::DBSubnetGroup", "tour")


def tokens():
    def ask(cidr):
        return CLOUD.create_resource(
            TypeName="AWS::EC2::VPC",
            ClientToken="tour-vpc-1",
            DesiredState=json.dumps({"CidrBlock": cidr}),
        )

    first, again = ask("10.30.0.0/16"), ask("10.30.0.0/16")
    assert first["ProgressEvent"]["RequestToken"] == again["ProgressEvent"]["RequestToken"]
    refused(
        "ClientTokenConflictException",
        CLOUD.create_resource,
        TypeName="AWS::EC2::VPC",
        ClientToken="tour-vpc-1",
        DesiredState='{"CidrBlock": "10.31.0.0/16"}',
    )
    vpc = finish(first)["Identifier"]
    delete("AWS::EC2::VPC", vpc)
    # The failed attempt replays as failed, by boto3's waiter too.
    event = CLOUD.delete_resource(
        TypeName="AWS::EC2::VPC", Identifier=vpc, ClientToken="tour-gone"
    )
    try:
        CLOUD.get_waiter("resource_request_success").wait(
            RequestToken=event["ProgressEvent"]["RequestToken"], WaiterConfig=SOON
        )
    except WaiterError as error:
        assert error.last_response["ProgressEvent"]["ErrorCode"] == "NotFound"
    else:
        raise AssertionError("deleting nothing succeeded")


def lists(vpc):
    for number in range(25):
        CLOUD.create_resource(
            TypeName="AWS::Logs::LogGroup",
            DesiredState=json.dumps({"LogGroupName": f"/tour/{number:02}"}),
        )
    pages = list(CLOUD.get_paginator("list_resources").paginate(TypeName="AWS::Logs::LogGroup"))
    assert len(pages) == 2, len(pages)
    assert sum(len(page["ResourceDescriptions"]) for page in pages) == 25
    refused(
        "InvalidRequestException",
        CLOUD.list_resources,
        "RouteTableId",
        TypeName="AWS::EC2::Route",
    )
    summaries = CLOUD.list_resource_requests(
        ResourceRequestStatusFilter={"OperationStatuses": ["FAILED"]}
    )["ResourceRequestStatusSummaries"]
    assert summaries and all(one["OperationStatus"] == "FAILED" for one in summaries)
    elsewhere = client("cloudcontrol", region="eu-central-1")
    refused(
        "ResourceNotFoundException",
        elsewhere.get_resource,
        TypeName="AWS::EC2::VPC",
        Identifier=vpc,
    )


def patches():
    group = "/tour/00"

    def patch(*operations):
        return CLOUD.update_resource(
            TypeName="AWS::Logs::LogGroup",
            Identifier=group,
            PatchDocument=json.dumps(operations),
        )

    event = finish(patch({"op": "add", "path": "/RetentionInDays", "value": 30}))
    assert event["OperationStatus"] == "SUCCESS", event
    assert read("AWS::Logs::LogGroup", group)["RetentionInDays"] == 30
    try:
        patch({"op": "replace", "path": "/LogGroupName", "value": "x"})
    except CLOUD.exceptions.NotUpdatableException as error:
        assert "createOnlyProperties" in str(error)
    else:
        raise AssertionError("a create-only property was changed")


def denials():
    narrow = assume(
        "tour-narrow",
        {"Effect": "Allow", "Action": ["cloudformation:*", "ec2:*", "rds:*"], "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["rds:ModifyDBInstance", "rds:DeleteDBInstance"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/landfall:protected": "true"}},
        },
    )
    cloud = client("cloudcontrol", narrow)
    fails("AccessDenied", "s3:CreateBucket", "AWS::S3::Bucket", cloud, BucketName="tour-denied")
    undeletable("AccessDenied", "explicit deny", "AWS::RDS::DBInstance", "tour-db", cloud)
    event = finish(
        cloud.update_resource(
            TypeName="AWS::RDS::DBInstance",
            Identifier="tour-db",
            PatchDocument='[{"op": "replace", "path": "/DeletionProtection", "value": false}]',
        ),
        cloud,
    )
    assert event["ErrorCode"] == "AccessDenied", event
    assert read("AWS::RDS::DBInstance", "tour-db")["DeletionProtection"] is True
    mute = client("cloudcontrol", assume("tour-mute", {
        "Effect": "Allow", "Action": "s3:*", "Resource": "*",
    }))
    refused(
        "AccessDeniedException",
        mute.list_resources,
        "cloudformation:ListResources",
        TypeName="AWS::S3::Bucket",
    )


TEMPLATE = """
Parameters:
  ExternalId: {Type: String, AllowedPattern: '[a-z0-9-]+'}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub '${AWS::StackName}-provisioner'
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal: {AWS: 'arn:aws:iam::OPERATOR:root'}
            Condition: {StringEquals: {'sts:ExternalId': !Ref ExternalId}}
Outputs:
  RoleArn: {Value: !GetAtt Role.Arn}
"""


def stacks():
    template = TEMPLATE.replace("OPERATOR", OPERATOR["id"])
    cfn = client("cloudformation")
    wanted = {
        "StackName": "tour",
        "TemplateBody": template,
        "Parameters": [{"ParameterKey": "ExternalId", "ParameterValue": "tour-id"}],
    }
    refused("InsufficientCapabilitiesException", cfn.create_stack, "NAMED_IAM", **wanted)
    cfn.create_stack(**wanted, Capabilities=["CAPABILITY_NAMED_IAM"])
    cfn.get_waiter("stack_create_complete").wait(StackName="tour", WaiterConfig=SOON)
    stack = cfn.describe_stacks(StackName="tour")["Stacks"][0]
    role = stack["Outputs"][0]["OutputValue"]
    sts = client("sts", OPERATOR)
    sts.assume_role(RoleArn=role, RoleSessionName="tour", ExternalId="tour-id")
    for wrong in ({}, {"ExternalId": "other"}):
        refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="tour", **wrong)
    events = cfn.describe_stack_events(StackName="tour")["StackEvents"]
    assert events[0]["ResourceStatus"] == "CREATE_COMPLETE", events[0]
    cfn.delete_stack(StackName="tour")
    cfn.get_waiter("stack_delete_complete").wait(
        StackName=stack["StackId"], WaiterConfig=SOON
    )
    refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="tour")


def command_line():
    made = aws(
        "cloudcontrol", "create-resource", "--type-name", "AWS::S3::Bucket",
        "--desired-state", '{"BucketName": "tour-cli"}',
    )
    finish(made)
    got = aws(
        "cloudcontrol", "get-resource", "--type-name", "AWS::S3::Bucket",
        "--identifier", "tour-cli",
    )
    assert json.loads(got["ResourceDescription"]["Properties"])["BucketName"] == "tour-cli"
    said = aws(
        "cloudcontrol", "get-resource", "--type-name", "AWS::S3::Bucket",
        "--identifier", "absent", fine=False,
    )
    assert "ResourceNotFoundException" in said, said
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as template:
        template.write(TEMPLATE.replace("OPERATOR", OPERATOR["id"]))
        template.flush()
        aws(
            "cloudformation", "deploy", "--stack-name", "tour-cli",
            "--template-file", template.name,
            "--parameter-overrides", "ExternalId=cli", "--capabilities", "CAPABILITY_NAMED_IAM",
        )
    stacks = aws("cloudformation", "describe-stacks", "--stack-name", "tour-cli")
    assert stacks["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def service(vpc, subnets, group):
    targets = create(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        Name="tour", Port=80, Protocol="HTTP", TargetType="ip", VpcId=vpc,
    )
    balancer = create(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Name="tour", Subnets=subnets, SecurityGroups=[group],
    )
    create(
        "AWS::ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=balancer, Port=80, Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
    )
    dns = read("AWS::ElasticLoadBalancingV2::LoadBalancer", balancer)["DNSName"]
    url = f"{ENDPOINT}/services/{dns}/"
    try:
        urllib.request.urlopen(url)
    except urllib.error.HTTPError as error:
        assert error.code == 503, error.code
    else:
        raise AssertionError("a load balancer without a service answered")
    create("AWS::ECS::Cluster", ClusterName="tour")
    task = create(
        "AWS::ECS::TaskDefinition",
        Family="tour", NetworkMode="awsvpc", Cpu="256", Memory="512",
        RequiresCompatibilities=["FARGATE"],
        ContainerDefinitions=[
            {"Name": "web", "Image": "example/web:7", "PortMappings": [{"ContainerPort": 80}]}
        ],
    )
    create(
        "AWS::ECS::Service",
        Cluster="tour", ServiceName="tour", TaskDefinition=task, LaunchType="FARGATE",
        LoadBalancers=[{"ContainerName": "web", "ContainerPort": 80, "TargetGroupArn": targets}],
        NetworkConfiguration={"AwsvpcConfiguration": {"Subnets": subnets}},
    )
    by_path = urllib.request.urlopen(url).read().decode()
    by_host = urllib.request.urlopen(
        urllib.request.Request(ENDPOINT + "/", headers={"Host": dns})
    ).read().decode()
    for page in (by_path, by_host):
        assert "example/web:7" in page and "imulated" in page, page


def main():
    vpc, subnets, group = network()
    database(subnets, group)
    tokens()
    lists(vpc)
    patches()
    denials()
    stacks()
    service(vpc, subnets, group)
    command_line()
    print("resources: all steps answered as AWS would")


main()
