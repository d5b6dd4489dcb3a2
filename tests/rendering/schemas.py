"""What OpenShift's mirror sets may look like, as their definitions say.

Taken down from the reference of the API group config.openshift.io/v1, as far as
these kinds go; what is not listed is refused, as the cluster prunes it.
"""

from __future__ import annotations

from typing import Any


def mirror_set(kind: str, member: str) -> dict[str, Any]:
    """Return the schema of one kind of mirror set."""
    registry = r"^((?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+(?::[0-9]+)?)"
    path = r"((?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)$"
    rule = {
        "type": "object",
        "required": ["source"],
        "additionalProperties": False,
        "properties": {
            "source": {"type": "string", "pattern": registry + path},
            "mirrors": {
                "type": "array",
                "uniqueItems": True,
                "items": {"type": "string", "pattern": registry + path},
            },
            "mirrorSourcePolicy": {
                "enum": ["NeverContactSource", "AllowContactingSource"]
            },
        },
    }
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": "config.openshift.io/v1"},
            "kind": {"const": kind},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
                },
            },
            "spec": {
                "type": "object",
                "required": [member],
                "additionalProperties": False,
                "properties": {member: {"type": "array", "items": rule}},
            },
        },
    }
