"""Repositories that would make a Hugging Face cache load something else (30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spec.vectors.generator.attacks.kit import Attack, attack, roomy
from spec.vectors.generator.binary import File
from spec.vectors.generator.medium import Bundle, Item

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT: Final = b"0" * 40
HUB: Final = "huggingface_hub #4540 (names of revisions as paths)"
FILE: Final = File(b"snapshots/" + COMMIT + b"/config.json", (b"{}\n",))
TARGET: Final = {"target": "hf-cache"}

PATHS: Final[dict[str, tuple[tuple[File, ...], str]]] = {
    "snapshot_without_a_commit": (
        (File(b"snapshots/main/config.json", (b"{}",)),),
        "A branch where a commit belongs: clients load it by that name.",
    ),
    "snapshot_of_39_digits": (
        (File(b"snapshots/" + COMMIT[1:] + b"/config.json", (b"{}",)),),
        "No commit.",
    ),
    "snapshot_in_upper_case": (
        (File(b"snapshots/" + b"A" * 40 + b"/config.json", (b"{}",)),),
        "Another name of a commit.",
    ),
    "snapshot_that_is_a_file": (
        (File(b"snapshots/" + COMMIT, (b"{}",)),),
        "A file where clients list a directory.",
    ),
    "blob_of_its_own": (
        (File(b"blobs/" + b"0" * 64, (b"{}",)),),
        "A blob under a name that is not its digest, for all that link to it.",
    ),
    "lock": ((File(b".locks/" + COMMIT, (b"?",)),), "A lock that nobody lets go of."),
    "staging": (
        (File(b".bundle/store.json", (b"{}",)),),
        "What the receiver itself wrote.",
    ),
    "file_beside_the_snapshots": (
        (File(b"config.json", (b"{}",)),),
        "Clients take it for a file of the cache.",
    ),
    "marker_with_content": (
        (File(b".no_exist/" + COMMIT + b"/config.json", (b"{}",)),),
        "A file that is said not to exist, with content.",
    ),
    "listing_of_no_commit": (
        (File(b"trees/main.json", (b"[]",)),),
        "A listing that any revision is compared with.",
    ),
    "listing_in_a_directory": (
        (File(b"trees/" + COMMIT + b".json/a", (b"[]",)),),
        "A directory where a file belongs.",
    ),
    "ref_with_a_line_feed": (
        (File(b"refs/main", (COMMIT + b"\n",)), FILE),
        "Clients take the line feed for a part of the commit.",
    ),
    "ref_that_leads_out": (
        (File(b"refs/main", (b"../../../../../bundle-attack-was-here\0",)), FILE),
        "Clients take what it says for the name of a directory.",
    ),
    "ref_of_nothing": ((File(b"refs/main"), FILE), "The directory of all snapshots."),
}

NAMES: Final = {
    "with_two_dashes": (
        "acme--tiny",
        "The directory of another organisation's repository.",
    ),
    "with_two_dots": ("acme/ti..ny", "Clients refuse it."),
    "of_three_parts": ("acme/tiny/more", "Two repositories in one directory."),
    "with_a_blank": ("acme/ti ny", "Clients refuse it."),
    "that_begins_with_a_dot": (".locks/tiny", "What a client keeps for itself."),
}


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    for name, (files, comment) in PATHS.items():
        yield _of(
            f"cache_{name}",
            Item(
                sorted(files, key=lambda one: one.path),
                "acme/tiny",
                changes={"kind": "hf-model"},
            ),
            comment,
        )
    for name, (text, comment) in NAMES.items():
        yield _of(
            f"cache_name_{name}",
            Item([FILE], text, changes={"kind": "hf-model"}),
            comment,
        )


def _of(name: str, item: Item, comment: str) -> Attack:
    bundle = Bundle([item], release=roomy(item), volumes=[])
    return attack(
        "caches",
        name,
        "30.3.3",
        bundle,
        comment,
        exit=14,
        known=HUB,
        given={**TARGET, "reader": "unpack"},
    )
