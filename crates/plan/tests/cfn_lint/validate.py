#!/usr/bin/env python3
"""Judges the desired states of the blueprint by cfn-lint's resource schemas.

    cargo run -q -p landfall-plan --example desired-states \
      | python3 crates/plan/tests/cfn_lint/validate.py

Needs `pip install cfn-lint`. Reads [{"scenario", "region", "nodes": [{"address",
"type", "properties"}]}] and writes each scenario as a CloudFormation template.
Prints one line of numbers; exits 1 on any error or warning, or when cfn-lint
would not have noticed a wrong property.
"""

import copy
import json
import re
import sys

from cfnlint.api import ManualArgs, lint

# Rules about templates, which ours are not: we fill in values that a template
# would leave to parameters and references.
IGNORED = [
    "W3010",  # availability zones should not be hardcoded
    # It knows full versions only; RDS completes a major version by itself.
    "W3691",
    "I",
]


def template(nodes):
    resources = {}
    for node in nodes:
        name = "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", node["address"]))
        if name in resources:
            sys.exit(f"{node['address']}: another address makes the same logical id")
        resource = {"Type": node["type"], "Properties": node["properties"]}
        # Where a stack is deleted, data must stay: no matter for us, but asked for.
        resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Retain"
        resources[name] = resource
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def judge(body, region):
    config = ManualArgs(ignore_checks=IGNORED, regions=[region], include_checks=["W"])
    return lint(json.dumps(body, indent=1), config=config)


def notices_mistakes(nodes, region):
    """The oracle itself is tried: every type with a property too many."""
    body = template(copy.deepcopy(nodes))
    for resource in body["Resources"].values():
        resource["Properties"]["NotAProperty"] = True
    found = {match.path[1] for match in judge(body, region) if len(match.path) > 1}
    return set(body["Resources"]) - found


def main():
    scenarios = json.load(sys.stdin)
    problems = 0
    types = set()
    count = 0
    for scenario in scenarios:
        nodes = scenario["nodes"]
        count += len(nodes)
        types |= {node["type"] for node in nodes}
        for match in judge(template(nodes), scenario["region"]):
            problems += 1
            path = "/".join(str(part) for part in match.path)
            print(f"{scenario['scenario']}: {match.rule.id} {path}: {match.message}", file=sys.stderr)
    for name in sorted(notices_mistakes(scenarios[0]["nodes"], scenarios[0]["region"])):
        problems += 1
        print(f"cfn-lint did not notice a wrong property of {name}", file=sys.stderr)
    print(f"scenarios={len(scenarios)} nodes={count} types={len(types)} problems={problems}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
