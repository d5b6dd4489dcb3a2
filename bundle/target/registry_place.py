"""Where in which registry: ``docker://REGISTRY[/PREFIX]`` and the rules of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from bundle.errors import FormatError, TargetError, UsageError
from bundle.oci.references import check_registry, check_repository

if TYPE_CHECKING:
    from bundle.oci.mapping import NameMap
    from bundle.oci.references import Reference

DOCKER: Final = "docker://"

_ADVICE: Final = "write docker://REGISTRY[/PREFIX], as docker://registry.example.com/ai"


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    """A registry, what all repositories begin with, and rules for the rest."""

    host: str
    prefix: str
    names: NameMap

    @classmethod
    def parse(cls, text: str, names: NameMap) -> Self:
        """Read the text that names the target.

        Raises:
            UsageError: it names no registry.
        """
        host, _, prefix = text.removeprefix(DOCKER).rstrip("/").partition("/")
        try:
            check_registry(host)
            if prefix:
                check_repository(prefix)
        except FormatError:
            raise UsageError(f"{text!r} names no registry", advice=_ADVICE) from None
        return cls(host, prefix, names)

    def repository(self, name: Reference) -> str:
        """Return the repository that an image goes to.

        Raises:
            TargetError: the rules leave none.
        """
        try:
            return self.names.repository(name, self.prefix)
        except FormatError as error:
            raise TargetError(
                f"{name}: {error}", advice="give it another repository with --map"
            ) from error

    def __str__(self) -> str:
        return f"{DOCKER}{self.host}{'/' if self.prefix else ''}{self.prefix}"
