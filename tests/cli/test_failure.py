"""Every error class has one exit code, one line and one event."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from bundle import errors
from bundle.cli.failure import failure_of, report
from bundle.cli.output import Output, OutputClosedError
from bundle.errors import BundleError

CODES: dict[type[BundleError], int] = {
    errors.BundleError: 1,
    errors.UsageError: 2,
    errors.FormatError: 10,
    errors.TruncatedError: 10,
    errors.LimitError: 10,
    errors.IntegrityError: 11,
    errors.TrustError: 12,
    errors.MissingError: 13,
    errors.TargetError: 14,
    errors.SpaceError: 14,
    errors.ExistsError: 14,
    errors.SourceError: 15,
    errors.StoreError: 16,
    errors.NotFoundError: 16,
    errors.TransientError: 16,
    errors.PartialError: 20,
}


def make(kind: type[BundleError]) -> BundleError:
    """An error of a class, with every fact that the class has room for."""
    if issubclass(kind, errors.FormatError):
        return kind("it broke", rule="5.2.1", offset=64, advice="mend it")
    if issubclass(kind, errors.IntegrityError | errors.TrustError):
        return kind("it broke", rule="20.1", advice="mend it")
    if issubclass(kind, errors.PartialError):
        return kind("it broke", left=("one", "two"), advice="mend it")
    return kind("it broke", advice="mend it")


def output(*, as_json: bool = False) -> tuple[Output, io.StringIO, io.StringIO]:
    """An output that can be looked at."""
    stdout, stderr = io.StringIO(), io.StringIO()
    return Output(stdout, stderr, {}, as_json=as_json), stdout, stderr


def test_the_table_has_every_class() -> None:
    classes = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, BundleError)
    }
    assert classes == set(CODES)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_a_class_has_its_exit_code_and_a_line_with_advice(
    kind: type[BundleError],
) -> None:
    out, stdout, stderr = output()
    assert report(make(kind), out, debug=False) == CODES[kind]
    lines = stderr.getvalue().splitlines()
    assert lines[0].startswith("bundle: it broke")
    assert lines[-1] == "mend it"
    assert stdout.getvalue() == ""


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_a_class_has_its_event(kind: type[BundleError]) -> None:
    error = make(kind)
    out, stdout, stderr = output(as_json=True)
    assert report(error, out, debug=False) == CODES[kind]
    (line,) = stdout.getvalue().splitlines()
    assert json.loads(line) == {
        "event": "error",
        "class": kind.__name__,
        "exitCode": CODES[kind],
        "message": "it broke",
        "advice": "mend it",
        "rule": getattr(error, "rule", None),
        "offset": getattr(error, "offset", None),
        "left": list(getattr(error, "left", ())),
    }
    assert stderr.getvalue() == ""


def test_the_line_names_rule_and_offset() -> None:
    out, _, stderr = output()
    report(make(errors.FormatError), out, debug=False)
    assert stderr.getvalue() == "bundle: it broke at byte 64 (rule 5.2.1)\nmend it\n"


def test_what_was_left_undone_is_listed() -> None:
    out, _, stderr = output()
    report(make(errors.PartialError), out, debug=False)
    assert stderr.getvalue() == "bundle: it broke\n  one\n  two\nmend it\n"


def test_an_unexpected_error_is_one_line_and_the_way_to_more() -> None:
    out, _, stderr = output()
    assert report(ValueError("a\nb"), out, debug=False) == 1
    first, second = stderr.getvalue().splitlines()
    assert first == r"bundle: unexpected ValueError: a\nb"
    assert "BUNDLE_DEBUG=1" in second


def test_debugging_shows_where_it_happened() -> None:
    out, _, stderr = output()
    with pytest.raises(KeyError) as raised:
        vars(errors)["\x1b[2J"]
    report(raised.value, out, debug=True)
    text = stderr.getvalue()
    assert "Traceback" in text
    assert "test_failure.py" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupt_is_130(kind: type[BaseException]) -> None:
    out, _, stderr = output()
    assert report(kind(), out, debug=False) == 130
    assert stderr.getvalue() == "bundle: interrupted\n"


def test_a_reader_that_left_is_no_error() -> None:
    out, stdout, stderr = output()
    assert report(OutputClosedError(), out, debug=False) == 0
    assert stdout.getvalue() == stderr.getvalue() == ""


GROUPS = {
    "ours before what it caused": (
        [ValueError(), make(errors.TrustError)],
        "TrustError",
    ),
    "an interrupt before all": (
        [make(errors.TrustError), asyncio.CancelledError()],
        "Interrupted",
    ),
    "the first of ours": (
        [make(errors.SourceError), make(errors.TrustError)],
        "SourceError",
    ),
    "a group in a group": (
        [BaseExceptionGroup("", [make(errors.SpaceError)]), OSError()],
        "SpaceError",
    ),
}


@pytest.mark.parametrize(("leaves", "name"), GROUPS.values(), ids=GROUPS.keys())
def test_a_group_tells_of(leaves: list[BaseException], name: str) -> None:
    assert failure_of(BaseExceptionGroup("some failed", leaves)).name == name
