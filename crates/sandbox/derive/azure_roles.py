#!/usr/bin/env python3
"""Derives src/azure/arm/roles.json, the built-in roles the sandbox knows.

    azure_roles.py azure-roles.json ../src/azure/arm/roles.json

The input holds built-in role definitions of Azure: `{"source", "as_of",
"roles": {name: {"id", "permissions": [...]}}}`.
"""

import json
import pathlib
import sys

FIELDS = ("actions", "notActions", "dataActions", "notDataActions")


def main(source, out):
    data = json.loads(pathlib.Path(source).read_text())
    roles = {
        name: {
            "id": role["id"].lower(),
            "permissions": [
                {field: permission.get(field) or [] for field in FIELDS}
                for permission in role["permissions"]
            ],
        }
        for name, role in sorted(data["roles"].items())
    }
    table = {"source": data["source"], "as_of": data["as_of"], "roles": roles}
    pathlib.Path(out).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
