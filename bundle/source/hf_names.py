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

_NAME: Final = re.compile(r"(\w[\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """What a repository is called: its kind, and ``org/name`` or ``name``."""

    kind: str
    name: str

    @classmethod
    def of_directory(cls, directory: str) -> RepositoryName | None:
        """Read the name of a directory such as ``models--org--name``.

        None means that it is not meant to be one; ``valid`` still has to be asked.
        """
        prefix, dashes, rest = directory.partition("--")
        if not dashes or prefix not in PREFIXES:
            return None
        name = rest.encode("utf-8", "backslashreplace").decode()
        return cls(PREFIXES[prefix], name.replace("--", "/"))

    @property
    def valid(self) -> bool:
        """Whether a client would ask for a repository of this name."""
        return (
            _NAME.fullmatch(self.name) is not None
            and "--" not in self.name
            and ".." not in self.name
        )

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
    kind = HF_MODEL
    prefix, slash, rest = name.partition("/")
    if slash and prefix in PREFIXES:
        kind, name = PREFIXES[prefix], rest
    repository = RepositoryName(kind, name)
    if not repository.valid:
        raise UsageError(
            f"{text!r} names no repository",
            advice="write org/name, datasets/org/name or org/name@revision",
        )
    if not at:
        return Selector(repository)
    try:
        check_path(revision, rule="2.3")
    except FormatError as error:
        raise UsageError(f"{text!r}: no revision is called so: {error}") from None
    return Selector(repository, revision)
