"""The text that names a source on the command line.

    hf-cache:PATH[#org/name[@revision]]…    a cache on disk, all of it or parts
    hf://org/name[@revision]                a repository of the Hub, downloaded first
    tree:PATH                               a directory tree

Names of datasets, spaces and kernels start with ``datasets/`` and so on. PATH
ends at the first ``#``.

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
from bundle.source.filter import EVERYTHING, ListOptions
from bundle.source.hf_cache import HfCacheSource
from bundle.source.hf_hub import HfHubSource
from bundle.source.hf_names import parse_selector
from bundle.source.tree import TreeSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundle.source.base import Source

HF_CACHE: Final = "hf-cache"
HF_HUB: Final = "hf://"
TREE: Final = "tree"

_ADVICE: Final = "write hf-cache:PATH[#org/name[@revision]], hf://org/name or tree:PATH"


def parse_source(
    text: str,
    options: ListOptions = EVERYTHING,
    environment: Mapping[str, str] | None = None,
) -> Source:
    """Return the source that ``text`` names; nothing is looked at yet.

    ``environment`` says where the Hub is and where its cache is kept.

    Raises:
        UsageError: the text names no source.
    """
    if text.startswith(HF_HUB):
        selector = parse_selector(text.removeprefix(HF_HUB))
        return HfHubSource(
            selector, location=text, options=options, environment=environment
        )
    scheme, colon, rest = text.partition(":")
    if scheme not in (HF_CACHE, TREE) or not colon:
        raise UsageError(f"{text!r} does not name a source", advice=_ADVICE)
    if scheme == TREE:
        return TreeSource(_path(text, rest), location=text, options=options)
    place, *names = rest.split("#")
    selectors = tuple(parse_selector(name) for name in names)
    path = _path(text, place)
    return HfCacheSource(path, selectors, location=text, options=options)


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
