"""Whole bundles that nobody should trust, or that are wrong in two ways (20 to 26)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spec.vectors.generator.bad_bundles import bad
from spec.vectors.generator.binary import (
    b3,
    ending,
    entries_of,
    frame,
    patch,
    volume_header,
)
from spec.vectors.generator.bundles import APPROVERS, approval
from spec.vectors.generator.container import (
    Absent,
    Content,
    Vector,
)
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.medium import (
    Bundle,
    statement,
)
from spec.vectors.generator.policies import digest as some_digest, marked
from spec.vectors.generator.samples import HELLO, TINY_VOLUME
from spec.vectors.generator.signing import (
    APPROVER,
    MANIFEST_TYPE,
    PACKER,
    RELAY,
    RELEASE_TYPE,
    SECOND_APPROVER,
    SECOND_PACKER,
    SECOND_RELAY,
    STRANGER,
    envelope,
    keyid,
    metadata,
    root,
)
from spec.vectors.generator.statements import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _signatures()
    yield from _policies()
    yield from _order()


def _signatures() -> Iterator[Vector]:
    both = {"packer": ([PACKER, SECOND_PACKER], 2), "relay": ([RELAY, SECOND_RELAY], 2)}
    packers = [PACKER, SECOND_PACKER]
    cases: dict[str, tuple[str, str, Bundle, str]] = {
        "signed_by_a_stranger": (
            "22.4.1",
            "20.3.3",
            Bundle(packers=[STRANGER]),
            "The release.",
        ),
        "a_release_by_a_relay": (
            "22.4.1",
            "20.3.3",
            Bundle(roles=both, packers=[RELAY, SECOND_RELAY], carriers=packers),
            "Relays carry, they do not pack.",
        ),
        "carried_by_a_stranger": (
            "22.4.2",
            "20.3.3",
            Bundle(carriers=[STRANGER]),
            "The manifest.",
        ),
        "carried_by_a_packer_and_a_relay": (
            "22.4.2",
            "20.3.3",
            Bundle(roles=both, packers=packers, carriers=[PACKER, RELAY]),
            "One of two each; they are not added up.",
        ),
        "not_approved": (
            "22.4.3",
            "",
            Bundle(roles=APPROVERS),
            "There is an approver.",
        ),
        "nobody_may_pack": (
            "22.3.7 22.4.1",
            "22.3.7",
            Bundle(roles={"relay": ([RELAY], 1)}),
            "No role is called packer.",
        ),
    }
    for name, (rules, names, bundle, comment) in cases.items():
        yield bad(name, rules, bundle, comment, exit=12, names=names)
    base = Bundle()
    manifest = dumps(envelope(dumps(base.document), MANIFEST_TYPE, PACKER))
    files: dict[str, Content] = {"release.json": manifest}
    comment = "Truly signed, for another place."
    yield bad("a_manifest_as_the_release", "20.3.5", files, comment, exit=12)
    for name, number, signer, kind, comment in (
        (
            "approved_by_a_stranger",
            SECOND_APPROVER,
            SECOND_APPROVER,
            RELEASE_TYPE,
            "No role.",
        ),
        (
            "approved_under_another_name",
            APPROVER,
            STRANGER,
            RELEASE_TYPE,
            "Not its key.",
        ),
        ("approved_as_a_manifest", APPROVER, APPROVER, MANIFEST_TYPE, "Another type."),
    ):
        asked = Bundle(roles=APPROVERS)
        data = approval(signer, asked.payload, kind)
        assert isinstance(data, bytes)
        renamed = data.replace(keyid(signer).encode(), keyid(number).encode())
        more = asked.changed(**{f"sig/{keyid(number)}.json": renamed})
        rules = "20.4.2 22.4.3" if kind == MANIFEST_TYPE else "22.4.3 20.4.2"
        yield bad(
            name,
            rules,
            more,
            comment,
            exit=12,
            names="22.4.3" if rules[1] == "0" else "",
        )


def _policies() -> Iterator[Vector]:
    again = marked(1, release=some_digest(1, "another"))
    later = marked(2)
    cases: dict[str, tuple[str, Bundle, str, dict[str, Any]]] = {
        "read_without_a_root": (
            "22.5.1",
            Bundle(),
            "Nobody is trusted.",
            {"root": None},
        ),
        "for_another_site": (
            "25.1.1",
            Bundle(release=statement(audience=["site-a"])),
            "This is site-b.",
            {"site": "site-b"},
        ),
        "older_than_the_mark": (
            "23.2.1",
            Bundle(),
            "2 was published.",
            {"marks": [later]},
        ),
        "another_one_of_its_number": (
            "23.2.2",
            Bundle(),
            "An alarm.",
            {"marks": [again]},
        ),
        "made_under_a_root_that_is_missing": (
            "23.2.7",
            Bundle(release=statement(trustVersion={"root": 2, "roles": 1})),
            "Somebody took it out of trust/.",
            {},
        ),
        "dated_ahead": (
            "24.1.2",
            Bundle(),
            "The clock is days behind.",
            {"clock": "2026-01-29T11:59:59Z"},
        ),
        "expired_where_that_is_refused": (
            "24.2.2",
            Bundle(release=statement(expires="2026-01-31T12:00:01Z")),
            "A strict receiver.",
            {"strict": True},
        ),
        "under_an_expired_root_where_that_is_refused": (
            "24.2.2",
            Bundle(),
            "A strict receiver, ten years on.",
            {"strict": True, "clock": "2036-01-01T00:00:00Z"},
        ),
    }
    for name, (rules, bundle, comment, changes) in cases.items():
        yield bad(name, rules, bundle, comment, exit=12, **changes)


def _order() -> Iterator[Vector]:
    """Two things are wrong; the one that is looked at first is named."""

    def first(
        name: str,
        rules: str,
        what: Bundle | Mapping[str, Content],
        comment: str,
        **more: Any,
    ) -> Vector:
        return bad(f"first_{name}", rules, what, comment, **more)

    forged = dumps(metadata(root(2), STRANGER))
    garbage: dict[str, Content] = {"release.json": b"garbage"}
    yield first(
        "that_it_is_unfinished",
        "26.1.1",
        {"bundle.json": Absent(), "trust/2.root.json": forged},
        "bundle.json is not there, and a root is forged.",
        exit=13,
    )
    yield first(
        "the_roots",
        "26.1.2 22.2.2",
        {**garbage, "trust/2.root.json": forged},
        "A root is forged, and release.json is garbage.",
        exit=12,
        names="22.2.2",
    )
    yield first(
        "the_signatures",
        "26.1.3 22.4.1",
        Bundle(release_payload=b"garbage", packers=[STRANGER]),
        "The release is by a stranger, and its payload is garbage.",
        exit=12,
        names="20.3.3",
    )
    yield first(
        "the_type",
        "26.1.3 20.3.5",
        {"release.json": dumps(envelope(b"garbage", MANIFEST_TYPE, PACKER))},
        "The payload is of another type, and garbage.",
        exit=12,
        names="20.3.5",
    )
    yield first(
        "the_signature_of_the_manifest",
        "26.1.3 22.4.2",
        Bundle(release_payload=b"garbage", carriers=[STRANGER]),
        "The manifest is by a stranger, and the release is garbage.",
        exit=12,
        names="20.3.3",
    )
    yield first(
        "the_audience",
        "26.1.4 25.1.1",
        Bundle(release=statement(audience=["site-a"]), manifest_payload=b"garbage"),
        "It is for another site, and the manifest is garbage.",
        exit=12,
        names="25.1.1",
    )
    wrong: dict[str, Content] = {"approval.md": b"garbage"}
    yield first(
        "the_manifest",
        "26.1.5 2.5.1",
        {**Bundle(manifest_payload=b"garbage").changed(), **wrong},
        "The manifest is garbage, and so is approval.md.",
        exit=10,
        names="2.5",
    )
    yield first(
        "the_release_that_it_names",
        "26.1.5 3.2.4",
        {
            **Bundle(
                manifest={
                    "contents": digest(b"other"),
                    "release": Bundle(release=statement(seq=2)).document["release"],
                }
            ).changed(),
            **wrong,
        },
        "It names another release and other contents, and approval.md is garbage.",
        exit=11,
        names="3.2.4",
    )
    yield first(
        "the_digest_of_a_list",
        "3.2.3 3.2.4 26.1.7",
        {"shards.bds": bytes(128), "vol-00001.bdv": bytes(1315)},
        "The list of shards is another, and has no magic; so is the volume.",
        exit=11,
        names="3.2.4",
    )
    broken = patch(TINY_VOLUME, 64, b"\0")
    yield first(
        "the_shard",
        "26.1.8 3.3.11",
        {"vol-00001.bdv": broken},
        "The volume is damaged, and so is the magic of its frame.",
        exit=11,
        names="3.3.11",
    )
    yield first(
        "the_frame_and_not_its_payload",
        "5.2.15 26.1.8",
        Bundle(volumes=[_undecodable()]),
        "The payload has another digest, and does not decode.",
        exit=11,
    )


def _undecodable() -> bytes:
    body = volume_header() + frame(
        [HELLO], encoding=1, payload=b"garbage", digest=b3(HELLO)
    )
    return body + ending(body, entries_of([[HELLO]]), 1)
