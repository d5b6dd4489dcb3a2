"""What may be typed, what may be set, and how the rest is refused."""

from __future__ import annotations

import argparse
import re

import pytest

from bundle.cli.parser import build_parser, parse
from bundle.errors import UsageError

PACK = ["pack", "tree:x", "--out", "o", "--stream", "s", "--key", "k"]

USAGE = {
    "no command": ([], "required: COMMAND"),
    "a command that does not exist": (["unpak"], "invalid choice: 'unpak'"),
    "a group without its command": (["trust"], "required: COMMAND"),
    "an option that does not exist": (
        [*PACK, "--fast"],
        "unrecognized arguments: --fast",
    ),
    "an option cut short": ([*PACK, "--dry"], "unrecognized arguments: --dry"),
    "an option before its command": (
        ["--json", "doctor", "tree:x"],
        "unrecognized arguments",
    ),
    "pack without a key": (["pack", "--out", "o", "--stream", "s"], "required: --key"),
    "pack without --out": (["pack", "tree:x"], "required: --out, --stream, --key"),
    "an option without its value": ([*PACK, "--expires"], "--expires: expected one"),
    "no days": ([*PACK, "--expires", "0"], "'0' is not a whole number from 1 to"),
    "half days": ([*PACK, "--expires", "1.5"], "'1.5' is not a whole number"),
    "days beyond a century": ([*PACK, "--expires", "36501"], "from 1 to 36500"),
    "no jobs": (["verify", "b", "--jobs", "0"], "'0' is not a whole number from 1 to"),
    "jobs by name": (["verify", "b", "--jobs", "all"], "'all' is not a whole number"),
    "a volume of 4 GiB": (
        [*PACK, "--volume-size", "4GiB"],
        "'4GiB' is not between 8MiB",
    ),
    "a volume of 1 MiB": (
        [*PACK, "--volume-size", "1MiB"],
        "'1MiB' is not between 8MiB",
    ),
    "a volume of 1 G": ([*PACK, "--volume-size", "1G"], "'1G' is not a size such as"),
    "verify without a bundle": (["verify"], "required: BUNDLE"),
    "unpack without --to": (["unpack", "b"], "required: --to"),
    "cat without a path": (["cat", "b", "a"], "required: PATH"),
    "two targets for doctor": (
        ["doctor", "tree:a", "tree:b"],
        "unrecognized arguments",
    ),
    "an unknown shell": (["completion", "fish"], "invalid choice: 'fish'"),
}

FROM_VARIABLES = {
    "an option": ("BUNDLE_OUT", "elsewhere", "out", "elsewhere"),
    "a number": ("BUNDLE_JOBS", "7", "jobs", 7),
    "a size": ("BUNDLE_VOLUME_SIZE", "8MiB", "volume_size", 8 << 20),
    "a switch that is on": ("BUNDLE_DRY_RUN", "Yes", "dry_run", True),
    "a switch that is off": ("BUNDLE_DRY_RUN", "0", "dry_run", False),
    "an empty switch": ("BUNDLE_DRY_RUN", "", "dry_run", False),
    "words": ("BUNDLE_INCLUDE", "*.json 'a b/*'", "include", ["*.json", "a b/*"]),
    "the state": ("BUNDLE_STATE", "st", "state", "st"),
}

TYPED_BEATS_SET = {
    "an option": ("BUNDLE_EXPIRES", "9", ["--expires", "3"], "expires", 3),
    "a switch": ("BUNDLE_QUIET", "1", ["--no-quiet"], "quiet", False),
    "several": ("BUNDLE_AUDIENCE", "a b", ["--audience", "c"], "audience", ["c"]),
    "an option that cannot be read": ("BUNDLE_JOBS", "?", ["--jobs", "2"], "jobs", 2),
}

BAD_VARIABLES = {
    "a number": ("BUNDLE_JOBS", "many", "BUNDLE_JOBS: 'many' is not a whole number"),
    "a switch": ("BUNDLE_QUIET", "maybe", "BUNDLE_QUIET: 'maybe' is neither on"),
    "words": ("BUNDLE_EXCLUDE", "'a", "BUNDLE_EXCLUDE: No closing quotation"),
}


@pytest.mark.parametrize(("arguments", "said"), USAGE.values(), ids=USAGE.keys())
def test_is_refused_with_the_way_to_help(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as refused:
        parse(arguments, {})
    assert refused.value.advice.startswith("see: bundle")
    assert refused.value.advice.endswith("--help")


@pytest.mark.parametrize(
    ("variable", "value", "option", "expected"),
    FROM_VARIABLES.values(),
    ids=FROM_VARIABLES.keys(),
)
def test_comes_from_its_variable(
    variable: str, value: str, option: str, expected: object
) -> None:
    arguments = ["pack", "tree:x", "--stream", "s", "--key", "k"]
    if option != "out":
        arguments += ["--out", "o"]
    assert getattr(parse(arguments, {variable: value}), option) == expected


@pytest.mark.parametrize(
    ("variable", "value", "typed", "option", "expected"),
    TYPED_BEATS_SET.values(),
    ids=TYPED_BEATS_SET.keys(),
)
def test_typed_beats_set(
    variable: str, value: str, typed: list[str], option: str, expected: object
) -> None:
    assert getattr(parse([*PACK, *typed], {variable: value}), option) == expected


@pytest.mark.parametrize(
    ("variable", "value", "said"), BAD_VARIABLES.values(), ids=BAD_VARIABLES.keys()
)
def test_a_bad_variable_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(PACK, {variable: value})


def test_a_bad_variable_does_not_matter_to_a_verb_without_the_option() -> None:
    assert parse(["doctor", "tree:x"], {"BUNDLE_EXPIRES": "?"}).target == "tree:x"


def test_every_option_has_its_variable_in_the_help() -> None:
    for parser in _parsers(build_parser({})):
        for action in parser._actions:
            names = [name for name in action.option_strings if name.startswith("--")]
            if names and names[0] not in ("--help", "--version"):
                variable = "BUNDLE_" + names[0][2:].replace("-", "_").upper()
                assert f"[{variable}]" in (action.help or "")


def test_every_verb_takes_the_common_options() -> None:
    verbs = [each for each in _parsers(build_parser({})) if each.get_default("run")]
    assert len(verbs) > 11
    for verb in verbs:
        usage = " ".join(verb.format_usage().split())
        assert "[--json] [--quiet] [--jobs N]" in usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["unpack", "b", "--to", "tree:1", "hf-home:2", "--to", "hf-cache:3"],
        ["unpack", "--to", "tree:1", "--to", "hf-home:2", "--to", "hf-cache:3", "b"],
        ["unpack", "--to", "tree:1", "hf-home:2", "hf-cache:3", "b", "--quiet"],
    ],
    ids=["mixed", "one each", "in a row before the bundle"],
)
def test_targets_may_follow_one_another_or_repeat_the_option(
    arguments: list[str],
) -> None:
    options = parse(arguments, {})
    assert options.to == ["tree:1", "hf-home:2", "hf-cache:3"]
    assert options.bundles == ["b"]


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found += _parsers(below)
    return found
