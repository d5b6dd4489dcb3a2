"""What a recipe puts where in one repository of a Hugging Face cache.

The paths of such a recipe are the paths below ``models--org--name`` as a client
writes them, without ``blobs``::

    snapshots/<commit>/<file>
    .no_exist/<commit>/<file>    empty: the hub said that there is no such file
    trees/<commit>.json          the listing of the commit
    refs/<ref>                   the 40 characters of a commit

A file of a snapshot is published as a blob and a relative link to it. Everything
that names something outside its own repository is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from bundle.errors import TargetError
from bundle.format.recipe_layout import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.target.ledger import Given

FOLDERS: Final = {
    "hf-model": "models",
    "hf-dataset": "datasets",
    "hf-space": "spaces",
    "hf-kernel": "kernels",
}
"""Kinds of artifacts, and how the names of their directories begin."""

COMMIT_SIZE: Final = 40
"""Bytes of a ref: a commit and no newline, which every client takes literally."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)
_NAME: Final = re.compile(r"(\w[\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a recipe and where it belongs, as components of a path."""

    index: int
    parts: tuple[str, ...]

    @property
    def key(self) -> str:
        """The path below the repository."""
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one recipe, by what they are to a client."""

    folder: str
    snapshots: dict[str, list[Item]]
    """By commit."""
    no_exist: list[Item]
    trees: list[Item]
    refs: list[Item]

    def items(self) -> Iterator[Item]:
        """Return every item."""
        for snapshot in self.snapshots.values():
            yield from snapshot
        yield from self.no_exist
        yield from self.trees
        yield from self.refs


def layout_of(artifact: Artifact | Given, recipe: Recipe) -> Layout:
    """Return where each file of the recipe belongs.

    Raises:
        TargetError: the name is not one that a client would ask for, or a path
            is none that a Hugging Face cache has.
    """
    layout = Layout(folder_name(artifact.kind, artifact.name), {}, [], [], [])
    for index, path in enumerate(recipe.paths()):
        if recipe.modes[index] == Mode.DIRECTORY:
            continue
        item = Item(index, tuple(path.split("/")))
        if not _sort(layout, item, int(recipe.sizes[index])):
            raise TargetError(
                f"{artifact.name}: a Hugging Face cache has no place for {path!r}",
                advice="pack it again from a cache, or as tree:PATH",
            )
    return layout


def _sort(layout: Layout, item: Item, size: int) -> bool:
    """Add an item to its place; return whether there is one."""
    area, commit, *rest = (*item.parts, "", "")
    if area == "refs" and commit and size == COMMIT_SIZE:
        layout.refs.append(item)
    elif area == "trees" and _COMMIT.fullmatch(commit.removesuffix(".json")):
        if len(item.parts) != 2 or not commit.endswith(".json"):
            return False
        layout.trees.append(item)
    elif not _COMMIT.fullmatch(commit) or not rest[0]:
        return False
    elif area == "snapshots":
        layout.snapshots.setdefault(commit, []).append(item)
    elif area == ".no_exist" and size == 0:
        layout.no_exist.append(item)
    else:
        return False
    return True


def folder_name(kind: str, name: str) -> str:
    """Return the directory that a client looks for this repository in.

    >>> folder_name("hf-model", "nomic-ai/nomic-embed-text-v1")
    'models--nomic-ai--nomic-embed-text-v1'

    Raises:
        TargetError: a client would refuse to ask for such a repository.
    """
    if not _NAME.fullmatch(name) or "--" in name or ".." in name:
        raise TargetError(
            f"{name!r} is not the name of a Hugging Face repository",
            advice="names are NAME or ORG/NAME of letters, digits, '-', '_' and '.'",
        )
    return f"{FOLDERS[kind]}--{name.replace('/', '--')}"


def is_commit(text: str) -> bool:
    """Return whether ``text`` is a full commit, as directories of snapshots are."""
    return _COMMIT.fullmatch(text) is not None


def blob_name(recipe: Recipe, index: int) -> str:
    """Return what a client calls the content: Git's SHA-1 if it has one, or SHA-256."""
    git_sha1 = bytes(recipe.git_sha1[index])
    return git_sha1.hex() if any(git_sha1) else bytes(recipe.sha256[index]).hex()


def keys_of(layout: Layout, recipe: Recipe) -> tuple[set[str], dict[str, int]]:
    """Return what a record may hold of a repository: files, and counts of names."""
    keys = {item.key for item in layout.items()}
    for items in layout.snapshots.values():
        keys.update(f"blobs/{blob_name(recipe, item.index)}" for item in items)
    names = {
        f"snapshots/{commit}": len(items) for commit, items in layout.snapshots.items()
    }
    return keys, names


def link_text(item: Item, blob: str) -> str:
    """Return where the link at ``item`` points: relative, so the cache can move.

    >>> link_text(Item(0, ("snapshots", "c0ffee", "1_Pooling", "config.json")), "ab")
    '../../../blobs/ab'
    """
    return "../" * (len(item.parts) - 1) + f"blobs/{blob}"


def by_folder(items: list[Item]) -> Iterator[tuple[tuple[str, ...], list[Item]]]:
    """Return items by the directory that they are in."""
    for parts, group in groupby(items, key=lambda item: item.parts[:-1]):
        yield parts, list(group)
