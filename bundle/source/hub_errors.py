"""What goes wrong between this tool and the Hub, in this tool's own words.

The library's exceptions are told apart by the names of their classes, so that
this works for all its versions and for whatever HTTP library is below.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Final

from bundle.errors import (
    BundleError,
    SourceError,
    SpaceError,
    StoreError,
    TargetError,
    TransientError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NETWORK: Final = frozenset({"HTTPError", "TransportError", "XetDownloadError"})
"""Classes of errors below the library that mean that a network did not work."""

_TOKEN: Final = "give a token that may read it: HF_TOKEN"  # noqa: S105 - no secret
_CACHE: Final = "make room, or name another cache: HF_HUB_CACHE"
_AGAIN: Final = "check HF_ENDPOINT and the network, and run the same command again"

_BY_CLASS: Final[dict[str, Callable[[str], BundleError]]] = {
    "GatedRepoError": lambda where: SourceError(
        f"{where}: access is granted on request only",
        advice=f"ask for access on its page, then {_TOKEN}",
    ),
    "DisabledRepoError": lambda where: SourceError(f"{where}: disabled by the Hub"),
    "RepositoryNotFoundError": lambda where: SourceError(
        f"{where}: no such repository, or a private one",
        advice=f"check the name; if it is private, {_TOKEN}",
    ),
    "RevisionNotFoundError": lambda where: SourceError(
        f"{where}: no such revision", advice="name a branch, a tag or a whole commit"
    ),
    "HFValidationError": lambda where: UsageError(f"{where}: not a valid name"),
    "OfflineModeIsEnabled": lambda where: StoreError(
        f"{where}: HF_HUB_OFFLINE forbids the network",
        advice="unset it, or pack what the cache holds with hf-cache:PATH",
    ),
}


@contextlib.contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Turn what the library raises inside into an error about ``where``.

    Raises:
        SourceError: the Hub does not have it, or not for this user.
        TransientError: the Hub or the network did not work: worth trying again.
        StoreError: the Hub answered with something else.
        TargetError: the cache on this machine cannot take it.
        UsageError: the library knows no such name or type.
    """
    try:
        yield
    except BundleError:
        raise
    except Exception as error:  # every class of every version
        raise hub_error(error, where) from error


def hub_error(error: BaseException, where: str) -> BundleError:
    """Return this tool's error for one of the library's."""
    classes = [one.__name__ for one in type(error).__mro__]
    for name in classes:
        if name in _BY_CLASS:
            return _BY_CLASS[name](where)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return _refused(status, where)
    if isinstance(error, OSError) and (error.errno in _NO_SPACE or error.filename):
        return _local(error, where)
    return _other(error, frozenset(classes), where)


def _other(error: BaseException, classes: frozenset[str], where: str) -> BundleError:
    """Return the error for what comes from below the library, or from a fault in it."""
    text = _first_line(error)
    if isinstance(error, OSError) or not _NETWORK.isdisjoint(classes):
        return TransientError(
            f"{where}: the Hub cannot be reached ({text})", advice=_AGAIN
        )
    if isinstance(error, ValueError):
        return UsageError(f"{where}: {text}")
    kind = type(error).__name__
    return StoreError(
        f"{where}: huggingface_hub failed: {kind} {text}".rstrip(),
        advice="run the same command again",
    )


def _refused(status: int, where: str) -> BundleError:
    """Return the error for an answer of the Hub that means no."""
    if status in (401, 403):
        return SourceError(f"{where}: the Hub refuses it ({status})", advice=_TOKEN)
    if status == 404:
        return SourceError(f"{where}: a file of it is not on the Hub")
    if status == 429 or status >= 500:
        return TransientError(f"{where}: the Hub is busy ({status})", advice=_AGAIN)
    return StoreError(f"{where}: the Hub answered {status}", advice=_AGAIN)


def _local(error: OSError, where: str) -> BundleError:
    """Return the error for a file of the cache that cannot be written."""
    place = error.filename or "the cache"
    if error.errno in _NO_SPACE:
        return SpaceError(f"{where}: no space left for {place}", advice=_CACHE)
    return TargetError(f"{place}: {error.strerror}", advice=_CACHE)


def _first_line(error: BaseException) -> str:
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return text[:200]
