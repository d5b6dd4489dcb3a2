"""Repositories that a repository needs and that a pack may have forgotten.

A model can name another repository in two ways, and fails to load behind the
gap when that one did not come along: ``auto_map`` in its configuration
(``org/code--module.Class``) names code, and ``base_model_name_or_path`` of an
adapter names the model that it adapts.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bundle.limits import MIB
from bundle.source.base import HF_KINDS, HF_MODEL, Extent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from bundle.source.base import SourceArtifact, SourceFile

MAX_CONFIGURATION: Final = 64 * MIB
"""Bytes of a configuration that is looked into."""

CONFIGURATIONS: Final = frozenset(
    {
        "config.json",
        "configuration.json",
        "tokenizer_config.json",
        "processor_config.json",
        "preprocessor_config.json",
        "video_preprocessor_config.json",
        "generation_config.json",
        "modules.json",
    }
)
"""Names of files that may say which code a client runs."""

ADAPTER: Final = "adapter_config.json"
"""Name of the file that says which model an adapter adapts."""

_CODE: Final = re.compile(r"((?:[\w.-]+/)?[\w.-]+?)--[\w./-]+", re.ASCII)
_REPOSITORY: Final = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*", re.ASCII)


async def reference_warnings(
    artifacts: Sequence[SourceArtifact], present: Collection[str] = ()
) -> list[tuple[str, ...]]:
    """Return, for each of ``artifacts``, what it needs and the pack does not have.

    ``present`` are names of models that the release holds besides.
    """
    return await asyncio.to_thread(_all_warnings, artifacts, frozenset(present))


def _all_warnings(
    artifacts: Sequence[SourceArtifact], present: frozenset[str]
) -> list[tuple[str, ...]]:
    models = {one.name for one in artifacts if one.kind == HF_MODEL and one.files}
    return [_warnings(artifact, models | present) for artifact in artifacts]


def _warnings(artifact: SourceArtifact, models: Collection[str]) -> tuple[str, ...]:
    if artifact.kind not in HF_KINDS:
        return ()
    found: dict[str, None] = {}
    for file in artifact.files:
        name = file.path.rpartition("/")[2]
        if name in CONFIGURATIONS:
            needed = ((one, "runs code of") for one in _code(_document(file)))
        elif name == ADAPTER:
            needed = ((one, "adapts the model") for one in _base(_document(file)))
        else:
            continue
        for repository, verb in needed:
            if repository not in models:
                found[f"{name} {verb} {repository}, which is not in this pack"] = None
    return tuple(found)


def _document(file: SourceFile) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON in a file, or None if there is none."""
    content = file.content
    if file.size > MAX_CONFIGURATION or isinstance(content, Extent):
        return None
    try:
        if isinstance(content, Path):
            content = content.read_bytes()
        return msgspec.json.decode(content)
    except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _code(document: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Give the other repositories whose code a configuration names."""
    if isinstance(document, dict):
        texts = _texts(document.get("auto_map"))
    elif isinstance(document, list):
        texts = _texts([one.get("type") for one in document if isinstance(one, dict)])
    else:
        return
    for text in texts:
        match = _CODE.fullmatch(text)
        if match is not None:
            yield match[1]


def _base(document: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Give the model that an adapter names, if it is a repository's name."""
    if isinstance(document, dict):
        name = document.get("base_model_name_or_path")
        if isinstance(name, str) and _REPOSITORY.fullmatch(name):
            yield name


def _texts(value: Any) -> Iterable[str]:  # noqa: ANN401 - any JSON
    """Give the strings in nested lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
