"""What goes wrong between this tool and a registry, in one line each.

Every line names the registry, the repository and what was asked for, and says
what to do. What a registry says itself is quoted, cut to a few words: nothing of
it is believed.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from bundle.errors import BundleError, NotFoundError, StoreError
from bundle.registry.pace import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.registry.pace import Pace

_QUOTED: Final = 200
_AGAIN: Final = "run the same command again: what was transferred is not sent again"
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server or a proxy that may be others a moment later."""


class DeniedError(StoreError):
    """The registry does not give this to this user."""


class RefusedError(StoreError):
    """The registry understood and does not want it; ``codes`` are its words for it."""

    def __init__(
        self, message: str, *, status: int, codes: tuple[str, ...], advice: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.codes = codes


class _Problem(msgspec.Struct):
    code: str = ""
    message: str | None = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] | None = None


def refusal(
    where: str, response: aiohttp.ClientResponse, body: bytes, pace: Pace
) -> BundleError:
    """Return the error for an answer that is no success."""
    status = response.status
    problems = _problems(body)
    said = "; ".join(
        f"{one.code} {one.message or ''}".strip() for one in problems if one.code
    )
    quoted = f", {said[:_QUOTED]}" if said else ""
    line = f"{where}: the registry answers {status}{quoted}"
    if status in _LATER:
        after = pace.seconds(response.headers.get("Retry-After"))
        return UnavailableError(line, advice=_AGAIN, retry_after=after)
    if status in (401, 403):
        return DeniedError(line, advice=_login_advice(where, status))
    if status == 404:
        return NotFoundError(line, advice="check the name, the tag and the digest")
    codes = tuple(one.code for one in problems)
    return RefusedError(line, status=status, codes=codes, advice=_advice(status))


def _problems(body: bytes) -> list[_Problem]:
    try:
        return msgspec.json.decode(body, type=_Problems).errors or []
    except (msgspec.DecodeError, RecursionError):
        return []


def _login_advice(where: str, status: int) -> str:
    host = where.partition("/")[0]
    if status == 403:
        return "this login may not do it: ask for the right, or use another login"
    return (
        f"log in with 'skopeo login {host}', or name a file of logins with --auth-file"
    )


def _advice(status: int) -> str:
    if status == 413:
        return "a proxy before the registry bounds requests: let it take larger ones"
    if status in (405, 501):
        return "this registry does not do that; is it read-only, or a mirror?"
    if 300 <= status < 400:
        return "name the registry that it points to"
    return ""


@contextlib.contextmanager
def network_errors(where: str) -> Iterator[None]:
    """Turn what the network does wrong inside into an error about ``where``.

    Raises:
        UnavailableError: it may work the next time.
        StoreError: it will not: certificates, addresses.
    """
    try:
        yield
    except BundleError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        if isinstance(error.__cause__, BundleError):
            raise error.__cause__ from None  # what was to be sent could not be read
        raise _network_error(where, error) from error


def _network_error(where: str, error: BaseException) -> StoreError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return StoreError(
            f"{where}: its certificate is not trusted here: {_words(error)}",
            advice="name the authority that signed it with --ca FILE",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UnavailableError(
            f"{where}: there is no such host, or no name server answers",
            advice="check the name of the registry and the network",
        )
    if isinstance(error, ssl.SSLError):
        return StoreError(
            f"{where}: it does not speak TLS as it should: {_words(error)}",
            advice="a registry without TLS has to be asked for: --plain-http",
        )
    if isinstance(error, aiohttp.InvalidURL):
        return StoreError(f"{where}: not an address: {_words(error)}")
    if isinstance(error, TimeoutError):
        return UnavailableError(f"{where}: no answer in time", advice=_AGAIN)
    return UnavailableError(
        f"{where}: the connection broke: {_words(error)}", advice=_AGAIN
    )


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:_QUOTED]
