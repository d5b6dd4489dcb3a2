"""What a reviewer should know about the files of an artifact, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bundle.format.pickles import is_pickle
from bundle.source.base import HF_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bundle.source.base import SourceFile

CODE_SUFFIXES: Final = (".py",)
"""Endings of code that a client may run."""

_SHOWN: Final = 3


def content_warnings(kind: str, files: Iterable[SourceFile]) -> tuple[str, ...]:
    """Return one sentence for each kind of risk among ``files``."""
    names = sorted({_short(kind, file.path) for file in files if file.size})
    pickles = [name for name in names if is_pickle(name)]
    code = [name for name in names if name.endswith(CODE_SUFFIXES)]
    warnings = []
    if pickles:
        warnings.append(f"may be pickles, which run code when loaded: {_list(pickles)}")
    if code and kind in HF_KINDS:
        warnings.append(f"Python code that a client may run: {_list(code)}")
    return tuple(warnings)


def _short(kind: str, path: str) -> str:
    """Return ``path`` as a person knows it: without the snapshot it is in."""
    parts = path.split("/", 2)
    if kind in HF_KINDS and parts[0] == "snapshots":
        return parts[2]
    return path


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
