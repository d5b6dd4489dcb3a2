"""Which keys the files of an artifact have in a bucket (spec §92.2).

Paths here are below the base: the prefix, and the generation if there is one. What
no reader of models asks for, and a delta may build on, is kept among the
``originals``: listings of the hub, which hold what no client should see.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - annotations are read at run time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bundle.errors import TargetError
from bundle.format.recipe_layout import Mode
from bundle.paths import collision_key
from bundle.target.hf_layout import FOLDERS, folder_name, layout_of
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact

ORIGINALS: Final = f"{NAME}/originals/"
REFS: Final = f"{NAME}/refs/"
TREE: Final = "tree"
_MODEL: Final = "hf-model"


class Layout(StrEnum):
    """How readers want it: as a cache of snapshots, or files by name and revision."""

    HF_SNAPSHOTS = "hf-snapshots"
    FLAT = "flat"

    def takes(self, kind: str) -> bool:
        """Return whether artifacts of this kind have a place in it."""
        return kind in FOLDERS or (self is Layout.FLAT and kind == TREE)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one file of a recipe goes; ``late`` ones go after all that are not."""

    index: int
    path: str
    late: bool = False


def check_places(artifact: Artifact, recipe: Recipe) -> None:
    """Refuse an artifact whose files have no place in a bucket.

    Raises:
        TargetError: its name or a path is none that its readers would ask for.
    """
    if artifact.kind in FOLDERS:
        layout_of(artifact, recipe)
    elif collision_key(artifact.name.partition("/")[0]) == NAME:
        raise TargetError(
            f"artifact {artifact.name!r} is called as this target calls its own",
            advice="pack it again from a directory with another name",
        )


def spots(layout: Layout, kind: str, name: str, recipe: Recipe) -> Iterator[Spot]:
    """Yield where each file of an artifact goes; directories go nowhere."""
    home = home_of(layout, kind, name)
    for index, path in enumerate(recipe.paths()):
        if recipe.modes[index] == Mode.DIRECTORY:
            continue
        if kind == TREE:
            yield Spot(index, f"{home}{path}")
            continue
        area, _, rest = path.partition("/")
        if area == "snapshots":
            inside = rest if layout is Layout.FLAT else path
            yield Spot(index, f"{home}{inside}")
        elif area == "refs":
            above = refs_of(layout, kind, name)
            yield Spot(index, f"{above}{rest}", late=True)
        elif recipe.sizes[index]:
            yield Spot(index, f"{ORIGINALS}{bytes(recipe.sha256[index]).hex()}")


def home_of(layout: Layout, kind: str, name: str) -> str:
    """Return what the keys of an artifact's files begin with.

    >>> home_of(Layout.HF_SNAPSHOTS, "hf-model", "org/name")
    'models--org--name/'
    >>> home_of(Layout.FLAT, "hf-dataset", "org/name")
    'datasets/org/name/'
    """
    if layout is Layout.HF_SNAPSHOTS:
        return f"{folder_name(kind, name)}/"
    if kind in (_MODEL, TREE):
        return f"{name}/"
    return f"{FOLDERS[kind]}/{name}/"


def refs_of(layout: Layout, kind: str, name: str) -> str:
    """Return what the keys of an artifact's refs begin with.

    >>> refs_of(Layout.FLAT, "hf-model", "org/name")
    '.bundle/refs/models--org--name/'
    """
    folder = folder_name(kind, name)
    if layout is Layout.HF_SNAPSHOTS:
        return f"{folder}/refs/"
    return f"{REFS}{folder}/"


def unpublished(kind: str, recipe: Recipe) -> Iterator[str]:
    """Yield the paths of a recipe that no reader of the bucket finds."""
    for index, path in enumerate(recipe.paths()):
        if recipe.modes[index] == Mode.DIRECTORY or (
            kind != TREE and path.partition("/")[0] not in ("snapshots", "refs")
        ):
            yield path
