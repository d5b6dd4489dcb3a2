"""A whole bundle in memory, truly signed whatever is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import b3, recipe, recipes, shards, shards_of
from spec.vectors.generator.container import Absent, Content, Same
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.manifests import manifest
from spec.vectors.generator.samples import TINY, TINY_VOLUME
from spec.vectors.generator.signing import (
    MANIFEST_TYPE,
    PACKER,
    RELEASE_TYPE,
    ROLES_FILE,
    ROOT,
    ROOT_FILE,
    envelope,
    metadata,
    roles,
)
from spec.vectors.generator.statements import artifact, contents, digest, release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spec.vectors.generator.binary import File
    from spec.vectors.generator.statements import JSON

BASE: Final = "bundle/one_tree"
"""The vector whose files the others change."""

APPROVAL: Final = b"# models-prod, release 1\n\nOne tree of two files.\n"


@dataclass(frozen=True)
class Item:
    """An artifact, the files of its recipe, and members of it that are changed."""

    files: Sequence[File]
    name: str = "tiny"
    changes: Mapping[str, Any] = field(default_factory=dict)
    recipe_changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> bytes:
        """The recipe."""
        return recipe(self.files, **self.recipe_changes)

    @property
    def artifact(self) -> JSON:
        """What the release says."""
        parts = [part for file in self.files for part in file.parts]
        members = {
            "kind": "tree",
            "name": self.name,
            "source": f"tree:{self.name}",
            "revision": "1",
            "recipe": {
                "mediaType": "application/vnd.bundle.recipe.v1",
                "digest": digest(self.recipe),
                "size": len(self.recipe),
            },
            "bytes": sum(len(file.content) for file in self.files),
            "files": len(self.files),
            "chunks": sum(len(part) for part in parts if isinstance(part, list)),
            "licence": None,
        }
        return artifact(**(members | dict(self.changes)))


TINY_ITEM: Final = Item(TINY)


def statement(*items: Item, **changes: Any) -> JSON:
    """Return a release of these artifacts, for everyone."""
    held = [item.artifact for item in items or (TINY_ITEM,)]
    return release(held, **({"audience": []} | changes))


@dataclass(frozen=True)
class Bundle:
    """The parts of a bundle; what is None follows from the others."""

    items: Sequence[Item] = (TINY_ITEM,)
    release: JSON | None = None
    release_payload: bytes | None = None
    carried: Sequence[bytes] | None = None
    recipes: bytes | None = None
    required: Sequence[bytes] = ()
    volumes: Sequence[bytes] = (TINY_VOLUME,)
    shards: bytes | None = None
    approval: bytes = APPROVAL
    manifest: Mapping[str, Any] = field(default_factory=dict)
    manifest_payload: bytes | None = None
    packers: Sequence[int] = (PACKER,)
    carriers: Sequence[int] = (PACKER,)
    roles: Mapping[str, tuple[Sequence[int], int]] | None = None

    @property
    def statement(self) -> JSON:
        """The release."""
        return self.release or statement(*self.items)

    @property
    def payload(self) -> bytes:
        """What the release's envelope holds."""
        return self.release_payload or dumps(self.statement)

    @property
    def held(self) -> list[bytes]:
        """The recipes that are carried."""
        every = [item.recipe for item in self.items]
        return list(dict.fromkeys(every if self.carried is None else self.carried))

    @property
    def recipes_file(self) -> bytes:
        """recipes.bdr."""
        held = bytes.fromhex(contents(self.statement)[7:])
        return self.recipes or recipes(self.held, held, self.required)

    @property
    def shards_file(self) -> bytes:
        """shards.bds."""
        return self.shards or shards(shards_of(self.recipes_file, *self.volumes))

    @property
    def document(self) -> JSON:
        """The manifest."""
        made = manifest(
            self.payload,
            contents(self.statement),
            self.held,
            recipes=self.recipes_file,
            volumes=self.volumes,
            approval=self.approval,
            list_=self.shards_file,
            required=self.required,
        )
        return made | dict(self.manifest)

    def files(self) -> dict[str, Content]:
        """Return every file of the bundle."""
        document = self.manifest_payload or dumps(self.document)
        named = roles(self.roles)
        return {
            "release.json": dumps(envelope(self.payload, RELEASE_TYPE, *self.packers)),
            "bundle.json": dumps(envelope(document, MANIFEST_TYPE, *self.carriers)),
            "recipes.bdr": self.recipes_file,
            **{
                f"vol-{number:05d}.bdv": data
                for number, data in enumerate(self.volumes, start=1)
            },
            "shards.bds": self.shards_file,
            "approval.md": self.approval,
            "trust/1.root.json": ROOT_FILE,
            "trust/1.roles.json": dumps(metadata(named, ROOT))
            if self.roles
            else ROLES_FILE,
            "copy/release.json": Same("release.json"),
            "copy/bundle.json": Same("bundle.json"),
        }

    def changed(self, **more: Content) -> dict[str, Content]:
        """Return the files that are not as in the base, and ``more`` files."""
        made = self.files()
        base = BASE_FILES.items()
        found: dict[str, Content] = {
            name: content
            for name, content in made.items()
            if BASE_FILES.get(name) != content
        }
        found |= {name: Absent() for name, _ in base if name not in made}
        return found | more


BASE_FILES: Final = Bundle().files()


def release_digest(bundle: Bundle) -> str:
    """Return the digest of the release."""
    return f"blake3:{b3(bundle.payload).hex()}"
