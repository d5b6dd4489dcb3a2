"""What went wrong at an endpoint, in words that say what to do.

Each error is one line: the place, the operation, what the server or the network
said. ``TransientError`` where trying again may help, ``TargetError`` where somebody
has to change something first.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from botocore import exceptions
from botocore.parsers import ResponseParserError

from bundle.errors import (
    BundleError,
    ExistsError,
    NotFoundError,
    SpaceError,
    StoreError,
    TargetError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class UnsupportedError(TargetError):
    """The endpoint does not know this operation (501, 405)."""


class NoUploadError(StoreError):
    """The multipart upload is not there any more: aborted, or finished already."""


class SmallPartError(TargetError):
    """The endpoint refuses parts as small as one of those it was sent."""


_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_UNSUPPORTED: Final = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_PASSING: Final = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "InternalError",
        "ServiceUnavailable",
        "OperationAborted",
        "ConditionalRequestConflict",
        "BadDigest",
        "IncompleteBody",
        "XAmzContentSHA256Mismatch",
    }
)
_WRONG_REGION: Final = frozenset(
    {
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "TemporaryRedirect",
        "301",
        "307",
    }
)

_ADVICE: Final[Mapping[str, str]] = {
    "NoSuchBucket": "check the name of the bucket and --endpoint-url, or make it first",
    "InvalidBucketName": "check the name of the bucket",
    "AccessDenied": "let these credentials do this there, or use others (AWS_PROFILE)",
    "403": "let these credentials do this there, or use others (AWS_PROFILE); a "
    "clock that is wrong is answered like this too",
    "AllAccessDisabled": "ask whoever runs the bucket",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID, or AWS_PROFILE",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY, and what proxies do to "
    "requests",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "RequestExpired": "set the clock of this machine",
    "ExpiredToken": "get a new session token",
    "TokenRefreshRequired": "get a new session token",
    "InvalidToken": "get a new session token",
    "400": "check the region, the session token and the clock of this machine",
    "QuotaExceeded": "free room in the bucket, or have its quota raised",
    "InsufficientStorage": "free room in the bucket, or have its quota raised",
    "InvalidObjectState": "the object was moved to an archive: restore it",
    "EntityTooLarge": "the endpoint takes no object as large as this",
}
_FULL: Final = frozenset({"QuotaExceeded", "InsufficientStorage", "507"})
_NOT_S3: Final = (
    "check --endpoint-url: this may be the page of a console, or of a proxy"
)
_RETRY: Final = "run the same command again: what arrived is not sent again"


@dataclass(frozen=True, slots=True)
class Doing:
    """One request: its operation, and the place it is about."""

    operation: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.operation}"


@contextlib.contextmanager
def s3_errors(doing: Doing) -> Iterator[None]:
    """Raise what botocore, aiohttp and the network raise as errors of our own.

    Raises:
        TransientError: a retry may help.
        TargetError: it will not.
        NotFoundError: there is no such object.
        ExistsError: there is one, and the request was for none.
    """
    try:
        yield
    except BundleError:
        raise
    except exceptions.ClientError as error:
        raise _refusal(doing, error.response) from error
    except (
        exceptions.BotoCoreError,
        ResponseParserError,
        aiohttp.ClientError,
        TimeoutError,
        OSError,
    ) as error:
        raise _failure(doing, error) from error


def not_s3(doing: Doing) -> TargetError:
    """Return the error for an answer that no S3 server gives."""
    return TargetError(f"{doing}: the answer is none of S3's", advice=_NOT_S3)


def _refusal(  # noqa: PLR0911 - one for each class of error
    doing: Doing, response: Mapping[str, Any]
) -> BundleError:
    """Return the error for an answer that says no."""
    said = response.get("Error", {})
    code = str(said.get("Code") or "")
    facts = response.get("ResponseMetadata", {})
    status = int(facts.get("HTTPStatusCode") or 0)
    headers = facts.get("HTTPHeaders", {})
    what = f"{doing}: {_said(status, code, str(said.get('Message') or ''))}"
    if code == "NoSuchUpload":
        return NoUploadError(what, advice=_RETRY)
    broken = status >= 500 and status not in (501, 507)
    if broken or code in _PASSING or status == 429:
        return TransientError(what, advice=_RETRY)
    is_page = "text/html" in headers.get("content-type", "")
    if is_page and doing.operation != "HeadObject":  # that has no body
        return TargetError(f"{what} (a web page)", advice=_NOT_S3)
    if code in _UNSUPPORTED or status in (501, 405):
        return UnsupportedError(what, advice="the endpoint does not know this")
    if code in _MISSING:
        return NotFoundError(what, advice="run again: it was there, or should be")
    if status == 412:
        return ExistsError(what, advice="something is there already")
    if code == "EntityTooSmall":
        return SmallPartError(what, advice="send it whole")
    if code in _WRONG_REGION or status in (301, 307):
        region = said.get("Region") or headers.get("x-amz-bucket-region")
        return TargetError(
            what,
            advice=f"the bucket is in another region: --region {region or 'REGION'}",
        )
    kind = SpaceError if code in _FULL or status == 507 else TargetError
    return kind(what, advice=_ADVICE.get(code) or _ADVICE.get(str(status), ""))


def _said(status: int, code: str, message: str) -> str:
    """Return what the server said, in one line of bounded length."""
    words = " ".join(
        dict.fromkeys(filter(None, (str(status or ""), code, _line(message))))
    )
    return words or "the server says no"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"


def _failure(doing: Doing, error: Exception) -> BundleError:
    """Return the error for a request that got no answer, or none to understand."""
    text = _line(str(error)) or type(error).__name__
    if isinstance(error, exceptions.SSLError):
        return TargetError(
            f"{doing}: the certificate of the endpoint is not trusted: {text}",
            advice="name the file of the authority that issued it: --ca FILE",
        )
    if isinstance(
        error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)
    ):
        return TargetError(
            f"{doing}: there are no credentials",
            advice="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )
    if isinstance(error, ResponseParserError):
        return not_s3(doing)
    if isinstance(error, _UNREACHED):
        return TransientError(f"{doing}: {text}", advice=_RETRY)
    return TargetError(
        f"{doing}: {text}", advice="check the settings of the AWS client (~/.aws)"
    )


_UNREACHED: Final = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.TokenRetrievalError,
    aiohttp.ClientError,
    TimeoutError,
    OSError,
)
