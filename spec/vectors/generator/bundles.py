"""Whole bundles that are accepted (chapters 4 and 26)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import File, git_sha1, volume
from spec.vectors.generator.container import Content, Link, Vector, accept
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.medium import (
    BASE,
    BASE_FILES,
    Bundle,
    Item,
    release_digest,
    statement,
)
from spec.vectors.generator.policies import marked
from spec.vectors.generator.samples import HELLO, OTHER, TINY, TINY_RECIPE
from spec.vectors.generator.signing import (
    APPROVER,
    PACKER,
    RELAY,
    RELEASE_TYPE,
    ROOT,
    SECOND_PACKER,
    SECOND_RELAY,
    keyid,
    metadata,
    pae,
    roles,
    root,
    signature,
)
from spec.vectors.generator.statements import artifact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spec.vectors.generator.statements import JSON

CLOCK: Final = "2026-02-01T00:00:00Z"

RECEIVER: Final[JSON] = {
    "root": "root/of_one_key",
    "clock": CLOCK,
    "site": None,
    "strict": False,
    "marks": [],
}
"""Who reads: a receiver that has enrolled that root and published nothing yet."""

APPROVERS: Final[Mapping[str, tuple[Sequence[int], int]]] = {
    "packer": ([PACKER], 1),
    "approver": ([APPROVER], 1),
}


SECOND: Final = Bundle(
    release=statement(
        seq=2, prev=release_digest(Bundle()), created="2026-01-31T13:00:00Z"
    )
)
"""The release that follows the first."""


def receiver(**changes: Any) -> JSON:
    """Return the receiver, changed."""
    return RECEIVER | changes


def approval(number: int, payload: bytes, payload_type: str = RELEASE_TYPE) -> Content:
    """Return a detached signature (20.4)."""
    return dumps(signature(number, pae(payload_type, payload)))


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield _accepted(
        "one_tree",
        "4.1 4.3 4.9 26.1.1 26.1.3 26.1.5 26.1.7 26.1.8 26.1.9",
        Bundle(),
        "A tree of the two files of 6.9; the other bundles are this one, changed.",
        files=BASE_FILES,
        base=False,
    )
    yield from _contents()
    yield from _signers()
    yield from _surroundings()


def _accepted(
    name: str,
    rules: str,
    bundle: Bundle,
    comment: str,
    *,
    files: Mapping[str, Content] | None = None,
    base: bool = True,
    warnings: Sequence[str] = (),
    states: Mapping[str, str] | None = None,
    reader: str = "",
    **changes: Any,
) -> Vector:
    given: JSON = {"base": BASE} if base else {}
    given["receiver"] = receiver(**changes)
    if reader:
        given["reader"] = reader
    value: JSON = {
        "release": release_digest(bundle),
        "signed": sorted(keyid(number) for number in bundle.packers if number < 90),
        "artifacts": states
        or {f"tree/{item.name}": "verified" for item in bundle.items},
        "warnings": list(warnings),
    }
    if reader != "verify":
        value["files"] = {
            file.path.decode(): file.content.hex()
            for item in bundle.items
            for file in item.files
            if file.mode != 2
        }
    body = bundle.changed() if files is None else dict(files)
    return accept("bundle", name, rules, body, comment, given=given, value=value)


def _contents() -> Iterator[Vector]:
    two = (File(b"a", ([HELLO, OTHER],)), File(b"b", ([OTHER],), git=git_sha1(OTHER)))
    yield _accepted(
        "two_volumes",
        "4.3 6.7.1 6.7.2",
        Bundle([Item(two)], volumes=[volume([HELLO]), volume([OTHER], number=2)]),
        "A file has its chunks in both; the other has a Git SHA-1, which is right.",
    )
    yield _accepted(
        "literals_alone",
        "9.3.3 6.5.10",
        Bundle([Item((File(b"a", (b"a small file",)), File(b"b")))], volumes=[]),
        "No chunk, and so no volume.",
    )
    pair = [Item(TINY, "a"), Item(TINY, "b")]
    yield _accepted(
        "two_artifacts_with_one_recipe",
        "7.2.5 7.2.4 9.2.3",
        Bundle(pair),
        "The recipe is carried once, where it is named first.",
        reader="verify",
    )
    more = [Item([File(b"b", ([OTHER],))], "a"), Item(TINY)]
    yield _accepted(
        "part_of_a_release",
        "9.2.5 9.2.4",
        Bundle(more, carried=[TINY_RECIPE]),
        "Another bundle carries the rest; a verifier checks what is here.",
        states={"tree/a": "not carried", "tree/tiny": "verified"},
        reader="verify",
    )
    odd = statement()
    odd["predicate"]["artifacts"] = [artifact()]
    first = Bundle()
    mark = marked(
        1, release=release_digest(first), name="models-prod", trustedTime=CLOCK
    )
    yield _accepted(
        "one_that_was_published_before",
        "23.2.3",
        first,
        "The mark of this receiver names this very release.",
        files={},
        marks=[mark],
    )

    yield _accepted(
        "the_second_release",
        "8.3.4 23.2.5",
        SECOND,
        "It follows the first, whose mark is here, so nothing is said.",
        marks=[mark | {"trustedTime": "2026-01-31T12:00:00Z"}],
    )


def _signers() -> Iterator[Vector]:
    both: Mapping[str, tuple[Sequence[int], int]] = {
        "packer": ([PACKER, SECOND_PACKER], 2),
        "relay": ([RELAY, SECOND_RELAY], 2),
    }
    yield _accepted(
        "signed_by_two_packers",
        "22.4.1 22.4.2",
        Bundle(
            roles=both,
            packers=[PACKER, SECOND_PACKER],
            carriers=[SECOND_PACKER, PACKER],
        ),
        "Both of two.",
    )
    yield _accepted(
        "carried_on_by_relays",
        "22.4.2",
        Bundle(
            roles=both, packers=[PACKER, SECOND_PACKER], carriers=[RELAY, SECOND_RELAY]
        ),
        "The release is by packers, the bundle by relays.",
    )
    approved = Bundle(roles=APPROVERS)
    name = f"sig/{keyid(APPROVER)}.json"
    yield _accepted(
        "approved",
        "22.4.3 20.4.2",
        approved,
        "An approver was handed the release and signed it.",
        files=approved.changed(**{name: approval(APPROVER, approved.payload)}),
    )
    second = dumps(metadata(root(2), ROOT))
    yield _accepted(
        "with_a_second_root",
        "22.2.4 26.1.2",
        Bundle(),
        "Of the same key; its roles are the first still.",
        files={"trust/2.root.json": second},
    )
    newer = roles({"packer": ([SECOND_PACKER], 1)}, version=2)
    later = Bundle(packers=[SECOND_PACKER], carriers=[SECOND_PACKER])
    yield _accepted(
        "under_newer_roles",
        "22.3.4 22.3.5",
        later,
        "Both files of roles are by the root; the newer one counts, with its packer.",
        files=later.changed(**{"trust/2.roles.json": dumps(metadata(newer, ROOT))}),
    )


def _surroundings() -> Iterator[Vector]:
    yield _accepted(
        "read_without_a_memory",
        "22.5.4",
        Bundle(),
        "A root was given with the command, and nothing is kept.",
        files={},
        warnings=["22.5.4"],
        marks=None,
    )
    yield _accepted(
        "with_files_of_nobody",
        "4.2 26.1.12",
        Bundle(),
        "Not opened: a note, a volume that no list names, a link that leads nowhere.",
        files={
            "README.txt": b"Handle with care.\n",
            "vol-00002.bdv": b"?",
            "vol-00003.bdv": Link("nowhere"),
        },
        warnings=["4.2"],
    )
    expired = Bundle(release=statement(expires="2026-01-31T12:00:01Z"))
    yield _accepted(
        "that_has_expired",
        "24.2.1",
        expired,
        "Media travel for months: it is said, and no more.",
        warnings=["24.2.1"],
    )
    yield _accepted(
        "under_a_root_that_has_expired",
        "24.2.1",
        Bundle(),
        "Ten years on. The root and the roles have expired.",
        files={},
        warnings=["24.2.1", "24.2.1"],
        clock="2036-01-01T00:00:00Z",
    )
    yield _accepted(
        "for_this_site",
        "25.1.1",
        Bundle(release=statement(audience=["site-a"])),
        "The receiver is called so.",
        site="site-a",
    )
    old = dumps(metadata(roles(), ROOT))
    assert old == BASE_FILES["trust/1.roles.json"]
