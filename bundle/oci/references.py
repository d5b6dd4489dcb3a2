"""What images are called: ``[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`` (spec §90.1).

The grammar is that of the registries themselves: a registry is a host with an
optional port, and the first component is one only if it looks like one.

>>> one = Reference.parse("ghcr.io/superlinked/sie-server:v0.3.1")
>>> one.registry, one.repository, one.tag
('ghcr.io', 'superlinked/sie-server', 'v0.3.1')
>>> str(Reference.parse("alpine").normalised())
'docker.io/library/alpine:latest'
>>> Reference.parse("Alpine")
Traceback (most recent call last):
bundle.errors.FormatError: 'Alpine' names no image: ... (rule 90.1.1)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from bundle.errors import FormatError
from bundle.limits import MAX_OCI_NAME
from bundle.oci.digests import BlobDigest

DOCKER_HUB: Final = "docker.io"
"""The registry that a name without one belongs to."""

_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY: Final = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII
)
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One name of an image; ``registry`` is empty where none was written."""

    registry: str
    repository: str
    tag: str | None = None
    digest: BlobDigest | None = None

    @classmethod
    def parse(cls, text: str, *, rule: str = "90.1.1") -> Self:
        """Read a reference.

        Raises:
            FormatError: it is none; says which part is wrong.
        """
        name, at, digest = text.partition("@")
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        registry, repository = _split(f"{head}{slash}{last}")
        checks = (
            (not registry or _REGISTRY.fullmatch(registry), "its registry"),
            (_REPOSITORY.fullmatch(repository), "its repository"),
            (len(f"{head}{slash}{last}") <= MAX_OCI_NAME, "the length of its name"),
            (not colon or _TAG.fullmatch(tag), "its tag"),
        )
        for fine, part in checks:
            if not fine:
                raise _refused(text, part, rule)
        try:
            parsed = BlobDigest.parse(digest) if at else None
        except FormatError:
            raise _refused(text, "its digest", rule) from None
        return cls(registry, repository, tag if colon else None, parsed)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return (
            f"{self.registry}/{self.repository}" if self.registry else self.repository
        )

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest, else the tag, else ``latest``."""
        return str(self.digest) if self.digest else self.tag or "latest"

    def normalised(self) -> Self:
        """Return what an engine takes this for: Docker Hub and ``latest`` filled in."""
        registry, repository = self.registry or DOCKER_HUB, self.repository
        if registry in ("index.docker.io", DOCKER_HUB):
            registry = DOCKER_HUB
            if "/" not in repository:
                repository = f"library/{repository}"
        tag = self.tag if self.tag or self.digest else "latest"
        return replace(self, registry=registry, repository=repository, tag=tag)

    def tagged(self, tag: str) -> Self:
        """Return the name with ``tag`` and no digest.

        Raises:
            FormatError: no tag is called so.
        """
        return replace(self, tag=check_tag(tag), digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def check_tag(text: str, *, rule: str = "90.1.1") -> str:
    """Return ``text`` if it may be a tag: 1 to 128 of ``[A-Za-z0-9_.-]``.

    Raises:
        FormatError: it may not.
    """
    if _TAG.fullmatch(text) is None:
        raise FormatError(f"{text[:_SHOWN]!r} is no tag", rule=rule)
    return text


def check_repository(text: str, *, rule: str = "90.1.1") -> str:
    """Return ``text`` if it may be a repository, without a registry.

    Raises:
        FormatError: it may not.
    """
    if _REPOSITORY.fullmatch(text) is None or len(text) > MAX_OCI_NAME:
        raise FormatError(f"{text[:_SHOWN]!r} is no repository", rule=rule)
    return text


def check_registry(text: str, *, rule: str = "90.1.1") -> str:
    """Return ``text`` if it may be a registry: a host and perhaps a port.

    Raises:
        FormatError: it may not.
    """
    if _REGISTRY.fullmatch(text) is None:
        raise FormatError(f"{text[:_SHOWN]!r} is no registry", rule=rule)
    return text


def _split(name: str) -> tuple[str, str]:
    """Return registry and repository; what looks like no host is no registry."""
    first, slash, rest = name.partition("/")
    is_host = first == "localhost" or any(mark in first for mark in ".:[")
    if slash and (is_host or first.lower() != first):
        return first, rest
    return "", name


def _refused(text: str, part: str, rule: str) -> FormatError:
    return FormatError(
        f"{text[:_SHOWN]!r} names no image: {part} is not of the form "
        "[REGISTRY/]REPOSITORY[:TAG][@DIGEST]",
        rule=rule,
    )
