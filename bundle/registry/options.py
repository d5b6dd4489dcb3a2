"""How registries are talked to: what a person decided, read once and handed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from bundle.registry.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """Which certificates, which protocol, which logins.

    ``ca`` is a file of certificates that are trusted beside the system's own.
    ``plain_http`` talks without TLS, and without it nothing ever does.
    ``auth_file`` is read in place of those that docker and podman write.
    ``token_servers`` are hosts that may be sent a login although they are not
    the registry's own. ``environment`` says where files are and which proxy is
    used.
    """

    ca: Path | None = None
    plain_http: bool = False
    auth_file: Path | None = None
    token_servers: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    connections: int = 8
    """Connections to one registry at once."""

    pace: Pace = field(default_factory=Pace)
    """How often something is tried again."""

    @property
    def scheme(self) -> str:
        """``http`` only where that was asked for."""
        return "http" if self.plain_http else "https"
