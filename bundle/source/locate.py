"""The text that names a source on the command line.

    hf-cache:PATH[#org/name[@revision]]…    a cache on disk, all of it or parts
    hf://org/name[@revision]                a repository of the Hub, downloaded first
    tree:PATH                               a directory tree
    oci-layout:PATH[:TAG|@DIGEST]           images in a layout, all of it or one
    oci-archive:FILE                        images in a layout in a tar
    docker-archive:FILE                     what docker save wrote
    chart:FILE.tgz                          a chart of Helm
    docker://REGISTRY/REPO[:TAG|@DIGEST]    an image in a registry, pulled first
    s3://BUCKET/PREFIX?layout=LAYOUT        what a bucket holds, fetched first
    oci://REGISTRY/REPO:VERSION             a chart in a registry, pulled first

Names of datasets, spaces and kernels start with ``datasets/`` and so on. PATH of
a cache ends at the first ``#``.

>>> parse_source("tree:/srv/models").location
'tree:/srv/models'
>>> parse_source("ftp:models")
Traceback (most recent call last):
bundle.errors.UsageError: 'ftp:models' does not name a source
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import UsageError
from bundle.source.hf_cache import HfCacheSource
from bundle.source.hf_hub import HfHubSource
from bundle.source.hf_names import parse_selector
from bundle.source.options import DEFAULT, SourceOptions
from bundle.source.tree import TreeSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundle.source.base import Source

    Maker = Callable[[str, str, SourceOptions], Source]
    """Makes a source of the whole text, what follows the scheme, and options."""

_ADVICE: Final = (
    "write hf-cache:PATH[#org/name[@revision]], hf://org/name, tree:PATH, "
    "oci-layout:PATH[:TAG], oci-archive:FILE, docker-archive:FILE, chart:FILE, "
    "docker://REGISTRY/REPO[:TAG|@DIGEST], oci://REGISTRY/REPO:VERSION or "
    "s3://BUCKET/PREFIX?layout=LAYOUT"
)


def parse_source(text: str, options: SourceOptions = DEFAULT) -> Source:
    """Return the source that ``text`` names; nothing is looked at yet.

    Raises:
        UsageError: the text names no source.
    """
    for scheme, make in _SCHEMES.items():
        if text.startswith(scheme):
            return make(text, text.removeprefix(scheme), options)
    raise UsageError(f"{text!r} does not name a source", advice=_ADVICE)


def _hub(text: str, rest: str, options: SourceOptions) -> Source:
    return HfHubSource(
        parse_selector(rest),
        location=text,
        options=options.listing,
        environment=options.environment,
    )


def _cache(text: str, rest: str, options: SourceOptions) -> Source:
    place, *names = rest.split("#")
    selectors = tuple(parse_selector(name) for name in names)
    path = _path(text, place)
    return HfCacheSource(path, selectors, location=text, options=options.listing)


def _tree(text: str, rest: str, options: SourceOptions) -> Source:
    return TreeSource(_path(text, rest), location=text, options=options.listing)


def _layout(text: str, rest: str, options: SourceOptions) -> Source:
    from bundle.source.oci_layout import (  # noqa: PLC0415 - for images alone
        OciLayoutSource,
        split_selection,
    )

    path, selected = split_selection(rest)
    place = _path(text, path)
    return OciLayoutSource(place, selected, location=text, options=options)


def _oci_archive(text: str, rest: str, options: SourceOptions) -> Source:
    from bundle.source.oci_archive import OciArchiveSource  # noqa: PLC0415 - the same
    from bundle.source.oci_layout import split_selection  # noqa: PLC0415 - the same

    path, selected = split_selection(rest)
    place = _path(text, path)
    return OciArchiveSource(place, selected, location=text, options=options)


def _docker_archive(text: str, rest: str, options: SourceOptions) -> Source:
    from bundle.source.docker_archive import (  # noqa: PLC0415 - the same
        DockerArchiveSource,
    )
    from bundle.source.oci_layout import split_selection  # noqa: PLC0415 - the same

    path, selected = split_selection(rest)
    place = _path(text, path)
    return DockerArchiveSource(place, selected, location=text, options=options)


def _chart(text: str, rest: str, options: SourceOptions) -> Source:
    try:
        from bundle.source.chart import ChartSource  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{text!r}: charts need a reader of YAML, which is not installed",
            advice="pip install 'bundle-syncd[charts]'",
        ) from error
    return ChartSource(_path(text, rest), location=text, options=options)


def _registry(text: str, rest: str, options: SourceOptions) -> Source:
    try:
        from bundle.source.registry import RegistrySource  # noqa: PLC0415 - aiohttp
        from bundle.source.registry_names import parse_name  # noqa: PLC0415 - the same
    except ImportError as error:
        raise UsageError(
            f"{text!r}: registries need the package aiohttp: {error}",
            advice="install bundle-syncd[registry]",
        ) from None
    reference = parse_name(text, rest)
    return RegistrySource(reference, location=text, options=options)


def _s3(text: str, rest: str, options: SourceOptions) -> Source:
    del rest
    try:
        from bundle.source.s3 import s3_source  # noqa: PLC0415 - aiobotocore
    except ImportError as error:
        raise UsageError(
            f"s3:// needs the package aiobotocore: {error}",
            advice="install bundle-syncd[s3]",
        ) from None
    return s3_source(text, options)


_SCHEMES: Final[dict[str, Maker]] = {
    "hf://": _hub,
    "hf-cache:": _cache,
    "tree:": _tree,
    "oci-layout:": _layout,
    "oci-archive:": _oci_archive,
    "docker-archive:": _docker_archive,
    "chart:": _chart,
    "docker://": _registry,
    "s3://": _s3,
    "oci://": _registry,
}


def _path(text: str, path: str) -> Path:
    """Return the path in ``text``, checked as far as text can be."""
    if not path or "\0" in path:
        raise UsageError(f"{text!r} does not name a source", advice=_ADVICE)
    if path.startswith("~"):
        raise UsageError(
            f"{text!r}: a shell does not expand '~' after a colon",
            advice='write "$HOME" in place of it',
        )
    return Path(path)
