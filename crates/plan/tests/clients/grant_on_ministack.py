#!/usr/bin/env python3
"""Makes a grant on ministack, an AWS emulator that other people wrote, and tries
it: who gets in, and what is refused.

    cargo run -q -p landfall-plan --example grant-template -- --account 123456789012 \
        --principal arn:aws:iam::210987654321:role/landfall --region eu-central-1 --spec > grant.json
    grant_on_ministack.py grant.json [--session SESSION.json] [--endpoint http://127.0.0.1:PORT]

Needs `pip install 'ministack[full]==1.5.33' boto3`. Without --endpoint it starts
a ministack of its own on a free loopback port and ends it. --session is what
`grant-template … --session AWS::S3::Bucket landfall-approved` printed.

What ministack does not do, so that it is not counted here: it gives longer
sessions than a role allows; its SimulatePrincipalPolicy ignores condition keys
and is itself decided on `*`. The questions are therefore put to its policy
evaluator directly, with their keys.

Exits 1 with one line per finding on stderr.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

OPERATOR = "210987654321"
STRANGER = "300000000003"
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

findings = []
passed = 0


def check(name, holds, detail=""):
    global passed
    if holds:
        passed += 1
    else:
        findings.append(f"{name} {detail}".strip())


class Cloud:
    def __init__(self, endpoint, region):
        self.endpoint = endpoint
        self.region = region

    def client(self, service, keys):
        access, secret, token = keys
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=self.region,
            aws_access_key_id=access, aws_secret_access_key=secret, aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )


def root_of(account):
    """A twelve-digit access key is that account's root on ministack."""
    return account, "test", None


def keys_of(answer):
    credentials = answer["Credentials"]
    return (credentials["AccessKeyId"], credentials["SecretAccessKey"],
            credentials["SessionToken"])


def refusal(call, **arguments):
    """The error code of a call, or None when it is accepted."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def start_ministack():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = pathlib.Path(sys.executable).parent / "ministack"
    process = subprocess.Popen(
        [str(program)],
        env={**os.environ, "AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    for _ in range(120):
        if process.poll() is not None:
            sys.exit("ministack ended by itself")
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2):
                return process, endpoint
        except urllib.error.HTTPError:
            return process, endpoint
        except OSError:
            time.sleep(0.25)
    process.terminate()
    sys.exit("ministack did not start")


def server_session(cloud, account, principal):
    """The server's identity: a session of the role that the grant trusts."""
    name = principal.rsplit("/", 1)[1]
    iam = cloud.client("iam", root_of(account))
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole"}]}
    allow = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="assume", PolicyDocument=json.dumps(allow))
    sts = cloud.client("sts", root_of(account))
    return keys_of(sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{name}", RoleSessionName="landfall-server"))


def make_stack(cloud, account, grant):
    cloudformation = cloud.client("cloudformation", root_of(account))
    name = grant["roles"][0]["name"].replace("landfall-provisioner", "landfall")
    template = json.dumps(grant["template"], separators=(",", ":"))
    code = refusal(cloudformation.create_stack, StackName=name, TemplateBody=template)
    check("the stack needs the capability", code == "InsufficientCapabilitiesException", code)
    cloudformation.create_stack(
        StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    for _ in range(60):
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.25)
    check("the stack is created", stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatus"])
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def check_roles(cloud, account, grant):
    """What stands in the account is what was computed."""
    iam = cloud.client("iam", root_of(account))
    for role in grant["roles"]:
        made = iam.get_role(RoleName=role["name"])["Role"]
        check(f"{role['name']} trusts as computed",
              made["AssumeRolePolicyDocument"] == role["trust"])
        check(f"{role['name']} has its session length",
              made["MaxSessionDuration"] == role["max_session"])
        tags = {tag["Key"]: tag["Value"] for tag in made.get("Tags", [])}
        check(f"{role['name']} has its tags",
              role["tags"].items() <= tags.items(), tags)
        attached = iam.list_attached_role_policies(RoleName=role["name"])["AttachedPolicies"]
        names = [policy["PolicyName"] for policy in attached]
        check(f"{role['name']} has its policies",
              sorted(names) == sorted(policy["name"] for policy in role["policies"]), names)


def check_external_id(cloud, server, stranger, arn, external_id):
    sts = cloud.client("sts", server)
    ask = {"RoleArn": arn, "RoleSessionName": "landfall-check"}
    check(f"{arn} accepts the right external id",
          refusal(sts.assume_role, **ask, ExternalId=external_id) is None)
    check(f"{arn} refuses a missing external id",
          refusal(sts.assume_role, **ask) in DENIED)
    check(f"{arn} refuses a wrong external id",
          refusal(sts.assume_role, **ask, ExternalId=external_id + "x") in DENIED)
    other = cloud.client("sts", stranger)
    check(f"{arn} refuses another server",
          refusal(other.assume_role, **ask, ExternalId=external_id) in DENIED)


def check_questions(account, grant, region):
    documents = {
        role["identity"]: [parse_policy_document(p["document"]) for p in role["policies"]]
        for role in grant["roles"]
    }
    arns = {role["identity"]: f"arn:aws:iam::{account}:role/{role['name']}"
            for role in grant["roles"]}
    for group in grant["permissions"]:
        for question in group["questions"]:
            keys = {key.lower(): values if len(values) > 1 or key == "aws:TagKeys" else values[0]
                    for key, values in question["context"].items()}
            for action in question["actions"]:
                context = EvalContext(
                    principal_arn=arns[question["identity"]], principal_type="AssumedRole",
                    principal_account=account, action=action,
                    resource_arn=question["resource"],
                    region=keys.get("aws:requestedregion", region), service_context=keys)
                decision = evaluate(context, documents[question["identity"]]).decision
                check(f"{group['id']} {action} on {question['resource']}",
                      (decision == "Allow") == question["expect_allowed"],
                      f"with {question['context']}: {decision}")


def check_refusals(cloud, account, grant, session):
    """Calls as a stolen session of the provisioner would make them."""
    s3 = cloud.client("s3", session)
    iam = cloud.client("iam", session)
    rds = cloud.client("rds", session)
    secrets = cloud.client("secretsmanager", session)
    logs = cloud.client("logs", session)
    place = {"LocationConstraint": cloud.region}
    check("a bucket with our prefix is created", refusal(
        s3.create_bucket, Bucket="landfall-kept", CreateBucketConfiguration=place) is None)
    check("a bucket with another name is refused", refusal(
        s3.create_bucket, Bucket="somebody-elses", CreateBucketConfiguration=place) in DENIED)
    secret = {"Name": "landfall-kept", "SecretString": "x"}
    check("a secret is created", refusal(secrets.create_secret, **secret) is None)
    rule = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
    role = grant["roles"][0]["name"]
    reaper = role.replace("provisioner", "reaper")
    trust = json.dumps(grant["roles"][0]["trust"])
    everything = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    refused = {
        "deleting a bucket": (s3.delete_bucket, {"Bucket": "landfall-kept"}),
        "an expiry rule": (s3.put_bucket_lifecycle_configuration, {
            "Bucket": "landfall-kept", "LifecycleConfiguration": rule}),
        "deleting an object": (s3.delete_object, {"Bucket": "landfall-kept", "Key": "a"}),
        "overwriting an object": (s3.put_object, {
            "Bucket": "landfall-kept", "Key": "a", "Body": b""}),
        "suspending versioning": (s3.put_bucket_versioning, {
            "Bucket": "landfall-kept", "VersioningConfiguration": {"Status": "Suspended"}}),
        "deleting a secret": (secrets.delete_secret, {"SecretId": "landfall-kept"}),
        "reading a secret": (secrets.get_secret_value, {"SecretId": "landfall-kept"}),
        "replacing a secret": (secrets.put_secret_value, {
            "SecretId": "landfall-kept", "SecretString": "y"}),
        "deleting a log group": (logs.delete_log_group, {"logGroupName": "landfall-kept"}),
        "deleting a database": (rds.delete_db_instance, {
            "DBInstanceIdentifier": "landfall-kept", "SkipFinalSnapshot": True}),
        "switching protection off": (rds.modify_db_instance, {
            "DBInstanceIdentifier": "landfall-kept", "DeletionProtection": False}),
        "editing its own role": (iam.put_role_policy, {
            "RoleName": role, "PolicyName": "more", "PolicyDocument": everything}),
        "editing the other role": (iam.put_role_policy, {
            "RoleName": reaper, "PolicyName": "more", "PolicyDocument": everything}),
        "changing its own trust": (iam.update_assume_role_policy, {
            "RoleName": role, "PolicyDocument": trust}),
        "detaching its own policies": (iam.detach_role_policy, {
            "RoleName": role,
            "PolicyArn": f"arn:aws:iam::{account}:policy/{grant['roles'][0]['policies'][0]['name']}"}),
        "a new version of the boundary": (iam.create_policy_version, {
            "PolicyArn": f"arn:aws:iam::{account}:policy/{grant['boundary']['name']}",
            "PolicyDocument": everything, "SetAsDefault": True}),
        "a role without the boundary": (iam.create_role, {
            "RoleName": "landfall-free", "AssumeRolePolicyDocument": trust}),
        "a user": (iam.create_user, {"UserName": "landfall-user"}),
    }
    for name, (call, arguments) in refused.items():
        code = refusal(call, **arguments)
        check(f"the provisioner is refused {name}", code in DENIED, code)


def check_reaper(cloud, server, arn, external_id, policy):
    """With its session policy the reaper reaches what was approved alone."""
    sts = cloud.client("sts", server)
    session = keys_of(sts.assume_role(
        RoleArn=arn, RoleSessionName="landfall-reaper", ExternalId=external_id,
        Policy=policy, DurationSeconds=900))
    customer = cloud.client("s3", root_of(arn.split(":")[4]))
    for bucket in ("landfall-approved", "landfall-other"):
        customer.create_bucket(Bucket=bucket, CreateBucketConfiguration={
            "LocationConstraint": cloud.region})
    s3 = cloud.client("s3", session)
    code = refusal(s3.delete_bucket, Bucket="landfall-other")
    check("the reaper is refused what was not approved", code in DENIED, code)
    code = refusal(s3.create_bucket, Bucket="landfall-new", CreateBucketConfiguration={
        "LocationConstraint": cloud.region})
    check("the reaper is refused to create", code in DENIED, code)
    code = refusal(s3.delete_bucket, Bucket="landfall-approved")
    check("the reaper deletes what was approved", code is None, code)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grant", type=pathlib.Path)
    parser.add_argument("--session", type=pathlib.Path)
    parser.add_argument("--endpoint")
    args = parser.parse_args()
    grant = json.loads(args.grant.read_text())
    account = grant["template"]["Metadata"]["Landfall"]["Account"]
    parameters = grant["template"]["Parameters"]
    principal = parameters["PrincipalArn"]["Default"]
    external_id = parameters["ExternalId"]["Default"]
    region = next(iter(
        region for group in grant["permissions"] for question in group["questions"]
        for region in question["context"]["aws:RequestedRegion"]))
    process, endpoint = (None, args.endpoint) if args.endpoint else start_ministack()
    try:
        cloud = Cloud(endpoint, region)
        server = server_session(cloud, OPERATOR, principal)
        stranger = server_session(cloud, STRANGER, principal)
        outputs = make_stack(cloud, account, grant)
        check_roles(cloud, account, grant)
        check_questions(account, grant, region)
        arns = [outputs[f"{role['identity'].capitalize()}RoleArn"] for role in grant["roles"]]
        for arn in arns:
            check_external_id(cloud, server, stranger, arn, external_id)
        sts = cloud.client("sts", server)
        provisioner = keys_of(sts.assume_role(
            RoleArn=arns[0], RoleSessionName="landfall-try", ExternalId=external_id))
        check_refusals(cloud, account, grant, provisioner)
        if args.session and len(arns) > 1:
            check_reaper(cloud, server, arns[1], external_id, args.session.read_text().strip())
    finally:
        if process:
            process.terminate()
            process.wait(timeout=30)
    for line in findings:
        print(line, file=sys.stderr)
    if findings:
        sys.exit(1)
    print(f"ok: {passed} checks")


if __name__ == "__main__":
    main()
