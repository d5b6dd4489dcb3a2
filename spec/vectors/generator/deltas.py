"""Receipts and wants (chapter 60)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import b3, le, record
from spec.vectors.generator.container import Repeat, Vector, accept, refuse
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.policies import digest
from spec.vectors.generator.records import common
from spec.vectors.generator.samples import HELLO, OTHER
from spec.vectors.generator.signing import RELEASE_TYPE, envelope, public
from spec.vectors.generator.statements import CREATED, STREAM, replaced, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spec.vectors.generator.container import Body
    from spec.vectors.generator.statements import JSON

RECEIPT_TYPE: Final = "application/vnd.bundle.receipt.v1+json"
SITE_KEY: Final = 40
STRANGER: Final = 41
STORE: Final = "0f0e0d0c0b0a09080706050403020100"
WANT_MAGIC: Final = b"\x89BDW\r\n\x1a\n"


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _receipts()
    yield from _bad_receipts()
    yield from _wants()


def receipt(**changes: Any) -> JSON:
    """Return what a site says that it holds."""
    members = {
        "format": 1,
        "features": {"required": [], "optional": []},
        "site": "lab-1",
        "store": {"id": STORE, "generation": 3},
        "streams": [
            {
                "id": STREAM,
                "name": "models-prod",
                "releases": [{"seq": seq, "digest": digest(seq)} for seq in (7, 5)],
            }
        ],
        "outcome": "applied",
        "created": CREATED,
        "trustVersion": {"root": 1, "roles": 1},
    }
    return members | changes


def _file(document: object, number: int = SITE_KEY) -> bytes:
    return dumps(envelope(dumps(document), RECEIPT_TYPE, number))


def _given(*, known: bool = True) -> JSON:
    return {"site": {"lab-1": [public(SITE_KEY)]} if known else {}}


def _receipts() -> Iterator[Vector]:
    value = {
        "receipt": receipt(),
        "name": f"receipt-lab-1-{STORE[:8]}-3.json",
        "verified": True,
    }
    yield accept(
        "receipt",
        "by_a_site",
        "60.1.3 60.1.6 60.1.9 60.1.10",
        _file(receipt()),
        "Two releases of one stream; the roles name the site and its key.",
        given=_given(),
        value=value,
    )
    yield accept(
        "receipt",
        "by_a_site_that_nobody_enrolled",
        "60.1.10",
        _file(receipt()),
        "The roles do not name it: accepted, and the reader says so.",
        given=_given(known=False),
        value={**value, "verified": False},
    )
    long = "the-northern-plants-and-yards-of-1904"
    spoken = receipt(site=long)
    yield accept(
        "receipt",
        "by_a_site_with_a_long_name",
        "4.11.1 60.1.9",
        _file(spoken),
        "The name of its file is cut, and has a digest in place of the rest.",
        given=_given(),
        value={
            "receipt": spoken,
            "name": f"receipt-the-northern-pl-{b3(long.encode()).hex()[:8]}"
            f"-{STORE[:8]}-3.json",
            "verified": False,
        },
    )
    empty = receipt(streams=[], outcome="partial")
    yield accept(
        "receipt",
        "of_nothing",
        "60.1.7 60.1.11",
        _file(empty),
        "It holds nothing whole.",
        given=_given(),
        value={**value, "receipt": empty},
    )


def _bad_receipts() -> Iterator[Vector]:
    stream = receipt()["streams"][0]
    later = stream | {"id": "f" * 32}
    many = [{"seq": seq, "digest": digest(0)} for seq in range(17, 0, -1)]
    good = receipt()
    cases: dict[str, tuple[str, JSON, str]] = {
        "of_format_2": ("8.2.1 60.1.3", receipt(format=2), "A later one."),
        "without_a_store": ("60.1.3", without(good, "store"), "Whose is it?"),
        "of_another_outcome": (
            "60.1.3 60.1.11",
            receipt(outcome="fine"),
            "One of three.",
        ),
        "by_a_site_that_is_no_slug": (
            "60.1.4 2.2.1",
            receipt(site="Lab 1"),
            "No slug.",
        ),
        "of_a_store_without_an_id": (
            "60.1.5",
            replaced(good, "store.id", "lab"),
            "32 digits.",
        ),
        "of_generation_0": ("60.1.5", replaced(good, "store.generation", 0), "From 1."),
        "with_the_oldest_first": (
            "60.1.6",
            receipt(streams=[stream | {"releases": stream["releases"][::-1]}]),
            "5, 7.",
        ),
        "with_a_release_twice": (
            "60.1.6",
            receipt(streams=[stream | {"releases": stream["releases"][:1] * 2}]),
            "7, 7.",
        ),
        "with_release_0": (
            "60.1.6",
            replaced(good, "streams.0.releases.1.seq", 0),
            "Counted from 1.",
        ),
        "with_streams_that_descend": (
            "60.1.7",
            receipt(streams=[later, stream]),
            "By id.",
        ),
        "with_a_stream_twice": ("60.1.7", receipt(streams=[stream, stream]), "Once."),
        "without_a_time_zone": (
            "60.1.8 8.3.7",
            receipt(created="2026-01-31T12:00:00"),
            "UTC, and Z says so.",
        ),
    }
    for name, (rules, document, comment) in cases.items():
        data = _file(document)
        yield refuse("receipt", name, rules, data, comment, given=_given())
    crowded = receipt(streams=[stream | {"releases": many}])
    yield from _bad_files(_file(crowded))


def _bad_files(crowded: bytes) -> Iterator[Vector]:
    whole = _file(receipt())
    release = dumps(envelope(dumps(receipt()), RELEASE_TYPE, SITE_KEY))
    cases: dict[str, tuple[str, str, Body, str]] = {
        "of_seventeen_releases": (
            "60.1.6 60.1.1",
            "20.1.1",
            crowded,
            "They do not fit into the file either, which is checked first.",
        ),
        "over_2048_bytes": (
            "60.1.1",
            "20.1.1",
            (whole, Repeat(b" ", 2048)),
            "Of blanks.",
        ),
        "of_another_type": ("60.1.2", "", release, "That of a release."),
    }
    for name, (rules, named, body, comment) in cases.items():
        yield refuse("receipt", name, rules, body, comment, given=_given(), names=named)
    yield refuse(
        "receipt",
        "by_a_stranger",
        "60.1.10",
        _file(receipt(), STRANGER),
        "The roles name another key for the site.",
        exit=12,
        names="20.3.3",
        given=_given(),
    )


def want(recipes: Sequence[bytes], chunks: Sequence[bytes], /, **changes: Any) -> bytes:
    """Return a want (60.2)."""
    values = {"recipes": len(recipes), "chunks": len(chunks), **changes}
    head = record(
        WANT_MAGIC,
        le(2, 1, 0),
        le(4, values["recipes"]),
        le(8, values["chunks"]),
        bytes.fromhex(digest(7)[7:]),
    )
    return head + b"".join([*recipes, *chunks])


def _wants() -> Iterator[Vector]:
    ids = sorted([b3(HELLO), b3(OTHER)])
    one = [b3(b"recipe")]
    for name, recipes, chunks, comment in (
        ("a_recipe_and_two_chunks", one, ids, "In two lists, each sorted."),
        ("a_chunk", [], ids[:1], "A chunk alone."),
        ("a_recipe", one, [], "Nobody there knows which chunks it needs."),
    ):
        value = {
            "release": digest(7),
            "recipes": [name.hex() for name in recipes],
            "chunks": [name.hex() for name in chunks],
            "name": "want-lab-1-models-prod-000007.bdw",
        }
        data = want(recipes, chunks)
        rules = "60.2.6 60.2.8 60.2.10"
        yield accept("want", name, rules, data, comment, value=value)
    yield from common("want", "60.2", want(one, ids))
    cases = {
        "a_chunk_that_is_cut_off": ("60.2.6", want(one, ids)[:-1], "A byte short."),
        "a_byte_too_many": ("60.2.6", want(one, ids) + b"\0", "Nobody's."),
        "chunks_that_overflow": (
            "60.2.6 2.1.4",
            want(one, [], chunks=(1 << 64) - 1),
            "32 times the count is no integer of 64 bits.",
        ),
        "nothing_wanted": ("60.2.7", want([], []), "Then none is written."),
        "chunks_that_descend": ("60.2.8", want([], ids[::-1]), "Not sorted."),
        "a_chunk_twice": ("60.2.8", want([], ids[:1] * 2), "Once."),
        "a_recipe_twice": ("60.2.8", want(one * 2, []), "Once."),
    }
    for name, (rules, data, comment) in cases.items():
        yield refuse("want", name, rules, data, comment)
