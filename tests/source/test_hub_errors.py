"""Errors of the library, of whatever version, become errors of this tool."""

from __future__ import annotations

import errno

import pytest

from bundle.errors import (
    SourceError,
    SpaceError,
    StoreError,
    TargetError,
    TransientError,
    UsageError,
)
from bundle.source.hub_errors import hub_error, hub_errors


class OfflineModeIsEnabled(ConnectionError):  # noqa: N818 - as the library has it
    """What the library raises under HF_HUB_OFFLINE."""


class HFValidationError(ValueError):
    """What the library raises for a name that it does not like."""


class EntryNotFoundError(Exception):
    """What the library raises for a file that is not there."""


class LocalEntryNotFoundError(FileNotFoundError, EntryNotFoundError, ValueError):
    """What the library raises when it looked in its cache last."""


class Answered(OSError):  # noqa: N818 - as the library has it
    """An error that holds an answer of the Hub."""

    def __init__(self, status: int) -> None:
        super().__init__("answered\n\nmore")
        self.response = type("Response", (), {"status_code": status})()


ERRORS = {
    "offline": (OfflineModeIsEnabled("no"), StoreError, "HF_HUB_OFFLINE"),
    "a name": (HFValidationError("bad"), UsageError, "not a valid name"),
    "a type": (ValueError("Invalid repo type"), UsageError, "Invalid repo type"),
    "nothing in the cache": (LocalEntryNotFoundError("gone"), TransientError, "gone"),
    "not admitted": (Answered(401), SourceError, "refuses"),
    "forbidden": (Answered(403), SourceError, "refuses"),
    "a file that is gone": (Answered(404), SourceError, "not on the Hub"),
    "a teapot": (Answered(418), StoreError, "answered 418"),
    "a full disk": (OSError(errno.ENOSPC, "No space left"), SpaceError, "no space"),
    "a full disk with a name": (
        OSError(errno.ENOSPC, "No space left", "/c/x"),
        SpaceError,
        "no space left for /c/x",
    ),
    "a disk that refuses": (
        PermissionError(errno.EACCES, "Permission denied", "/c"),
        TargetError,
        "/c: Permission denied",
    ),
    "a socket that refuses": (
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        TransientError,
        "cannot be reached",
    ),
    "anything": (RuntimeError("\nfirst\nsecond"), StoreError, "RuntimeError first$"),
    "anything without words": (RuntimeError(), StoreError, "failed: RuntimeError$"),
}


@pytest.mark.parametrize(
    ("error", "kind", "message"), ERRORS.values(), ids=ERRORS.keys()
)
def test_every_error_of_the_library_becomes_one_of_ours(
    error: Exception, kind: type[Exception], message: str
) -> None:
    found = hub_error(error, "hf://x")
    assert type(found) is kind
    with pytest.raises(kind, match=message):
        raise found


def test_the_original_error_is_kept_as_the_cause() -> None:
    original = RuntimeError("why")
    with pytest.raises(StoreError) as caught, hub_errors("hf://x"):
        raise original
    assert caught.value.__cause__ is original


def test_our_own_errors_pass() -> None:
    original = SourceError("mine")
    with pytest.raises(SourceError) as caught, hub_errors("hf://x"):
        raise original
    assert caught.value is original
