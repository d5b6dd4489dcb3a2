"""A set: what a team carries, written down once in TOML and kept in version control.

    stream = "models-prod"                  # for bundle set check
    platforms = ["linux/amd64"]             # of all images that say nothing else

    [[model]]
    name = "sentence-transformers/all-MiniLM-L6-v2"
    exclude = ["*/onnx/*"]

    [[image]]
    name = "ghcr.io/superlinked/sie-server:v0.3.1"

    [[chart]]
    file = "charts/sie-1.2.0.tgz"

    [[tree]]
    path = "manuals"

Paths are below the directory of the file. Patterns are those of ``--include`` and
``--exclude``; what the command line excludes is excluded from every entry.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from bundle.errors import FormatError, UsageError
from bundle.limits import MAX_SETTINGS
from bundle.oci.platforms import Platform
from bundle.oci.references import Reference
from bundle.settings import read_settings
from bundle.source.filter import ListOptions
from bundle.source.listing import unreadable
from bundle.source.locate import parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.source.base import Source
    from bundle.source.options import SourceOptions

_PLACES: Final = ("oci-layout:", "oci-archive:", "docker-archive:")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A repository of a hub; ``cache`` is a directory to take it from instead."""

    name: str
    revision: str | None = None
    cache: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image by its name; ``source`` is where else to take it from."""

    name: str
    source: str | None = None
    platforms: tuple[str, ...] = ()


class Chart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chart: a ``file``, or ``oci`` for a reference without ``oci://``."""

    file: str | None = None
    oci: str | None = None


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A directory."""

    path: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file declares."""

    stream: str | None = None
    platforms: tuple[str, ...] = ()
    model: tuple[Model, ...] = ()
    image: tuple[Image, ...] = ()
    chart: tuple[Chart, ...] = ()
    tree: tuple[Tree, ...] = ()


def read_set(path: Path) -> Set:
    """Return what the file at ``path`` declares.

    Raises:
        UsageError: it is no set; says which line.
        SourceError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SETTINGS + 1)
    except OSError as error:
        raise unreadable(str(path), error) from error
    return read_settings(data, Set, str(path))


def registries_of(declared: Set) -> tuple[str, ...]:
    """Return the places of a set that are asked over a network, as sources."""
    images = (f"docker://{one.name}" for one in declared.image if one.source is None)
    charts = (f"oci://{one.oci}" for one in declared.chart if one.oci is not None)
    return (*images, *charts)


def sources_of(declared: Set, path: Path, options: SourceOptions) -> list[Source]:
    """Return the sources of a set that was read from ``path``; reads nothing.

    ``options`` are of the command line: their platforms and include patterns hold
    where an entry has none.

    Raises:
        UsageError: an entry names nothing that can be packed.
    """
    found = list(_Declared(declared, path, options).sources())
    if not found:
        raise UsageError(
            f"{path}: it declares nothing",
            advice="write [[model]], [[image]], [[chart]] or [[tree]]",
        )
    return found


class _Declared:
    """One set on its way to sources."""

    def __init__(self, declared: Set, path: Path, options: SourceOptions) -> None:
        self._set = declared
        self._path = path
        self._options = options

    def sources(self) -> Iterator[Source]:
        yield from map(self._model, self._set.model)
        yield from map(self._image, self._set.image)
        yield from map(self._chart, self._set.chart)
        yield from map(self._tree, self._set.tree)

    def _model(self, one: Model) -> Source:
        revision = "" if one.revision is None else f"@{one.revision}"
        name = f"{one.name}{revision}"
        text = f"hf://{name}"
        if one.cache is not None:
            text = f"hf-cache:{self._below(one.cache)}#{name}"
        return parse_source(text, self._filtered(one.include, one.exclude))

    def _image(self, one: Image) -> Source:
        try:
            name = Reference.parse(one.name)
            written = one.platforms or self._set.platforms
            platforms = tuple(map(Platform.parse, written))
        except FormatError as error:
            raise UsageError(f"{self._path}: {error}") from None
        platforms = self._options.platforms or platforms
        options = replace(self._options, platforms=platforms)
        if one.source is None:
            return parse_source(f"docker://{one.name}", options)
        scheme, _, rest = one.source.partition(":")
        if not one.source.startswith(_PLACES):
            raise UsageError(
                f"{self._path}: {one.source!r} is no source of an image",
                advice=f"write one of {', '.join(_PLACES)}",
            )
        text = f"{scheme}:{self._below(rest)}"
        return parse_source(text, replace(options, name=name))

    def _chart(self, one: Chart) -> Source:
        if (one.file is None) == (one.oci is None):
            raise UsageError(f"{self._path}: a chart has either file or oci")
        if one.oci is not None:
            return parse_source(
                f"oci://{one.oci.removeprefix('oci://')}", self._options
            )
        return parse_source(f"chart:{self._below(one.file or '')}", self._options)

    def _tree(self, one: Tree) -> Source:
        options = self._filtered(one.include, one.exclude)
        return parse_source(f"tree:{self._below(one.path)}", options)

    def _below(self, text: str) -> str:
        """Return a path of the file as one that leads there from anywhere."""
        return str(self._path.parent / text) if text else ""

    def _filtered(
        self, include: tuple[str, ...], exclude: tuple[str, ...]
    ) -> SourceOptions:
        typed = self._options.listing
        listing = ListOptions(
            include or typed.include, exclude + typed.exclude, typed.keep_going
        )
        return replace(self._options, listing=listing)
