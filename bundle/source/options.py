"""How sources are read: what a command line or a set says for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bundle.registry.options import RegistryOptions
from bundle.s3.options import Connection
from bundle.source.filter import EVERYTHING, ListOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.oci.platforms import Platform
    from bundle.oci.references import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What every kind of source may need.

    ``listing`` says what is wanted and what a problem does. ``platforms`` are
    those of an image that are taken, all when empty. ``name`` is what the one
    image of a source is to be called. ``environment`` says where networks, caches
    and credentials are, ``registry`` how registries are talked to, ``s3``
    how object storage is reached.
    """

    listing: ListOptions = EVERYTHING
    platforms: tuple[Platform, ...] = ()
    name: Reference | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    s3: Connection = field(default_factory=Connection)


DEFAULT: Final = SourceOptions()
