"""Which artifact has which path, where several share one directory (spec §2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundle.errors import TargetError
from bundle.format.recipe_layout import Mode
from bundle.paths import collision_key
from bundle.target.workspace import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundle.format.recipe import Recipe

_Claim = tuple[str, str, bool]


class Claims:
    """The paths of the artifacts of one run, at one target."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._recipes: dict[str, Recipe] = {}
        self._taken: dict[str, _Claim] = {}

    def add(self, artifact: str, recipe: Recipe) -> None:
        """Claim the paths of an artifact; a second time does nothing.

        Raises:
            TargetError: one of them belongs to the target itself, or to another
                artifact, or is a file here and a directory there.
        """
        if artifact in self._recipes:
            return
        self._keep_ours(artifact, recipe)
        if len(self._recipes) == 1:
            # One artifact's own paths are known to be distinct: nothing to compare.
            for name, earlier in self._recipes.items():
                self._enter(name, earlier)
        if self._recipes:
            self._enter(artifact, recipe)
        self._recipes[artifact] = recipe

    def _keep_ours(self, artifact: str, recipe: Recipe) -> None:
        for path in recipe.paths():
            if collision_key(path.partition("/")[0]) == NAME:
                raise TargetError(
                    f"{self._location}: artifact {artifact!r} has the path {path!r}, "
                    "where this target keeps its own files",
                    advice=f"pack it again with --exclude '{artifact}/{NAME}/*'",
                )

    def _enter(self, artifact: str, recipe: Recipe) -> None:
        for index, path in enumerate(recipe.paths()):
            for prefix, is_file in _levels(path, recipe.modes[index] != Mode.DIRECTORY):
                mine = (artifact, prefix, is_file)
                other = self._taken.setdefault(collision_key(prefix), mine)
                same_directory = other[1:] == (prefix, False) and not is_file
                if other[0] != artifact and not same_directory:
                    raise TargetError(
                        f"{self._location}: the artifacts {other[0]!r} and "
                        f"{artifact!r} both have the path {prefix!r}",
                        advice="give each its own directory: --to tree:PATH",
                    )


class KeyClaims:
    """The paths of the artifacts of one run in a bucket, which has no directories.

    Its readers have them, so that one artifact's file is never another's directory.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._files: dict[str, str] = {}
        self._directories: dict[str, str] = {}

    def add(self, artifact: str, paths: Iterable[str]) -> None:
        """Claim the paths of an artifact; a second time does nothing.

        Raises:
            TargetError: one of them is another artifact's, or is a file here and a
                directory there.
        """
        for path in paths:
            first, _, rest = path.partition("/")
            if NAME in (first, rest.partition("/")[0]):
                continue  # named by their content, or by the repository
            owners = {self._files.setdefault(path, artifact)}
            owners.add(self._directories.get(path, artifact))
            above = path.rpartition("/")[0]
            while above:
                if self._directories.setdefault(above, artifact) == artifact:
                    owners.add(self._files.get(above, artifact))
                above = above.rpartition("/")[0]
            if others := owners - {artifact}:
                raise TargetError(
                    f"{self._location}: the artifacts {others.pop()!r} and "
                    f"{artifact!r} both have the path {path!r}",
                    advice="give each its own prefix: --to s3://BUCKET/PREFIX",
                )


def _levels(path: str, is_file: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
    """Return a path and the directories above it."""
    yield path, is_file
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path, False
