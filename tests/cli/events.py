"""The schema of chapter 40, with unknown members refused in what we write."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema

SPEC = Path(__file__).parents[2] / "spec"
SCHEMA: dict[str, Any] = json.loads((SPEC / "schemas/event.schema.json").read_text())
PROSE = (SPEC / "events.md").read_text()
EXAMPLES: list[dict[str, Any]] = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", PROSE, re.DOTALL)
]


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with unknown members refused, for what we write ourselves."""
    strict = copy.deepcopy(schema)

    def close(value: object) -> None:
        if isinstance(value, dict):
            if value.get("type") == "object":
                value["additionalProperties"] = False
            for member in value.values():
                close(member)
        elif isinstance(value, list):
            for member in value:
                close(member)

    close(strict)
    return strict


VALIDATOR = jsonschema.Draft202012Validator(closed(SCHEMA))


def check_events(text: str) -> list[dict[str, Any]]:
    """Return the events in what a run wrote, each checked against the schema."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        VALIDATOR.validate(event)
    return events
