#!/usr/bin/env python3
"""Makes Landfall's grant in a simulated customer account with boto3, and tries
its two roles as the server: only the right external id gets in.

    external_id.py SANDBOX.json TEMPLATE.json EXTERNAL_ID

SANDBOX.json is what `landfall sandbox --output json` printed, TEMPLATE.json the
grant's CloudFormation template. Exits 1 with one line per finding on stderr.
"""

import json
import pathlib
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, endpoint, account):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=account["access_key_id"],
        aws_secret_access_key=account["secret_access_key"],
        config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=30),
    )


def refusal(call, **arguments):
    """The error code of a refusal, or None when it was done."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def main():
    sandbox = json.loads(pathlib.Path(sys.argv[1]).read_text())["aws"]
    template = pathlib.Path(sys.argv[2]).read_text()
    external_id = sys.argv[3]
    accounts = {account["role"]: account for account in reversed(sandbox["accounts"])}
    endpoint = sandbox["endpoint_url"]

    cloudformation = client("cloudformation", endpoint, accounts["customer"])
    without = refusal(cloudformation.create_stack, StackName="without", TemplateBody=template)
    cloudformation.create_stack(
        StackName="landfall", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="landfall", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    iam = client("iam", endpoint, accounts["customer"])
    arns = [role["Arn"] for page in iam.get_paginator("list_roles").paginate()
            for role in page["Roles"] if role["RoleName"].startswith("landfall-")]

    sts = client("sts", endpoint, accounts["operator"])
    findings = []
    if without != "InsufficientCapabilitiesException":
        findings.append(f"the template was taken without its capability: {without}")
    if len(arns) != 2:
        findings.append(f"two roles were expected, there are {arns}")
    for arn in arns:
        ask = {"RoleArn": arn, "RoleSessionName": "landfall-try"}
        until = time.monotonic() + 60
        while (code := refusal(sts.assume_role, **ask, ExternalId=external_id)) is not None:
            if time.monotonic() > until:
                findings.append(f"{arn} refuses the right external id: {code}")
                break
            time.sleep(0.5)
        for what, more in [("no external id", {}),
                           ("a wrong external id", {"ExternalId": external_id + "x"})]:
            code = refusal(sts.assume_role, **ask, **more)
            if code != "AccessDenied":
                findings.append(f"{arn} with {what}: {code}")
    for finding in findings:
        print(finding, file=sys.stderr)
    if not findings:
        print(f"roles={len(arns)} right=accepted missing=denied wrong=denied")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
