"""The tree of errors, its exit codes and what an error says."""

from __future__ import annotations

import inspect
import re

import pytest

from bundle import errors
from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    LimitError,
    PartialError,
    TrustError,
)

EXIT_CODES = {
    "BundleError": 1,
    "UsageError": 2,
    "FormatError": 10,
    "TruncatedError": 10,
    "LimitError": 10,
    "IntegrityError": 11,
    "TrustError": 12,
    "MissingError": 13,
    "TargetError": 14,
    "SpaceError": 14,
    "ExistsError": 14,
    "SourceError": 15,
    "StoreError": 16,
    "NotFoundError": 16,
    "TransientError": 16,
    "PartialError": 20,
}


def classes() -> dict[str, type[BundleError]]:
    return {
        name: value
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, BundleError)
    }


def test_every_class_has_its_exit_code() -> None:
    assert {name: cls.exit_code for name, cls in classes().items()} == EXIT_CODES


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        match = re.match(r"( *)[*+-] (\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 2
            path[depth:] = [match[2]]
            drawn[match[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {name: cls.__bases__[0].__name__ for name, cls in classes().items()}


@pytest.mark.parametrize("cls", [FormatError, LimitError, IntegrityError, TrustError])
def test_who_blames_data_names_the_rule(
    cls: type[FormatError | IntegrityError | TrustError],
) -> None:
    error = cls("it is bad", rule="5.2", advice="ask again")
    assert str(error) == "it is bad (rule 5.2)"
    assert (error.rule, error.advice) == ("5.2", "ask again")


def test_a_format_error_says_where() -> None:
    error = FormatError("bad magic", rule="5.1", offset=64)
    assert str(error) == "bad magic at byte 64 (rule 5.1)"
    assert error.offset == 64


def test_a_partial_error_lists_what_is_left() -> None:
    assert PartialError("two files", left=("a", "b")).left == ("a", "b")
    assert PartialError("two files").advice == ""
