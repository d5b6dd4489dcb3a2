"""Which machines a manifest is for: ``os/architecture[/variant]`` (spec §90.4).

>>> Platform.parse("linux/arm64").matches(Platform("linux", "arm64", "v8"))
True
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

import msgspec

from bundle.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Collection

_GRAMMAR: Final = re.compile(
    r"([a-z0-9_]+)/([a-z0-9_]+)(?:/([A-Za-z0-9_.]+))?", re.ASCII
)
_DEFAULT_VARIANTS: Final = {"arm64": "v8", "arm": "v7"}


class Platform(msgspec.Struct, frozen=True):
    """An operating system and a processor, as descriptors and configs name them."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a user writes.

        Raises:
            FormatError: it is not ``os/architecture[/variant]``.
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise FormatError(
                f"{text[:80]!r} is no platform: write os/architecture[/variant], "
                "as linux/amd64",
                rule="90.4.1",
            )
        return cls(match[1], match[2], match[3] or "")

    @property
    def known(self) -> bool:
        """Whether it says anything; attestations are for ``unknown/unknown``."""
        return self.os not in ("", "unknown")

    def matches(self, other: Platform) -> bool:
        """Return whether ``other`` is of this kind; no variant takes all of them."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        default = _DEFAULT_VARIANTS.get(other.architecture, "")
        return not self.variant or self.variant == (other.variant or default)

    def __str__(self) -> str:
        return "/".join(
            part for part in (self.os, self.architecture, self.variant) if part
        )


def wanted(platform: Platform | None, filters: Collection[Platform]) -> bool:
    """Return whether a manifest for ``platform`` passes; no filter passes all."""
    if not filters:
        return True
    return platform is not None and any(one.matches(platform) for one in filters)
