"""Which repository an image goes to: its own path, or what a rule says (spec §91.5).

>>> rules = NameMap.parse(["ghcr.io/superlinked=sie"])
>>> rules.repository(Reference.parse("ghcr.io/superlinked/sie-server:v0.3.1"))
'sie/sie-server'
>>> rules.repository(Reference.parse("quay.io/prometheus/prometheus:v3.1.0"))
'prometheus/prometheus'
>>> NameMap.parse(["docker.io=hub"]).repository(Reference.parse("alpine:3.20"))
'hub/library/alpine'
"""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003 - doctests read the annotations
from dataclasses import dataclass
from typing import Self

from bundle.errors import FormatError, UsageError
from bundle.oci.references import Reference, check_registry, check_repository


@dataclass(frozen=True, slots=True)
class NameMap:
    """Rules: what a name begins with, and the repository that stands for it.

    The longest beginning that fits counts, whole components only. Without one
    an image keeps its repository and loses its registry.
    """

    rules: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read rules like ``ghcr.io/superlinked=sie``; ``ghcr.io=`` takes it away.

        Raises:
            UsageError: one is not of the form FROM=TO, or FROM is there twice.
        """
        rules: dict[str, str] = {}
        for text in texts:
            before, equals, after = text.partition("=")
            before, after = before.strip("/"), after.strip("/")
            if not equals or not _is_beginning(before) or not _is_end(after):
                raise UsageError(
                    f"--map {text!r}: not of the form FROM=TO",
                    advice="FROM is REGISTRY[/REPOSITORY], TO a repository: "
                    "ghcr.io/superlinked=sie",
                )
            if before in rules:
                raise UsageError(f"--map: there are two rules for {before}")
            rules[before] = after
        return cls(tuple(sorted(rules.items(), key=lambda one: -len(one[0]))))

    def repository(self, name: Reference, prefix: str = "") -> str:
        """Return the repository for an image, below ``prefix``.

        Raises:
            FormatError: that would be none: the map leaves nothing, or too much.
        """
        whole = name.name
        if not name.registry and not self._names(name.repository):
            # As an engine would: a short name is one of Docker Hub.
            whole = name.normalised().name
        for before, after in self.rules:
            if whole == before or whole.startswith(f"{before}/"):
                rest = whole[len(before) :].strip("/")
                return _joined(prefix, after, rest)
        return _joined(prefix, name.repository)

    def _names(self, repository: str) -> bool:
        """Return whether a rule is about a name without a registry."""
        return any(
            repository == one or repository.startswith(f"{one}/")
            for one, _ in self.rules
        )


def _joined(*parts: str) -> str:
    return check_repository("/".join(part for part in parts if part), rule="91.5.1")


def _is_beginning(text: str) -> bool:
    registry, _, repository = text.partition("/")
    try:
        check_registry(registry)
        if repository:
            check_repository(repository)
    except FormatError:
        return False
    return True


def _is_end(text: str) -> bool:
    try:
        if text:
            check_repository(text)
    except FormatError:
        return False
    return True
