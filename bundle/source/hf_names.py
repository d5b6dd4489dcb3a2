"""How repositories of models, datasets, spaces and kernels are called.

>>> parse_selector("org/name@refs/pr/1")
Selector(repository=RepositoryName(kind='hf-model', name='org/name'), \
revision='refs/pr/1')
>>> str(parse_selector("datasets/org/name"))
'datasets/org/name'
>>> RepositoryName.of_directory("models--gpt2")
RepositoryName(kind='hf-model', name='gpt2')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bundle.errors import FormatError, UsageError
from bundle.paths import check_path
from bundle.source.base import HF_DATASET, HF_KERNEL, HF_MODEL, HF_SPACE

PREFIXES: Final = {
    "models": HF_MODEL,
    "datasets": HF_DATASET,
    "spaces": HF_SPACE,
    "kernels": HF_KERNEL,
}
"""What the directory of a repository starts with, and the kind of artifact it is."""

_DIRECTORY: Final = re.compile(r"([a-z]+)--(.+)", re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """What a repository is called: its kind, and ``org/name`` or ``name``."""

    kind: str
    name: str

    @classmethod
    def of_directory(cls, directory: str) -> RepositoryName | None:
        """Read the name of a directory such as ``models--org--name``."""
        match = _DIRECTORY.fullmatch(directory)
        if match is None or match[1] not in PREFIXES:
            return None
        parts = match[2].split("--")
        if not all(_PART.fullmatch(part) for part in parts):
            return None
        return cls(PREFIXES[match[1]], "/".join(parts))

    def __str__(self) -> str:
        prefix = "" if self.kind == HF_MODEL else self.kind.removeprefix("hf-") + "s/"
        return prefix + self.name


@dataclass(frozen=True, slots=True)
class Selector:
    """One repository, in all its revisions or in one."""

    repository: RepositoryName
    revision: str | None = None

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{self.repository}{revision}"


def parse_selector(text: str) -> Selector:
    """Read ``[datasets/]org/name[@revision]`` as a user writes it.

    Raises:
        UsageError: it is not of that form.
    """
    name, at, revision = text.partition("@")
    parts = name.split("/")
    kind = HF_MODEL
    if len(parts) > 1 and parts[0] in PREFIXES:
        kind = PREFIXES[parts.pop(0)]
    if not all(_PART.fullmatch(part) for part in parts):
        raise UsageError(
            f"{text!r} names no repository",
            advice="write org/name, datasets/org/name or org/name@revision",
        )
    if not at:
        return Selector(RepositoryName(kind, "/".join(parts)))
    try:
        check_path(revision, rule="2.3")
    except FormatError as error:
        raise UsageError(f"{text!r}: no revision can be called so: {error}") from None
    return Selector(RepositoryName(kind, "/".join(parts)), revision)
