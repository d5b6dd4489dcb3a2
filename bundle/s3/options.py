"""How an endpoint is reached, as far as a person says so."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - dataclass fields are read at run time
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass fields are read at run time
from typing import Final, Literal
from urllib.parse import urlsplit

from bundle.errors import UsageError

Addressing = Literal["auto", "path", "virtual"]

_AWS: Final = (".amazonaws.com", ".amazonaws.com.cn")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the endpoint is and how its certificate and its buckets are named.

    What is None is looked for where AWS's own tools look: in ``environment``,
    and then in the profile that it names. ``addressing`` says whether a bucket is
    the first part of the path or of the host; ``auto`` takes the path wherever an
    endpoint is named, since few of them have a name for each bucket. ``ca`` is a
    file of certificates to trust in place of the system's.
    """

    endpoint_url: str | None = None
    region: str | None = None
    ca: Path | None = None
    addressing: Addressing = "auto"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def endpoint(self) -> str | None:
        """The URL of the endpoint, or None for AWS's own.

        Raises:
            UsageError: it is no URL of a server.
        """
        named = (self.environment.get(name) for name in _ENDPOINTS)
        url = self.endpoint_url or next(filter(None, named), None)
        if url is None:
            return None
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise UsageError(
                f"{url!r} is not the URL of an endpoint",
                advice="write --endpoint-url https://HOST[:PORT]",
            )
        return url

    @property
    def is_aws(self) -> bool:
        """Whether the endpoint is AWS's own, which checks every checksum it is sent."""
        url = self.endpoint
        return url is None or (urlsplit(url).hostname or "").endswith(_AWS)

    @property
    def style(self) -> Literal["path", "virtual"]:
        """Where the name of the bucket goes."""
        if self.addressing == "auto":
            return "virtual" if self.is_aws else "path"
        return self.addressing
