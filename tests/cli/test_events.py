"""The schema of chapter 40: closed enough to catch mistakes, and true to its prose."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from bundle import errors
from bundle.errors import BundleError
from tests.cli.events import EXAMPLES, PROSE, SCHEMA, VALIDATOR


def name_of(event: dict[str, Any]) -> str:
    """What an event is called, and of which verb."""
    return f"{event['event']} {event.get('verb', '')}".strip()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_in_the_prose_is_valid(example: dict[str, Any]) -> None:
    VALIDATOR.validate(example)


def test_every_event_of_the_schema_has_an_example() -> None:
    described = [
        jsonschema.Draft202012Validator({"$ref": ref["$ref"], "$defs": SCHEMA["$defs"]})
        for ref in SCHEMA["oneOf"]
    ]
    for validator in described:
        assert any(validator.is_valid(example) for example in EXAMPLES), (
            validator.schema
        )


BROKEN = {
    "a member is missing": {"path": None},
    "a size is text": {"size": "12"},
    "a size is below zero": {"size": -1},
    "a size is no integer": {"size": 1.5},
    "a mode that does not exist": {"mode": "link"},
    "a digest in upper case": {"sha256": "AB" * 32},
    "an event that does not exist": {"event": "fil"},
    "a member too many": {"colour": "red"},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_valid(change: dict[str, Any]) -> None:
    example = next(each for each in EXAMPLES if each["event"] == "file")
    broken = {
        name: value
        for name, value in {**example, **change}.items()
        if value is not None
    }
    VALIDATOR.validate(example)
    assert not VALIDATOR.is_valid(broken)


def test_a_reader_may_ignore_a_member_it_does_not_know() -> None:
    example = {**EXAMPLES[0], "added-later": 1}
    jsonschema.Draft202012Validator(SCHEMA).validate(example)


def test_the_classes_are_those_of_the_package() -> None:
    codes = {
        value.__name__: value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, BundleError)
    }
    rows = re.findall(r"^\| (\d+) \| (`.*?`) \|", PROSE, re.MULTILINE)
    documented = {
        name: int(code)
        for code, names in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert documented == codes | {"Unexpected": 1, "Interrupted": 130}
    error = next(each for each in EXAMPLES if each["event"] == "error")
    assert set(SCHEMA["$defs"]["error"]["properties"]["class"]["enum"]) == set(
        documented
    )
    for name, code in documented.items():
        VALIDATOR.validate({**error, "class": name, "exitCode": code})
        assert not VALIDATOR.is_valid({**error, "class": name, "exitCode": 99})
