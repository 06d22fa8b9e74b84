#!/usr/bin/env python3
"""Unmodified boto3 tours the identity half of the sandbox.

usage: tour_identity.py READY.json   (what `landfall sandbox` printed)

Exits 0 when every step answered as AWS would, prints the first that did not.
"""

import datetime
import json
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

READY = json.load(open(sys.argv[1]))["aws"]
OPERATOR = next(a for a in READY["accounts"] if a["role"] == "operator")
CUSTOMER, OTHER = [a for a in READY["accounts"] if a["role"] == "customer"][:2]
EXTERNAL_ID = "lf-tour-0123456789"


def client(service, keys, region="eu-west-1"):
    return boto3.client(
        service,
        endpoint_url=READY["endpoint_url"],
        region_name=region,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        aws_session_token=keys.get("session_token"),
        config=Config(retries={"total_max_attempts": 1}),
    )


def refused(code, call, *words, **params):
    """The call must fail with this code and these words in its message."""
    try:
        call(**params)
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] == code, f"{got} instead of {code}"
        for word in words:
            assert word in got["Message"], f"{word!r} not in {got['Message']!r}"
        return error.response
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, **more):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def trust(account, external_id):
    return document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }
    )


def assume(sts, role, name="tour", **more):
    answer = sts.assume_role(RoleArn=role, RoleSessionName=name, **more)
    issued = answer["Credentials"]
    return {
        "access_key_id": issued["AccessKeyId"],
        "secret_access_key": issued["SecretAccessKey"],
        "session_token": issued["SessionToken"],
        "expires": issued["Expiration"],
    }


def who_am_i():
    for account in READY["accounts"]:
        identity = client("sts", account).get_caller_identity()
        assert identity["Account"] == account["id"]
        assert identity["Arn"] == account["principal_arn"]
    wrong = dict(CUSTOMER, secret_access_key="x" * 40)
    refused("SignatureDoesNotMatch", client("sts", wrong).get_caller_identity)
    unknown = dict(CUSTOMER, access_key_id="AKIA" + "A" * 16)
    refused("InvalidClientTokenId", client("sts", unknown).get_caller_identity)
    refused("UnrecognizedClientException", client("account", unknown).list_regions)
    refused(
        "UnrecognizedClientException",
        client("cloudcontrol", unknown).list_resources,
        TypeName="AWS::S3::Bucket",
    )


def presigned():
    """A signature in the query string, as tokens for EKS are made."""
    url = client("sts", CUSTOMER).generate_presigned_url(
        "get_caller_identity", ExpiresIn=60, HttpMethod="GET"
    )
    with urllib.request.urlopen(url) as answer:
        assert CUSTOMER["id"] in answer.read().decode()
    try:
        urllib.request.urlopen(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    except urllib.error.HTTPError as error:
        assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()
    else:
        raise AssertionError("a changed presigned URL was accepted")


def connect():
    """A role as a customer grants it, and who can become it."""
    iam = client("iam", CUSTOMER)
    boundary = iam.create_policy(
        PolicyName="tour-boundary",
        PolicyDocument=document(allow("s3:*", "logs:*", "iam:Get*")),
    )["Policy"]["Arn"]
    role = iam.create_role(
        RoleName="tour-provisioner",
        AssumeRolePolicyDocument=trust(OPERATOR["id"], EXTERNAL_ID),
        MaxSessionDuration=7200,
        Tags=[{"Key": "landfall", "Value": "yes"}],
    )["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    iam.put_role_policy(
        RoleName="tour-provisioner",
        PolicyName="main",
        PolicyDocument=document(
            allow("iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy", "s3:*"),
            allow(
                "iam:CreateRole",
                "iam:PutRolePolicy",
                Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}},
            ),
            {
                "Effect": "Deny",
                "Action": "iam:*",
                "NotResource": [
                    f"arn:aws:iam::{CUSTOMER['id']}:role/tour-app-*",
                    f"arn:aws:iam::{CUSTOMER['id']}:role/tour-provisioner",
                ],
            },
            {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"},
        ),
    )
    sts = client("sts", OPERATOR)
    denied = ("AccessDenied", sts.assume_role, "sts:AssumeRole", role["Arn"])
    ask = {"RoleArn": role["Arn"], "RoleSessionName": "tour"}
    refused(*denied, **ask)
    refused(*denied, **ask, ExternalId="lf-wrong")
    refused(
        "AccessDenied",
        client("sts", OTHER).assume_role,
        **ask,
        ExternalId=EXTERNAL_ID,
    )
    session = assume(sts, role["Arn"], ExternalId=EXTERNAL_ID)
    left = session["expires"] - datetime.datetime.now(datetime.timezone.utc)
    assert 3500 < left.total_seconds() <= 3600, left
    identity = client("sts", session).get_caller_identity()
    assert identity["Arn"].endswith(":assumed-role/tour-provisioner/tour")
    assert identity["Account"] == CUSTOMER["id"]
    return role["Arn"], session, boundary


def durations(role):
    sts = client("sts", OPERATOR)
    ask = {"RoleArn": role, "RoleSessionName": "tour", "ExternalId": EXTERNAL_ID}
    sts.assume_role(**ask, DurationSeconds=7200)
    refused("ValidationError", sts.assume_role, "MaxSessionDuration", **ask, DurationSeconds=7201)
    refused("ValidationError", sts.assume_role, **ask, DurationSeconds=43201)

    iam = client("iam", OPERATOR)
    server = iam.create_role(
        RoleName="tour-server",
        AssumeRolePolicyDocument=trust(OPERATOR["id"], "self"),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="tour-server",
        PolicyName="assume",
        PolicyDocument=document(allow("sts:AssumeRole")),
    )
    chained = client("sts", assume(sts, server, ExternalId="self"))
    chained.assume_role(**ask, DurationSeconds=3600)
    refused("ValidationError", chained.assume_role, "role chaining", **ask, DurationSeconds=3601)


def session_policies(role):
    sts = client("sts", OPERATOR)
    narrow = assume(
        sts,
        role,
        ExternalId=EXTERNAL_ID,
        Policy=document(allow("iam:GetRole", "iam:DeleteRole")),
    )
    iam = client("iam", narrow)
    iam.get_role(RoleName="tour-provisioner")
    refused("AccessDenied", iam.list_role_policies, "no session policy", RoleName="tour-provisioner")
    refused("AccessDenied", iam.delete_role, "no identity-based policy", RoleName="tour-app-x")
    ask = {"RoleArn": role, "RoleSessionName": "tour", "ExternalId": EXTERNAL_ID}
    refused("MalformedPolicyDocument", sts.assume_role, **ask, Policy='{"Version":"2012-10-17"}')
    refused(
        "ValidationError",
        sts.assume_role,
        "2048",
        **ask,
        Policy=document(allow("s3:*", Sid="x" * 2048)),
    )


def denials(session, boundary):
    iam = client("iam", session)
    refused(
        "AccessDenied",
        iam.delete_policy,
        "explicit deny in an identity-based policy",
        PolicyArn=boundary,
    )
    app = {
        "RoleName": "tour-app-one",
        "AssumeRolePolicyDocument": trust(OPERATOR["id"], EXTERNAL_ID),
    }
    refused("AccessDenied", iam.create_role, "iam:CreateRole", **app)
    created = iam.create_role(**app, PermissionsBoundary=boundary)["Role"]
    assert created["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    iam.put_role_policy(
        RoleName="tour-app-one",
        PolicyName="everything",
        PolicyDocument=document(allow("*")),
    )
    bounded = assume(client("sts", OPERATOR), created["Arn"], ExternalId=EXTERNAL_ID)
    inner = client("iam", bounded)
    inner.get_role(RoleName="tour-app-one")
    refused("AccessDenied", inner.list_roles, "no permissions boundary allows")


def simulate(session, role):
    iam = client("iam", session)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["s3:CreateBucket", "s3:DeleteBucket", "ec2:CreateVpc", "iam:CreateRole"],
        ResourceArns=["arn:aws:s3:::tour-bucket"],
    )
    decisions = {r["EvalActionName"]: r for r in answer["EvaluationResults"]}
    assert decisions["s3:CreateBucket"]["EvalDecision"] == "allowed"
    assert decisions["s3:DeleteBucket"]["EvalDecision"] == "explicitDeny"
    assert decisions["ec2:CreateVpc"]["EvalDecision"] == "implicitDeny"
    assert decisions["iam:CreateRole"]["EvalDecision"] == "explicitDeny"
    assert "iam:PermissionsBoundary" in decisions["iam:CreateRole"]["MissingContextValues"]
    assert decisions["s3:CreateBucket"]["MatchedStatements"]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role,
        ActionNames=[f"s3:Get{i}" for i in range(7)],
        PaginationConfig={"PageSize": 3},
    )
    sizes = [len(page["EvaluationResults"]) for page in pages]
    assert sizes == [3, 3, 1], sizes
    refused(
        "NoSuchEntity",
        client("iam", CUSTOMER).simulate_principal_policy,
        PolicySourceArn=role + "-none",
        ActionNames=["s3:GetObject"],
    )


def regions():
    account = client("account", CUSTOMER)
    listed = account.list_regions()["Regions"]
    off = [r["RegionName"] for r in listed if r["RegionOptStatus"] == "DISABLED"]
    assert len(listed) >= 8 and len(off) == 1, listed
    status = account.get_region_opt_status(RegionName=off[0])
    assert status["RegionOptStatus"] == "DISABLED"
    refused("InvalidClientTokenId", client("sts", CUSTOMER, off[0]).get_caller_identity)
    refused(
        "UnrecognizedClientException",
        client("cloudcontrol", CUSTOMER, off[0]).list_resources,
        TypeName="AWS::S3::Bucket",
    )


def sizes():
    iam = client("iam", CUSTOMER)

    def sized(characters):
        empty = json.dumps(
            {"Version": "2012-10-17", "Statement": [allow("s3:*", Sid="")]}, separators=(",", ":")
        )
        return empty.replace('"Sid":""', '"Sid":"' + "x" * (characters - len(empty)) + '"')

    iam.create_policy(PolicyName="tour-fits", PolicyDocument=sized(6144))
    refused(
        "LimitExceeded", iam.create_policy, "6144", PolicyName="tour-over", PolicyDocument=sized(6145)
    )
    iam.create_role(RoleName="tour-sizes", AssumeRolePolicyDocument=trust(OPERATOR["id"], "x1"))
    for name in ("a", "b"):
        iam.put_role_policy(RoleName="tour-sizes", PolicyName=name, PolicyDocument=sized(5120))
    refused(
        "LimitExceeded",
        iam.put_role_policy,
        "10240",
        RoleName="tour-sizes",
        PolicyName="c",
        PolicyDocument=document(allow("s3:*")),
    )
    refused(
        "LimitExceeded",
        iam.update_assume_role_policy,
        "2048",
        RoleName="tour-sizes",
        PolicyDocument=trust(OPERATOR["id"], ["x" * 1000, "y" * 1000]),
    )
    for i in range(10):
        arn = iam.create_policy(
            PolicyName=f"tour-many-{i}", PolicyDocument=document(allow("s3:*"))
        )["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="tour-sizes", PolicyArn=arn)
    fits = f"arn:aws:iam::{CUSTOMER['id']}:policy/tour-fits"
    refused(
        "LimitExceeded", iam.attach_role_policy, "10", RoleName="tour-sizes", PolicyArn=fits
    )
    refused("DeleteConflict", iam.delete_role, RoleName="tour-sizes")
    attached = iam.list_attached_role_policies(RoleName="tour-sizes")["AttachedPolicies"]
    assert len(attached) == 10
    refused(
        "MalformedPolicyDocument",
        iam.create_policy,
        PolicyName="tour-bad",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}',
    )


def reads():
    iam = client("iam", CUSTOMER)
    role = iam.get_role(RoleName="tour-provisioner")["Role"]
    assert role["MaxSessionDuration"] == 7200
    assert role["Tags"] == [{"Key": "landfall", "Value": "yes"}]
    got = iam.get_role_policy(RoleName="tour-provisioner", PolicyName="main")
    assert got["PolicyDocument"]["Statement"][0]["Effect"] == "Allow"
    names = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1})
        for role in page["Roles"]
    ]
    assert {"tour-provisioner", "tour-app-one", "tour-sizes"} <= set(names), names
    arn = f"arn:aws:iam::{CUSTOMER['id']}:policy/tour-fits"
    version = iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document(allow("s3:Get*")), SetAsDefault=True
    )["PolicyVersion"]
    assert version["VersionId"] == "v2"
    read = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    assert read["Document"]["Statement"][0]["Action"] == ["s3:Get*"]
    refused("NoSuchEntity", iam.get_role, RoleName="tour-none")


def main():
    who_am_i()
    presigned()
    role, session, boundary = connect()
    durations(role)
    session_policies(role)
    denials(session, boundary)
    simulate(session, role)
    regions()
    sizes()
    reads()
    print("tour_identity: ok", file=sys.stderr)


if __name__ == "__main__":
    main()
