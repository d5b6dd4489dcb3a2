"""What a receiver makes of a release: marks, order, time, audience, terms (23 to 25).

The release was verified before; a vector holds what it says and what the receiver
remembers, and the value says what people are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.binary import b3
from spec.vectors.generator.container import Vector, accept, refuse
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.statements import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec.vectors.generator.statements import JSON

NOW: Final = "2026-06-01T00:00:00Z"
CREATED: Final = "2026-05-01T00:00:00Z"
OLDER: Final = "2026-04-01T00:00:00Z"
OTHER_STREAM: Final = "f" * 32


def digest(number: int, word: str = "release") -> str:
    """Return the digest of a release that nobody has to see."""
    return f"blake3:{b3(f'{word} {number}'.encode()).hex()}"


def released(seq: int = 7, **changes: Any) -> JSON:
    """Return what a release says of itself."""
    return {
        "stream": STREAM,
        "name": "models-prod",
        "seq": seq,
        "digest": digest(seq),
        "prev": digest(seq - 1),
        "audience": [],
        "created": CREATED,
        "expires": None,
        "trustVersion": {"root": 1, "roles": 1},
    } | changes


def marked(seq: int = 6, **changes: Any) -> JSON:
    """Return the mark of a stream."""
    return {
        "stream": STREAM,
        "name": "models-prod",
        "seq": seq,
        "release": digest(seq),
        "trustedTime": OLDER,
    } | changes


def receiving(*marks: JSON, **changes: Any) -> JSON:
    """Return what a receiver is and remembers."""
    return {
        "site": None,
        "clock": NOW,
        "root": 1,
        "roles": 1,
        "strict": False,
        "marks": list(marks),
    } | changes


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _accepted()
    yield from _times()
    yield from _refused()
    yield from _listed()
    yield from _unlisted()


def _good(
    name: str,
    rules: str,
    release: JSON,
    receiver: JSON,
    comment: str,
    *warnings: str,
    replay: bool = False,
    time: str = CREATED,
) -> Vector:
    value = {"warnings": list(warnings), "replay": replay, "trustedTime": time}
    body = dumps({"release": release, "receiver": receiver})
    return accept("policy", name, rules, body, comment, value=value)


def _accepted() -> Iterator[Vector]:
    here = receiving(marked())
    comment = "7 after 6."
    yield _good("the_next_one", "23.2.5 23.1.1", released(), here, comment)
    comment = "It is the one that is here. It may be published again."
    mark = marked(7)
    yield _good(
        "the_same_again", "23.2.3", released(), receiving(mark), comment, replay=True
    )
    comment = "9 after 6: releases between them were not read."
    rules = "23.2.5"
    yield _good("one_that_skips_two", rules, released(9), here, comment, "23.2.5")
    comment = "7 after 6, but after another 6."
    odd = released(prev=digest(6, "another"))
    yield _good("one_after_another_sixth", rules, odd, here, comment, "23.2.5")
    comment = "A thousand and six after six: the farthest."
    far = released(1006)
    yield _good("one_that_skips_999", "23.2.4", far, here, comment, "23.2.5")
    comment = "Nothing of the stream was read before."
    yield _good(
        "the_first_that_is_read", "23.2.6", released(70_000), receiving(), comment
    )
    comment = "Another stream had the name; its mark does not protect this one."
    namesake = receiving(marked(9, stream=OTHER_STREAM))
    rules = "23.2.6 23.1.1"
    yield _good(
        "a_second_stream_of_a_name", rules, released(), namesake, comment, "23.2.6"
    )
    comment = "The mark belongs to the id, whatever the stream is called now."
    renamed = released(name="models")
    yield _good("a_stream_under_a_new_name", "23.1.1", renamed, here, comment)
    comment = "This receiver is one of those it is for."
    asked = released(audience=["site-a", "site-b"])
    there = receiving(marked(), site="site-b")
    yield _good("for_this_site", "25.1.1", asked, there, comment)
    comment = "It was made under older files than those in force."
    newer = receiving(marked(), root=2, roles=5)
    yield _good("under_older_roles", "23.2.7", released(), newer, comment)


def _times() -> Iterator[Vector]:
    comment = "The clock stands at 2026-06-01; dates in the future move nothing."
    ahead = released(created="2026-06-03T00:00:00Z")
    here = receiving(marked())
    rules = "24.1.2 24.1.3"
    yield _good("dated_48_hours_ahead", rules, ahead, here, comment, time=OLDER)
    comment = "The trusted time is later than the clock, and judges in its place."
    slow = receiving(marked(trustedTime="2026-05-31T00:00:00Z"), clock=OLDER)
    june = released(created=NOW)
    time = "2026-05-31T00:00:00Z"
    yield _good("on_a_clock_that_is_slow", "24.1.1", june, slow, comment, time=time)
    comment = "The trusted time is the latest of all streams."
    other = marked(3, stream=OTHER_STREAM, name="other", trustedTime=NOW)
    both = receiving(marked(), other)
    yield _good("beside_a_newer_stream", "24.1.3", released(), both, comment, time=NOW)
    comment = "It expires now; that is said, and no more."
    late = released(expires=NOW)
    yield _good("that_expires_now", "24.2.1", late, here, comment, "24.2.1")
    comment = "By the clock it has not expired, by the trusted time it has."
    mark = marked(trustedTime=NOW)
    old = receiving(mark, clock=CREATED)
    yield _good(
        "expired_by_trusted_time",
        "24.2.1 24.1.1",
        late,
        old,
        comment,
        "24.2.1",
        time=NOW,
    )
    comment = "A second is left."
    soon = released(expires="2026-06-01T00:00:01Z")
    strict = receiving(marked(), strict=True)
    yield _good("that_expires_in_a_second", "24.2.1", soon, strict, comment)


def _refused() -> Iterator[Vector]:
    here = receiving(marked())
    cases: dict[str, tuple[str, JSON, JSON, str]] = {
        "an_older_one": ("23.2.1", released(5), here, "Roll-back: 5 after 6."),
        "a_second_sixth": (
            "23.2.2",
            released(6, digest=digest(6, "another")),
            here,
            "Equivocation: a key is in two hands.",
        ),
        "one_that_skips_1000": (
            "23.2.4",
            released(1007),
            here,
            "One farther than the farthest.",
        ),
        "the_largest_number": (
            "23.2.4",
            released((1 << 53) - 1),
            here,
            "It would use up the numbers at once.",
        ),
        "a_root_that_is_missing": (
            "23.2.7",
            released(trustVersion={"root": 2, "roles": 1}),
            here,
            "Its packer had root 2.",
        ),
        "roles_that_are_missing": (
            "23.2.7",
            released(trustVersion={"root": 1, "roles": 2}),
            here,
            "Its packer had roles 2.",
        ),
        "dated_48_hours_and_a_second_ahead": (
            "24.1.2",
            released(created="2026-06-03T00:00:01Z"),
            here,
            "Held.",
        ),
        "expired_where_that_is_refused": (
            "24.2.2",
            released(expires=NOW),
            receiving(marked(), strict=True),
            "A strict receiver.",
        ),
        "for_another_site": (
            "25.1.1",
            released(audience=["site-a"]),
            receiving(marked(), site="site-b"),
            "Not for this one.",
        ),
        "for_a_site_at_a_receiver_without_a_name": (
            "25.1.1",
            released(audience=["site-a"]),
            here,
            "It may be the one, but does not say so.",
        ),
    }
    for name, (rules, release, receiver, comment) in cases.items():
        body = dumps({"release": release, "receiver": receiver})
        yield refuse("policy", name, rules, body, comment, exit=12)


def _described(**changes: Any) -> JSON:
    """Return a release with all that terms look at."""
    return released(
        artifacts=[["hf-model", "org/a"], ["tree", "manuals"]],
        signers=["aa" * 32],
        approvers=[],
    ) | dict(changes)


def _on_terms(*streams: JSON, **terms: Any) -> JSON:
    """Return a receiver with terms; ``streams`` are those it lists."""
    policy = terms | ({"stream": list(streams)} if streams else {})
    return receiving(marked(), policy=policy)


def _listed() -> Iterator[Vector]:
    comment = "One of two listed streams, with a name that fits, by a listed key."
    own = {
        "id": STREAM,
        "names": ["org/*", "manuals"],
        "kinds": ["tree", "hf-model"],
        "keys": ["aa" * 8],
    }
    here = _on_terms({"id": OTHER_STREAM}, own)
    rules = "25.2.2 25.2.1 25.2.3"
    yield _good("listed_with_its_names", rules, _described(), here, comment)
    comment = "Two people who did not pack it said yes."
    asked = _described(approvers=["bb" * 32, "cc" * 32])
    yield _good("approved_by_two", "25.2.5", asked, _on_terms(approvers=2), comment)
    comment = "The older one is wanted, and the mark stays: 5 in place of 6."
    back = receiving(marked(), rollsBack=True)
    rules = "23.4.1 23.4.2"
    older = _described(**_older())
    yield _good("gone_back_to_on_purpose", rules, older, back, comment, "23.4.2")


def _older() -> JSON:
    return {"seq": 5, "digest": digest(5), "prev": digest(4)}


def _unlisted() -> Iterator[Vector]:
    late = _described(seq=8, digest=digest(8), prev=digest(7))
    own = {"id": STREAM}
    cases: dict[str, tuple[str, JSON, JSON, str]] = {
        "of_a_stream_that_is_not_listed": (
            "25.2.1",
            _described(),
            _on_terms({"id": OTHER_STREAM}),
            "Once one is listed, no other is taken.",
        ),
        "of_a_listed_stream_under_another_name": (
            "25.2.1",
            _described(),
            _on_terms(own | {"name": "models-dev"}),
            "The label is listed too.",
        ),
        "with_a_name_that_is_not_its_own": (
            "25.2.2",
            _described(),
            _on_terms(own | {"names": ["org/*"]}),
            "The tree is called manuals.",
        ),
        "with_a_kind_that_is_not_its_own": (
            "25.2.2",
            _described(),
            _on_terms(own | {"kinds": ["tree"]}),
            "One of the artifacts is a model.",
        ),
        "by_a_packer_that_is_not_listed": (
            "25.2.3",
            _described(),
            _on_terms(own | {"keys": ["bb" * 8]}),
            "The role has more packers than this stream.",
        ),
        "for_everyone_where_a_site_is_needed": (
            "25.2.4",
            _described(),
            _on_terms(audience="required"),
            "It names no site.",
        ),
        "approved_by_its_packer": (
            "25.2.5",
            _described(approvers=["aa" * 32]),
            _on_terms(approvers=1),
            "Who packed it does not count.",
        ),
        "after_a_gap_where_that_is_held": (
            "25.2.6",
            late,
            _on_terms(gaps="refuse"),
            "7 was not read.",
        ),
        "nothing_to_go_back_to": (
            "23.4.1",
            _described(),
            receiving(marked(), rollsBack=True),
            "7 after 6.",
        ),
    }
    for name, (rules, release, receiver, comment) in cases.items():
        body = dumps({"release": release, "receiver": receiver})
        yield refuse("policy", name, rules, body, comment, exit=12)
