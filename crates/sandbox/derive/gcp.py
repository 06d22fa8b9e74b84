#!/usr/bin/env python3
"""Derives src/gcp/roles.json, the predefined roles the sandbox knows.

usage: gcp.py gcp-roles.json > ../src/gcp/roles.json

The input, which is not in this repository, holds Google Cloud's predefined
roles and their permissions (iann0036/iam-dataset, MIT). Roles that it calls too
broad to list are left out: src/gcp/roles.rs has rules for the basic ones.
Permissions are grouped by resource, to be readable in a difference.
"""

import collections
import json
import sys

# Not in the input. Google Cloud docs, "IAM roles and permissions index".
MORE = {
    "roles/resourcemanager.organizationAdmin": [
        "orgpolicy.constraints.list", "orgpolicy.policies.list", "orgpolicy.policy.get",
        "resourcemanager.folders.get", "resourcemanager.folders.getIamPolicy",
        "resourcemanager.folders.list", "resourcemanager.folders.setIamPolicy",
        "resourcemanager.organizations.get", "resourcemanager.organizations.getIamPolicy",
        "resourcemanager.organizations.setIamPolicy", "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.list",
        "resourcemanager.projects.setIamPolicy",
    ],
    "roles/iam.organizationRoleAdmin": [
        "iam.roles.create", "iam.roles.delete", "iam.roles.get", "iam.roles.list",
        "iam.roles.undelete", "iam.roles.update", "resourcemanager.organizations.get",
        "resourcemanager.organizations.getIamPolicy", "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.list",
    ],
    "roles/iam.organizationRoleViewer": [
        "iam.roles.get", "iam.roles.list", "resourcemanager.organizations.get",
        "resourcemanager.organizations.getIamPolicy", "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.list",
    ],
    "roles/iam.serviceAccountKeyAdmin": [
        "iam.serviceAccountKeys.create", "iam.serviceAccountKeys.delete",
        "iam.serviceAccountKeys.disable", "iam.serviceAccountKeys.enable",
        "iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list",
        "iam.serviceAccounts.get", "iam.serviceAccounts.list",
        "resourcemanager.projects.get", "resourcemanager.projects.list",
    ],
    "roles/resourcemanager.folderAdmin": [
        "resourcemanager.folders.create", "resourcemanager.folders.delete",
        "resourcemanager.folders.get", "resourcemanager.folders.getIamPolicy",
        "resourcemanager.folders.list", "resourcemanager.folders.move",
        "resourcemanager.folders.setIamPolicy", "resourcemanager.folders.undelete",
        "resourcemanager.folders.update", "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.list",
        "resourcemanager.projects.setIamPolicy",
    ],
    "roles/resourcemanager.folderIamAdmin": [
        "resourcemanager.folders.get", "resourcemanager.folders.getIamPolicy",
        "resourcemanager.folders.setIamPolicy",
    ],
}


def main(path):
    source = json.load(open(path))
    roles = {
        name: role["permissions"]
        for name, role in source["roles"].items()
        if role["permissions"] is not None
    }
    roles.update(MORE)
    table = {"source": source["source"], "as_of": source["as_of"], "roles": {}}
    for name in sorted(roles):
        verbs = collections.defaultdict(list)
        for permission in sorted(roles[name]):
            resource, _, verb = permission.rpartition(".")
            verbs[resource].append(verb)
        table["roles"][name] = {resource: " ".join(verbs[resource]) for resource in sorted(verbs)}
    json.dump(table, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
