#!/usr/bin/env python3
"""Derives src/policy/aws/handlers.json: which IAM actions the Cloud Control
handlers of the blueprint's resource types name.

    derive_policy.py aws-resource-types.json [--out ../src/policy/aws/handlers.json]
    derive_policy.py aws-resource-types.json --check

The input is not in this repository: a condensed form of AWS's CloudFormation
resource provider schemas, {"source", "as_of", "types": {NAME: {"handlers":
{"create": [ACTION...], ...}}}}.

The lists are facts about the handlers, not a policy: what is dropped, added and
scoped, and why, is in overlay.json, reviewed by hand.

--check exits 1 when the committed table is not what the input gives.
"""

import argparse
import json
import pathlib
import sys

OUT = pathlib.Path(__file__).parent.parent / "src" / "policy" / "aws" / "handlers.json"

TYPES = [
    "AWS::EC2::VPC",
    "AWS::EC2::Subnet",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::RouteTable",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ECS::Cluster",
    "AWS::ECS::TaskDefinition",
    "AWS::ECS::Service",
    "AWS::ECR::Repository",
    "AWS::Logs::LogGroup",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBSubnetGroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
]
PHASES = ["create", "read", "update", "delete", "list"]


def action(text):
    """`S3:GetBucketWebsite` stands in AWS's lists; IAM writes prefixes small."""
    service, name = text.split(":", 1)
    return f"{service.lower()}:{name}"


def derive(reference):
    types = {}
    for name in TYPES:
        handlers = reference["types"][name].get("handlers")
        if not handlers:
            sys.exit(f"{name} has no handlers: Cloud Control cannot make it")
        types[name] = {
            phase: sorted({action(text) for text in handlers[phase]})
            for phase in PHASES
            if phase in handlers
        }
    return {
        "about": "Derived by derive/derive_policy.py; do not edit. IAM actions that each"
        " handler names, prefixes in lower case.",
        "source": reference["source"],
        "as_of": reference["as_of"],
        "types": types,
    }


def write(table):
    """One handler a line, so that a change of AWS's is one line of a diff."""
    lines = ["{"]
    for key in ("about", "source", "as_of"):
        lines.append(f' "{key}": {json.dumps(table[key])},')
    lines.append(' "types": {')
    for index, (name, handlers) in enumerate(table["types"].items()):
        lines.append(f'  "{name}": {{')
        body = [f'   "{phase}": {json.dumps(actions)}' for phase, actions in handlers.items()]
        lines.append(",\n".join(body))
        lines.append("  }" + ("," if index + 1 < len(table["types"]) else ""))
    lines += [" }", "}", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    text = write(derive(json.loads(args.reference.read_text())))
    if args.check:
        if args.out.read_text() != text:
            sys.exit(f"{args.out} is not what {args.reference} gives: derive it again")
        return
    args.out.write_text(text)


if __name__ == "__main__":
    main()
