"""Bundles through a pipe: entries, and streams of them (chapter 80)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import b3, le, patch, record
from spec.vectors.generator.bundles import receiver
from spec.vectors.generator.container import Content, Repeat, Vector, accept, refuse
from spec.vectors.generator.medium import BASE, BASE_FILES, Bundle, release_digest
from spec.vectors.generator.records import common
from spec.vectors.generator.samples import TINY, TINY_VOLUME
from spec.vectors.generator.signing import STRANGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ENTRY_MAGIC: Final = b"\x89BDE\r\n\x1a\n"
ORDER: Final = (
    *("trust/1.root.json", "trust/1.roles.json", "release.json", "bundle.json"),
    *("approval.md", "shards.bds", "recipes.bdr", "vol-00001.bdv", ""),
)
"""The entries of the base; the last is the ending."""


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _entries()
    yield from _streams()
    yield from _bad_orders()
    yield from _bad_contents()


def entry(name: bytes, size: int, **changes: Any) -> bytes:
    """Return an entry up to its content (80.1)."""
    values: dict[str, Any] = {"name_size": len(name), "reserved": bytes(32), **changes}
    head = record(
        ENTRY_MAGIC,
        le(2, 1, 0),
        le(4, values["name_size"]),
        le(8, size),
        values["reserved"],
    )
    return head + name


def _entries() -> Iterator[Vector]:
    longest = f"sig/{'0' * 64}.json"
    for stem, name, size in (
        ("of_five_bytes", "approval.md", 5),
        ("of_a_signature", longest, 4096),
        ("the_ending", "", 0),
    ):
        yield accept(
            "entry",
            stem,
            "80.1.9" if not name else "80.1.8",
            entry(name.encode(), size),
            "The record and the name; the content would follow.",
            value={"name": name, "size": size},
        )
    good = entry(b"approval.md", 5)
    yield from common("entry", "80.1", good)
    cases = {
        "a_reserved_byte": (
            "80.1.6 2.1.3",
            entry(b"approval.md", 5, reserved=bytes(31) + b"\1"),
            "The last of them.",
        ),
        "a_name_of_97_bytes": (
            "80.1.7 2.1.4",
            entry(b"a" * 97, 5)[:64],
            "One too many.",
        ),
        "a_name_of_4_gib": (
            "80.1.7 2.1.4",
            entry(b"", 5, name_size=(1 << 32) - 1),
            "Refused from the record alone.",
        ),
        "a_name_beyond_ascii": ("80.1.8", entry("é.md".encode(), 5), "UTF-8."),
        "an_ending_with_bytes": ("80.1.9", entry(b"", 1), "Whose?"),
    }
    for stem, (rules, data, comment) in cases.items():
        yield refuse("entry", stem, rules, data, comment)


def stream(files: Mapping[str, Content], order: Sequence[str] = ORDER) -> bytes:
    """Return the stream of some files."""
    made = b""
    for name in order:
        data = files[name] if name else b""
        assert isinstance(data, bytes)
        made += entry(name.encode(), len(data)) + data
    return made


def _given(order: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"base": BASE, "receiver": receiver(), "entries": list(order), **more}


def _streams() -> Iterator[Vector]:
    value = {
        "stream": b3(stream(BASE_FILES)).hex(),
        "release": release_digest(Bundle()),
        "files": {file.path.decode(): file.content.hex() for file in TINY},
    }
    yield accept(
        "stream",
        "one_tree",
        "80.2.1 80.2.2 80.2.3 80.2.5 80.1.9",
        {},
        "The files of the base, an entry each; value.stream is BLAKE3 of all of it.",
        given=_given(ORDER),
        value=value,
    )
    order = ("release.json", ORDER[1], ORDER[0], *ORDER[3:])
    yield accept(
        "stream",
        "in_another_order_up_to_the_manifest",
        "80.2.1",
        {},
        "What comes before bundle.json may come in any order.",
        given=_given(order),
        value={**value, "stream": b3(stream(BASE_FILES, order)).hex()},
    )


def _bad_orders() -> Iterator[Vector]:
    envelopes, lists, rest = ORDER[:4], ORDER[4:7], ORDER[7:]
    cases: dict[str, tuple[str, str, Sequence[str], str]] = {
        "the_release_twice": ("80.2.1", "", ("release.json", *ORDER), "Once."),
        "a_volume_first": ("80.2.1", "", (rest[0], *ORDER), "Before bundle.json."),
        "an_ending_first": ("80.2.1", "", ("", *ORDER), "Before bundle.json."),
        "a_copy": (
            "80.2.4",
            "80.2.1",
            ("copy/release.json", *ORDER),
            "Not in a stream.",
        ),
        "a_name_that_leads_out": (
            "80.1.8 80.2.1",
            "80.2.1",
            ("trust/../release.json", *ORDER),
            "By ..",
        ),
        "a_root_01": (
            "80.1.8 4.2",
            "80.2.1",
            ("trust/01.root.json", *ORDER),
            "No zeros.",
        ),
        "a_list_before_another": (
            "80.2.2",
            "",
            (*envelopes, lists[1], lists[0], lists[2], *rest),
            "shards.bds, approval.md.",
        ),
        "without_a_list": (
            "80.2.2",
            "",
            (*envelopes, *lists[:2], *rest),
            "recipes.bdr.",
        ),
        "without_a_volume": ("80.2.2", "", (*envelopes, *lists, ""), "The ending."),
        "parity": (
            "80.2.4 80.2.2",
            "80.2.2",
            (*ORDER[:-1], "par-00001.bdp", ""),
            "Not in a stream.",
        ),
        "a_signature_late": (
            "80.2.1 80.2.2",
            "80.2.2",
            (*envelopes, f"sig/{'0' * 64}.json", *lists, *rest),
            "After bundle.json.",
        ),
    }
    for name, (rules, names, order, comment) in cases.items():
        known = {*ORDER, "copy/release.json"}
        files: dict[str, Content] = {one: b"?" for one in order if one not in known}
        given = _given(order)
        yield refuse("stream", name, rules, files, comment, names=names, given=given)


def _bad_contents() -> Iterator[Vector]:
    whole = len(stream(BASE_FILES))
    for name, end, comment in (
        ("without_an_ending", whole - 64, "It stops after the last volume."),
        ("that_stops_in_the_ending", whole - 1, "A byte short."),
        ("that_stops_in_a_volume", whole - 100, "A hundred bytes short."),
        ("that_stops_in_a_name", 70, "After 6 bytes of it."),
        ("of_no_bytes", 0, "Nothing came."),
    ):
        given = _given(ORDER, size=end)
        yield refuse("stream", name, "80.1.10", {}, comment, exit=11, given=given)
    given = _given((*ORDER, ""))
    comment = "There are two."
    yield refuse(
        "stream", "an_entry_after_the_ending", "80.1.9", {}, comment, given=given
    )
    cases: dict[str, tuple[str, int, str, Mapping[str, Content], str]] = {
        "a_volume_that_is_longer": (
            "80.2.3 3.2.4",
            11,
            "3.2.4",
            {"vol-00001.bdv": TINY_VOLUME + b"\0"},
            "Its entry says so.",
        ),
        "a_damaged_volume": (
            "80.2.5 3.3.11",
            11,
            "3.3.11",
            {"vol-00001.bdv": patch(TINY_VOLUME, 1314, b"\0")},
            "Its last byte.",
        ),
        "a_manifest_by_a_stranger": (
            "80.2.3 22.4.2",
            12,
            "20.3.3",
            Bundle(carriers=[STRANGER]).changed(),
            "Refused before anything large is read.",
        ),
        "a_root_over_512000_bytes": (
            "80.2.1 4.5 2.1.4",
            10,
            "4.5",
            {"trust/1.root.json": (Repeat(b" ", 512_001),)},
            "One byte more than the most.",
        ),
    }
    for name, (rules, code, names, files, comment) in cases.items():
        given = _given(ORDER)
        yield refuse(
            "stream", name, rules, files, comment, exit=code, names=names, given=given
        )
