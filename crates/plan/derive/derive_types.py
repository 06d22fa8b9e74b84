#!/usr/bin/env python3
"""Derives src/aws/types.json: what can be changed, read and tagged of each
resource type that the blueprints use.

    derive_types.py aws-resource-types.json [--out ../src/aws/types.json]
    derive_types.py aws-resource-types.json --check

The input is not in this repository: a condensed form of AWS's CloudFormation
resource provider schemas, {"source", "as_of", "types": {NAME: {"createOnly",
"writeOnly", "readOnly", "taggable"}}}. Property paths become JSON pointers;
`*` stands for every element of a list.

--check exits 1 when the committed table is not what the input gives.
"""

import argparse
import json
import pathlib
import sys

OUT = pathlib.Path(__file__).parent.parent / "src" / "aws" / "types.json"

TYPES = [
    "AWS::EC2::EIP",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ECR::Repository",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBSubnetGroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
]


def pointers(paths):
    """Without those that a shorter one already covers."""
    found = sorted({"/" + path for path in paths})
    return [p for p in found if not any(p.startswith(q + "/") for q in found)]


def outputs(paths):
    """Read-only properties to refer to: the innermost, two deep at most."""
    found = sorted("/" + path for path in paths if path.count("/") <= 1)
    return [p for p in found if not any(q.startswith(p + "/") for q in found)]


def derive(reference):
    types = {}
    for name in TYPES:
        facts = reference["types"].get(name)
        if facts is None:
            sys.exit(f"{name} is not in the input")
        types[name] = {
            "createOnly": pointers(facts["createOnly"]),
            "writeOnly": pointers(facts["writeOnly"]),
            "outputs": outputs(facts["readOnly"]),
            "tags": facts["taggable"],
        }
    return {
        "derivedBy": "crates/plan/derive/derive_types.py",
        "source": f"{reference['source']}: {reference['as_of']}",
        "types": types,
    }


def text(table):
    compact = lambda value: json.dumps(value, separators=(",", ":"))
    blocks = []
    for name, facts in table["types"].items():
        rows = ",\n".join(f"   {compact(key)}: {compact(value)}" for key, value in facts.items())
        blocks.append(f"  {compact(name)}: {{\n{rows}\n  }}")
    head = "".join(f" {compact(key)}: {compact(table[key])},\n" for key in ("derivedBy", "source"))
    return "{\n" + head + ' "types": {\n' + ",\n".join(blocks) + "\n }\n}\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    derived = text(derive(json.loads(pathlib.Path(args.reference).read_text())))
    json.loads(derived)
    if args.check:
        if args.out.read_text() != derived:
            sys.exit(f"{args.out} is not what the input gives: run this without --check")
        return
    args.out.write_text(derived)


if __name__ == "__main__":
    main()
