"""What ``syncd.toml`` may say: one frozen structure, each field with its bound.

Paths are absolute: a daemon has no directory of its own. Nothing is looked up
here; ``syncd check-config`` and ``syncd run`` find out what is really there.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from bundle.errors import FormatError
from bundle.limits import MAX_RECEIPT_RELEASES
from bundle.paths import check_slug
from bundle.settings import read_settings
from bundle.trust.terms import Policy  # noqa: TC001 - msgspec reads the annotation

Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10_000)]

_DIGEST: Final = re.compile(r"blake3:[0-9a-f]{64}", re.ASCII)


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[store]``: where chunks, recipes and releases are kept."""

    path: str
    """The directory; made if it is not there."""

    keep: Count = 3
    """Releases of each stream that stay: room to go back twice."""

    pins: tuple[str, ...] = ()
    """Digests of releases that stay whatever their age."""

    def __post_init__(self) -> None:
        _check_absolute("path", self.path)
        for pin in self.pins:
            if _DIGEST.fullmatch(pin) is None:
                raise ValueError(f"{pin!r} is no digest of a release")


class MediaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[media]``: where bundles appear."""

    watch: tuple[str, ...]
    """Directories below which a medium appears, or a bundle itself."""

    depth: Annotated[int, Meta(ge=0, le=8)] = 3
    """Directories down from a watched one that a bundle may be."""

    poll_seconds: Seconds = 10
    """Seconds between looks where a file system tells of no changes."""

    settle_seconds: Annotated[int, Meta(ge=0, le=3600)] = 2
    """Seconds without a change before a bundle counts as copied."""

    receipts: Literal["directory", "medium"] = "directory"
    """Where receipts go: nothing is ever written to a medium unless this says so."""

    receipt_directory: str = ""
    """The directory for receipts and wants; default: ``receipts`` below the state."""

    def __post_init__(self) -> None:
        if not self.watch:
            raise ValueError("watch names no directory")
        for path in self.watch:
            _check_absolute("watch", path)
        if self.receipt_directory:
            _check_absolute("receipt_directory", self.receipt_directory)


class TargetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[target]]``: one place that releases are published to."""

    name: str
    """What it is called in the journal, in logs and on the page."""

    to: str
    """The target as ``bundle unpack --to`` takes it."""

    artifacts: tuple[str, ...] = ("*",)
    """Patterns of ``kind:name``, or of the name alone."""

    streams: tuple[str, ...] = ("*",)
    """Patterns of the names of streams."""

    copy: bool = False
    """Publish files where a Hugging Face cache has links."""

    prune: bool = True
    """Remove what was published here and left its stream."""

    keep: Annotated[int, Meta(ge=1, le=MAX_RECEIPT_RELEASES - 1)] = 2
    """Releases of each stream that are kept when the rest is removed."""

    endpoint_url: str = ""
    """The endpoint of ``s3://``; empty for what the environment names, or AWS's own."""

    region: str = ""
    """The region of ``s3://``; empty for what the environment names."""

    addressing: Literal["auto", "path", "virtual"] = "auto"
    """Where a bucket's name goes: into the path, or into the host."""

    ca: str = ""
    """The file of certificates to trust at ``s3://`` and ``docker://``, in PEM."""

    plain_http: bool = False
    """Talk to the registry without TLS."""

    auth_file: str = ""
    """The file with logins of registries; empty for those of podman and docker."""

    map: tuple[str, ...] = ()
    """Rules ``FROM=TO`` for the names of images in the registry."""

    on_existing_tag: Literal["overwrite", "skip", "fail"] = "overwrite"
    """What happens where a tag names something else already."""

    scan: tuple[str, ...] = ()
    """A command that looks at what is staged before it is published, word by word;
    ``{}`` is the directory. Only what it ends with 0 for is published."""

    scan_seconds: Seconds = 3600
    """Seconds that the command may take."""

    retry_seconds: Seconds = 30
    """Seconds until the first try after one that failed; doubled for each more."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not self.artifacts or not self.streams:
            raise ValueError("artifacts and streams name at least one pattern")
        for field in ("ca", "auth_file"):
            if getattr(self, field):
                _check_absolute(field, getattr(self, field))
        if self.scan:
            _check_absolute("scan", self.scan[0])
            if not any("{}" in one for one in self.scan[1:]):
                raise ValueError("scan: no word has {}, the directory to look at")

    def selects_stream(self, name: str) -> bool:
        """Return whether anything of the stream called ``name`` goes here."""
        return any(fnmatch.fnmatchcase(name, one) for one in self.streams)

    def selects(self, kind: str, name: str) -> bool:
        """Return whether an artifact goes here, if its stream does."""
        full = f"{kind}:{name}"
        return any(
            fnmatch.fnmatchcase(full if ":" in one else name, one)
            for one in self.artifacts
        )


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[http]``: where the API and the page are; without it there are none."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 8420
    """The TCP port; 0 takes any that is free."""

    address: str = "127.0.0.1"
    """The address to listen at. Any but loopback needs a certificate."""

    hosts: tuple[str, ...] = ()
    """What a Host header may say beside the address itself, with the port where
    it is not the usual one."""

    certificate: str = ""
    """The file with the certificate chain for TLS, in PEM."""

    key: str = ""
    """The file with its private key, in PEM."""

    client_ca: str = ""
    """Certificates that clients have to have one of; a token is needed too."""

    connections: Count = 1024
    """Connections at once; more are closed."""

    header_seconds: Seconds = 10
    """Seconds that a request may take to arrive, and a connection to be idle."""

    def __post_init__(self) -> None:
        for field in ("certificate", "key", "client_ca"):
            if getattr(self, field):
                _check_absolute(field, getattr(self, field))
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")
        if self.client_ca and not self.certificate:
            raise ValueError("client_ca needs a certificate of our own")
        if not self.is_loopback and not self.certificate:
            raise ValueError(f"address {self.address} needs certificate and key: TLS")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of ``syncd.toml``."""

    state: str
    """The directory for the journal, trust and the site's key; never on a network
    file system, nor where workloads can write."""

    store: StoreSettings
    media: MediaSettings
    target: tuple[TargetSettings, ...]
    http: HttpSettings | None = None
    """Where people and machines may look; None for nowhere."""

    site: str = "default"
    """This receiver's name: for audiences and receipts."""

    strict: bool = False
    """Refuse what has expired."""

    trust: Policy | None = None
    """What is taken, of all that is rightly signed; without it, what ``trust.toml`` in
    the state says, if that is there."""

    def __post_init__(self) -> None:
        _check_absolute("state", self.state)
        _check_name(self.site)
        names = [one.name for one in self.target]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two targets are called {name!r}")

    @property
    def receipt_directory(self) -> str:
        """Where receipts and wants go that do not go onto a medium."""
        chosen = self.media.receipt_directory
        return chosen or str(PurePosixPath(self.state) / "receipts")


def read_config(data: bytes, name: str) -> Config:
    """Return the configuration in ``data``, the content of the file ``name``.

    Raises:
        UsageError: it is not one; names the line.
    """
    return read_settings(data, Config, name)


def _check_absolute(field: str, path: str) -> None:
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"{field}: {path!r} is no absolute path")


def _check_name(name: str) -> None:
    try:
        check_slug(name, rule="2.2")
    except FormatError as error:
        raise ValueError(str(error)) from None
