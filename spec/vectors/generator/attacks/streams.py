"""Bundles that come through a pipe, where nothing can be looked at twice (80)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import ABSOLUTE, LANDMARK, Attack, attack
from spec.vectors.generator.binary import patch
from spec.vectors.generator.container import Content, Repeat
from spec.vectors.generator.medium import BASE_FILES, Bundle
from spec.vectors.generator.samples import TINY_VOLUME
from spec.vectors.generator.signing import STRANGER
from spec.vectors.generator.streams import ORDER, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DESYNC: Final = "CVE-2025-62518 (TARmageddon: readers lose step)"
TARFILE: Final = "CVE-2007-4559 (Python's tarfile)"
HEAD: Final = ORDER[:4]
LISTS: Final = ORDER[4:7]
REST: Final = ORDER[7:]


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    orders: dict[str, tuple[str, str, Sequence[str], str, str]] = {
        "entry_that_leads_out": (
            "80.1.8 80.2.1",
            "80.2.1",
            (f"../{LANDMARK}", *ORDER),
            "A path where a name belongs.",
            TARFILE,
        ),
        "entry_that_is_absolute": (
            "80.1.8 80.2.1",
            "80.2.1",
            (ABSOLUTE, *ORDER),
            "Absolute.",
            TARFILE,
        ),
        "entry_in_a_directory_that_leads_out": (
            "80.1.8 80.2.1",
            "80.2.1",
            (f"trust/../../{LANDMARK}", *ORDER),
            "The beginning is right.",
            TARFILE,
        ),
        "volume_before_its_manifest": (
            "80.2.1",
            "",
            (REST[0], *ORDER),
            "Payload before anything is signed.",
            DESYNC,
        ),
        "release_twice": (
            "80.2.1",
            "",
            ("release.json", *ORDER),
            "The second counts to some.",
            DESYNC,
        ),
        "manifest_twice": (
            "80.2.2",
            "",
            (*HEAD, "bundle.json", *LISTS, *REST),
            "The second counts to some.",
            DESYNC,
        ),
        "signature_after_the_manifest": (
            "80.2.2",
            "80.2.2",
            (*HEAD, f"sig/{'0' * 64}.json", *LISTS, *REST),
            "Too late to count.",
            "",
        ),
        "lists_in_another_order": (
            "80.2.2",
            "",
            (*HEAD, LISTS[1], LISTS[0], LISTS[2], *REST),
            "Shards before the approval.",
            DESYNC,
        ),
        "no_recipes": (
            "80.2.2",
            "",
            (*HEAD, *LISTS[:2], *REST),
            "A list is left out.",
            "",
        ),
        "no_volume": ("80.2.2", "", (*HEAD, *LISTS, ""), "The ending comes early.", ""),
        "ending_first": (
            "80.2.1",
            "",
            ("", *ORDER),
            "Everything is behind it.",
            DESYNC,
        ),
        "ending_twice": (
            "80.1.9",
            "",
            (*ORDER, ""),
            "Another stream may be behind it.",
            DESYNC,
        ),
        "parity": (
            "80.2.2",
            "",
            (*ORDER[:-1], "par-00001.bdp", ""),
            "A kind of file that does not travel so.",
            "",
        ),
    }
    for name, (rules, names, order, comment, known) in orders.items():
        files: dict[str, Content] = {one: b"?" for one in order if one not in ORDER}
        yield _of(name, rules, files, comment, names=names, known=known, order=order)
    whole = len(stream(BASE_FILES))
    for name, end, comment in (
        (
            "that_stops_before_its_ending",
            whole - 64,
            "A cut that loses the end alone: whoever stops there has it all.",
        ),
        ("that_stops_in_a_volume", whole - 100, "The pipe broke."),
        ("that_stops_in_a_name", 70, "The pipe broke."),
        ("of_nothing", 0, "Nothing came."),
    ):
        yield _of(name, "80.1.10", {}, comment, exit=11, given={"size": end})
    contents: dict[str, tuple[str, int, str, dict[str, Content], str]] = {
        "by_a_stranger": (
            "22.4.1",
            12,
            "20.3.3",
            Bundle(packers=[STRANGER]).changed(),
            "Refused before anything large is read.",
        ),
        "carried_by_a_stranger": (
            "22.4.2",
            12,
            "20.3.3",
            Bundle(carriers=[STRANGER]).changed(),
            "Refused before anything large is read.",
        ),
        "with_a_damaged_volume": (
            "3.3.11",
            11,
            "",
            {"vol-00001.bdv": patch(TINY_VOLUME, 1314, b"\0")},
            "Nothing of it is published.",
        ),
        "with_a_longer_volume": (
            "3.2.4 80.2.3",
            11,
            "",
            {"vol-00001.bdv": TINY_VOLUME + b"\0"},
            "Its entry says so.",
        ),
        "with_an_endless_root": (
            "4.5 80.2.1",
            10,
            "",
            {"trust/1.root.json": (Repeat(b" ", 512_001),)},
            "Endless data before anything is signed.",
        ),
        "with_an_endless_approval": (
            "3.2.4",
            11,
            "",
            {"approval.md": (Repeat(b" ", 1 << 20),)},
            "Longer than was signed.",
        ),
    }
    for name, (rules, code, names, files, comment) in contents.items():
        yield _of(name, rules, files, comment, exit=code, names=names)


def _of(
    name: str,
    rules: str,
    files: dict[str, Content],
    comment: str,
    *,
    order: Sequence[str] = ORDER,
    given: dict[str, Any] | None = None,
    **more: Any,
) -> Attack:
    return attack(
        "streams",
        f"stream_{name}",
        rules,
        files,
        comment,
        kind="stream",
        given={"entries": list(order), **(given or {})},
        **more,
    )
