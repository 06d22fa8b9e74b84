#!/usr/bin/env python3
"""Derives src/types/table.json, the resource types the sandbox knows.

    derive.py --reference aws-resource-types.json --durations resource-dags.json
              --cfn-lint .../site-packages/cfnlint --out ../src/types/table.json
    derive.py --check --cfn-lint .../site-packages/cfnlint --out ../src/types/table.json

Inputs, none of which is in this repository:
  --reference  condensed AWS CloudFormation resource provider schemas: property
               classes, primary identifiers and IAM actions per handler.
  --durations  typical seconds per resource of a public web service.
  --cfn-lint   an installed cfn-lint (pip install cfn-lint), for the shape of
               every property: type, enum, bounds, nested objects.

--check compares a table with an installed cfn-lint and exits 1 when the table
says something that cfn-lint contradicts: a property that AWS does not have, a
property class or an identifier that differs. What AWS has added since only
makes the count of newer properties grow.
"""

import argparse
import json
import pathlib
import sys

# What the sandbox's validator understands. Descriptions and cfn-lint's own
# cross-template relations are dropped: they only make sense in a template.
KEEP = (
    "type", "properties", "required", "additionalProperties", "patternProperties",
    "items", "enum", "enumCaseInsensitive", "const", "default", "minimum", "maximum",
    "minLength", "maxLength", "pattern", "minItems", "maxItems", "minProperties",
    "maxProperties", "uniqueItems", "$ref", "oneOf", "anyOf", "requiredXor",
    "requiredOr", "dependentRequired", "dependentExcluded",
)
CLASSES = ("readOnly", "writeOnly", "createOnly")

# Types whose duration no log of ours covers: estimates.
SECONDS = {
    "AWS::EKS::Cluster": 600, "AWS::EKS::Nodegroup": 150, "AWS::EKS::FargateProfile": 90,
    "AWS::EKS::Addon": 60, "AWS::RDS::DBCluster": 300, "AWS::CloudFront::Distribution": 240,
    "AWS::ElastiCache::ServerlessCache": 120, "AWS::EC2::VPCEndpoint": 60,
    "AWS::CertificateManager::Certificate": 60, "AWS::CloudFormation::StackSet": 10,
    "AWS::IAM::InstanceProfile": 12, "AWS::IAM::ServiceLinkedRole": 12,
    "AWS::KMS::Key": 8, "AWS::Route53::HostedZone": 30,
}
DEFAULT_SECONDS = 3


def load_cfn_lint(root):
    root = pathlib.Path(root)
    schemas = root / "data" / "schemas"
    names = json.loads((schemas / "providers" / "us-east-1.json").read_text())
    version = "unknown"
    for info in root.parent.glob("cfn_lint-*.dist-info"):
        version = info.name.removeprefix("cfn_lint-").removesuffix(".dist-info")

    def schema(type_name):
        digest = names.get(type_name)
        if digest is None:
            return None
        return json.loads((schemas / "resources" / f"{digest}.json").read_text())

    return version, schema


def usable(pattern):
    """Rust's regex has no look-around; such patterns are left to AWS."""
    return "(?=" not in pattern and "(?!" not in pattern and "(?<" not in pattern


def rust_pattern(pattern):
    """Java's and ECMA's patterns in Rust's syntax, where they differ."""
    pattern = pattern.replace("\\Z", "$").replace("\\p{Print}", "[\\x20-\\x7E]")
    pattern = pattern.replace("\\/", "/")
    out, in_class, i = [], False, 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            out.append(pattern[i:i + 2])
            i += 2
            continue
        if in_class and char == "[":
            # A bare bracket in a class opens a nested class in Rust.
            out.append("\\[")
        elif in_class and char in "&~-" and pattern[i:i + 2] == char * 2:
            out.append("\\" + char)
        else:
            out.append(char)
        if char == "[" and not in_class:
            in_class = True
        elif char == "]" and in_class:
            in_class = False
        i += 1
    return "".join(out)


def slim(node):
    if not isinstance(node, dict):
        return node
    out = {}
    for key in KEEP:
        if key not in node:
            continue
        value = node[key]
        if key in ("properties", "patternProperties"):
            value = {k: slim(v) for k, v in sorted(value.items())}
        elif key == "items":
            value = slim(value)
        elif key in ("oneOf", "anyOf"):
            value = [slim(v) for v in value]
            # An alternative that only said "refers to another resource" accepts anything.
            if any(v in ({}, True) for v in value):
                continue
        elif key == "pattern":
            if not usable(value):
                continue
            value = rust_pattern(value)
        elif key == "additionalProperties" and isinstance(value, dict):
            value = slim(value)
        out[key] = value
    return out


def paths(pointers):
    return [p.removeprefix("/properties/").replace("/properties/", "/") for p in pointers]


def union(first, second):
    return first + [p for p in second if p not in first]


def list_parents(schema):
    """Properties that ListResources wants in its ResourceModel (any one set)."""
    handler = schema.get("handlers", {}).get("list", {}).get("handlerSchema", {})
    if handler.get("required"):
        return [sorted(handler["required"])]
    return [sorted(o["required"]) for o in handler.get("oneOf", []) if o.get("required")]


def durations(path):
    seen = {}
    for graph in json.loads(pathlib.Path(path).read_text()).values():
        for node in graph.get("nodes", {}).values() if isinstance(graph, dict) else []:
            if "type" in node and str(node["type"]).startswith("AWS::"):
                seen.setdefault(node["type"], set()).add(node["secs"])
    return seen


def derive(args):
    reference = json.loads(pathlib.Path(args.reference).read_text())
    seconds = durations(args.durations)
    version, schema_of = load_cfn_lint(args.cfn_lint)
    types = {}
    for name, facts in sorted(reference["types"].items()):
        schema = schema_of(name)
        if schema is None:
            sys.exit(f"{name} is not in cfn-lint {version}")
        entry = {k: facts[k] for k in ("primaryIdentifier", "taggable")}
        entry["required"] = facts["required"]
        for cls in CLASSES:
            entry[cls] = union(facts[cls], paths(schema.get(f"{cls}Properties", [])))
        entry["conditionalCreateOnly"] = facts["conditionalCreateOnly"]
        own = sorted(seconds.get(name, {SECONDS.get(name, DEFAULT_SECONDS)}))
        entry["seconds"] = own[0]
        if len(own) > 1:
            entry["secondsMultiAz"] = own[-1]
        if parents := list_parents(schema):
            entry["listParents"] = parents
        entry["handlers"] = dict(sorted(facts["handlers"].items()))
        entry["shape"] = slim({k: v for k, v in schema.items() if k != "required"})
        entry["shape"].setdefault("type", "object")
        entry["definitions"] = {k: slim(v) for k, v in sorted(schema.get("definitions", {}).items())}
        types[name] = entry
    return {
        "derivedBy": "crates/sandbox/derive/derive.py",
        "sources": [
            f"{reference['source']}: {reference['as_of']}",
            f"cfn-lint {version}: property shapes, and property classes added since",
            "seconds: public apply logs; estimates where no log was found",
        ],
        "types": types,
    }


def write(table, out):
    """One line per property, so that a change of the table is a readable diff."""
    compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    lines = ["{", f' "derivedBy": {compact(table["derivedBy"])},', ' "sources": [']
    lines.append(",\n".join(f"  {compact(s)}" for s in table["sources"]))
    lines += [" ],", ' "types": {']
    blocks = []
    for name, entry in table["types"].items():
        rows = []
        for key, value in entry.items():
            if key == "definitions" or key == "handlers":
                inner = ",\n".join(f"    {compact(k)}: {compact(v)}" for k, v in value.items())
                rows.append(f"   {compact(key)}: {{\n{inner}\n   }}" if inner else f"   {compact(key)}: {{}}")
            elif key == "shape":
                props = value.get("properties", {})
                rest = {k: v for k, v in value.items() if k != "properties"}
                inner = ",\n".join(f"     {compact(k)}: {compact(v)}" for k, v in props.items())
                head = compact(rest)[1:-1]
                rows.append(f'   "shape": {{{head},"properties": {{\n{inner}\n   }}}}')
            else:
                rows.append(f"   {compact(key)}: {compact(value)}")
        blocks.append(f"  {compact(name)}: {{\n" + ",\n".join(rows) + "\n  }")
    lines.append(",\n".join(blocks))
    lines += [" }", "}"]
    text = "\n".join(lines) + "\n"
    json.loads(text)
    pathlib.Path(out).write_text(text)


def check(args):
    table = json.loads(pathlib.Path(args.out).read_text())
    version, schema_of = load_cfn_lint(args.cfn_lint)
    problems, newer = [], 0
    for name, entry in table["types"].items():
        schema = schema_of(name)
        if schema is None:
            problems.append(f"{name}: unknown to cfn-lint {version}")
            continue
        ours, theirs = set(entry["shape"]["properties"]), set(schema["properties"])
        newer += len(theirs - ours)
        problems += [f"{name}: property {p} is not AWS's" for p in sorted(ours - theirs)]
        for cls in CLASSES:
            missing = set(paths(schema.get(f"{cls}Properties", []))) - set(entry[cls])
            problems += [
                f"{name}: {p} should be {cls}" for p in sorted(missing) if p.split("/")[0] in ours
            ]
        if paths(schema["primaryIdentifier"]) != entry["primaryIdentifier"]:
            problems.append(f"{name}: primary identifier differs")
        for cls in CLASSES + ("primaryIdentifier", "required"):
            for path in entry[cls]:
                if path.split("/")[0] not in ours:
                    problems.append(f"{name}: {cls} names {path}, which is no property")
    count = len(table["types"])
    print(f"types={count} cfn-lint={version} newer={newer} problems={len(problems)}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference")
    parser.add_argument("--durations")
    parser.add_argument("--cfn-lint", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        sys.exit(check(args))
    if not args.reference or not args.durations:
        parser.error("--reference and --durations are needed to derive")
    write(derive(args), args.out)


if __name__ == "__main__":
    main()
