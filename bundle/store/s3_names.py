"""What the objects of a store in a bucket are called (spec §51.2).

An object that is content is called after its BLAKE3 and the generation in which
it was put there. So nothing is ever overwritten with anything else, and what was
once said to leave never comes back under the same name.

>>> content = Content(bytes(32), 7)
>>> RECIPES.key(content).endswith("00-0000000007.bdr")
True
>>> RECIPES.parse(RECIPES.key(content)) == content
True
>>> RECIPES.parse("recipes/letter.txt") is None
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bundle.digest import Digest
from bundle.errors import LimitError
from bundle.limits import MAX_GENERATION

INDEXES: Final = "indexes/"
"""Index objects: NAME.bdx, the first 32 digits of their BLAKE3."""

COMMITS: Final = "commits/"
"""Commit pointers: SEQ-RELEASE-GENERATION."""

GENERATIONS: Final = "generations/"
"""One object for each generation: NUMBER-RANDOM, which lists what leaves in it."""

IDENTITIES: Final = "store/"
"""One empty object, called after the store's id; of several the first counts."""

PAPERS: Final = "papers/"
"""What came with a release: RELEASE/NAME."""

_CONTENT: Final = r"([0-9a-f]{64})-([0-9]{10})"
_POINTER: Final = re.compile(rf"{COMMITS}([0-9]{{16}})-{_CONTENT}\.json", re.ASCII)
_INDEX: Final = re.compile(rf"{INDEXES}([0-9a-f]{{32}})\.bdx", re.ASCII)
_GENERATION: Final = re.compile(rf"{GENERATIONS}([0-9]{{10}})-[0-9a-f]{{16}}", re.ASCII)
_IDENTITY: Final = re.compile(rf"{IDENTITIES}([0-9a-f]{{32}})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Content:
    """What an object holds, and since which generation of the store."""

    digest: bytes
    generation: int

    def __str__(self) -> str:
        return f"{self.digest.hex()}-{self.generation:010d}"

    @property
    def text(self) -> str:
        """The text of the digest."""
        return str(Digest(self.digest))


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one kind of content lies."""

    prefix: str
    suffix: str

    def key(self, content: Content) -> str:
        """Return the key of an object."""
        return f"{self.prefix}{content}{self.suffix}"

    def parse(self, key: str) -> Content | None:
        """Return what an object holds, or None where it is none of this shelf's."""
        match = re.fullmatch(
            f"{self.prefix}{_CONTENT}{re.escape(self.suffix)}", key, re.ASCII
        )
        return (
            None if match is None else Content(bytes.fromhex(match[1]), int(match[2]))
        )


PACKS: Final = Shelf("packs/", ".bdv")
RECIPES: Final = Shelf("recipes/", ".bdr")
RELEASES: Final = Shelf("releases/", ".json")
SHELVES: Final = (PACKS, RECIPES, RELEASES)


@dataclass(frozen=True, slots=True, order=True)
class Commit:
    """One commit pointer's name."""

    seq: int
    release: Content

    @property
    def key(self) -> str:
        """The key of the pointer."""
        return f"{COMMITS}{self.seq:016d}-{self.release}.json"


def parse_commit(key: str) -> Commit | None:
    """Return the pointer with this key, or None where it is none."""
    match = _POINTER.fullmatch(key)
    if match is None:
        return None
    return Commit(int(match[1]), Content(bytes.fromhex(match[2]), int(match[3])))


def index_key(name: str) -> str:
    """Return the key of an index object."""
    return f"{INDEXES}{name}.bdx"


def parse_index(key: str) -> str | None:
    """Return the name of the index object with this key, or None."""
    match = _INDEX.fullmatch(key)
    return None if match is None else match[1]


def generation_key(number: int, random: str) -> str:
    """Return the key of a generation; ``random`` is 16 hexadecimal digits.

    Raises:
        LimitError: a store has no more of them.
    """
    if number > MAX_GENERATION:
        raise LimitError(f"generation {number} of a store", rule="51.3.1")
    return f"{GENERATIONS}{number:010d}-{random}"


def is_generation(key: str) -> bool:
    """Return whether an object with this key counts as a generation."""
    return _GENERATION.fullmatch(key) is not None


def parse_identity(key: str) -> str | None:
    """Return the id that an object names, or None."""
    match = _IDENTITY.fullmatch(key)
    return None if match is None else match[1]


def papers_prefix(release: bytes) -> str:
    """Return what the keys of a release's papers begin with."""
    return f"{PAPERS}{release.hex()}/"
