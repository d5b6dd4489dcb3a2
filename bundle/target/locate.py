"""The text that names a target on the command line.

>>> parse_target("tree:/srv/models").location
'tree:/srv/models'
>>> parse_target("ftp:models")
Traceback (most recent call last):
bundle.errors.UsageError: 'ftp:models' does not name a target
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundle.errors import UsageError
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.options import DEFAULT, TargetOptions
from bundle.target.tree import TreeTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundle.target.base import Target

HF_HOME: Final = "hf-home"
HF_CACHE: Final = "hf-cache"
TREE: Final = "tree"
OCI_LAYOUT: Final = "oci-layout"
OCI_ARCHIVE: Final = "oci-archive"
S3: Final = "s3"

FOLDERS: Final = frozenset({HF_HOME, HF_CACHE, TREE, OCI_LAYOUT})
"""Schemes whose targets are directories on this machine."""

_ADVICE: Final = (
    "write hf-home:PATH, hf-cache:PATH, tree:PATH, oci-layout:PATH, oci-archive:FILE, "
    "docker://REGISTRY[/PREFIX] or s3://BUCKET/PREFIX?layout=LAYOUT"
)


def parse_target(text: str, options: TargetOptions = DEFAULT) -> Target:
    """Return the target that ``SCHEME:…`` names.

    Nothing is looked up: what is wrong with the place itself is said when the
    target is used.

    Raises:
        UsageError: the text names no target.
    """
    scheme = text.partition(":")[0]
    if scheme not in _SCHEMES:
        raise UsageError(f"{text!r} does not name a target", advice=_ADVICE)
    target = _SCHEMES[scheme](text, options)
    target.keep = options.keep if options.prune else None
    return target


def _tree(text: str, _: TargetOptions) -> Target:
    return TreeTarget(split_target(text)[1])


def _hugging_face(text: str, options: TargetOptions) -> Target:
    scheme, path = split_target(text)
    return HuggingFaceTarget(
        f"{scheme}:{path}", path, home=scheme == HF_HOME, copy=options.copy
    )


def _oci_layout(text: str, _: TargetOptions) -> Target:
    from bundle.target.oci_layout import OciLayoutTarget  # noqa: PLC0415 - for images

    return OciLayoutTarget(split_target(text)[1])


def _oci_archive(text: str, options: TargetOptions) -> Target:
    from bundle.target.oci_archive import OciArchiveTarget  # noqa: PLC0415 - the same

    return OciArchiveTarget(_path_of(text), options)


def _registry(text: str, options: TargetOptions) -> Target:
    from bundle.target.registry_place import (  # noqa: PLC0415 - for registries alone
        DOCKER,
        RegistryPlace,
    )

    if not text.startswith(DOCKER):
        raise UsageError(f"{text!r} does not name a target", advice=_ADVICE)
    place = RegistryPlace.parse(text, options.names)
    try:
        from bundle.target.registry import RegistryTarget  # noqa: PLC0415 - aiohttp
    except ImportError as error:
        raise UsageError(
            f"docker:// needs the package aiohttp: {error}",
            advice="install bundle-syncd[registry]",
        ) from None
    return RegistryTarget(place, options)


def _s3(text: str, options: TargetOptions) -> Target:
    if not text.startswith(f"{S3}://"):
        raise UsageError(f"{text!r} does not name a target", advice=_ADVICE)
    try:
        from bundle.target.s3 import s3_target  # noqa: PLC0415 - aiobotocore
    except ImportError as error:
        raise UsageError(
            f"s3:// needs the package aiobotocore: {error}",
            advice="install bundle-syncd[s3]",
        ) from None
    return s3_target(text, options)


_SCHEMES: Final[Mapping[str, Callable[[str, TargetOptions], Target]]] = {
    HF_HOME: _hugging_face,
    HF_CACHE: _hugging_face,
    TREE: _tree,
    OCI_LAYOUT: _oci_layout,
    OCI_ARCHIVE: _oci_archive,
    S3: _s3,
    "docker": _registry,
}
"""What makes the target of each scheme; a remote one imports its client there."""


def split_target(text: str) -> tuple[str, Path]:
    """Return the scheme and the absolute path of a text that names a directory.

    Raises:
        UsageError: the scheme is none of ``FOLDERS``, or there is no path.
    """
    scheme = text.partition(":")[0]
    if scheme not in FOLDERS:
        raise UsageError(f"{text!r} does not name a target", advice=_ADVICE)
    return scheme, _path_of(text)


def _path_of(text: str) -> Path:
    """Return the absolute path after the scheme.

    Raises:
        UsageError: there is none.
    """
    path = text.partition(":")[2]
    if not path or "\0" in path:
        raise UsageError(f"{text!r} does not name a target", advice=_ADVICE)
    if path.startswith("~"):
        raise UsageError(
            f"{text!r}: a shell does not expand '~' after a colon",
            advice='write "$HOME" in place of it',
        )
    return Path(path).absolute()
