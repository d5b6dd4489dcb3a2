"""What is to be done next, for every situation that decides something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.phases import NEXT, Event, Need, Phase, after
from syncd.plan import (
    Acknowledge,
    Arrival,
    Collect,
    Held,
    Placement,
    Publish,
    Read,
    Return,
    Situation,
    plan,
    wake_at,
)

NOW = 1_000.0

ONE = Held("s", "models", 1, "r1", ("pvc", "s3"))
TWO = Held("s", "models", 2, "r2", ("pvc", "s3"))
OTHER = Held("t", "images", 5, "t5", ("registry",))

SEEN = Arrival(bundle="b1", phase=Phase.SEEN, seen_at=10, places=("/m/1",))
LATER = replace(SEEN, bundle="b2", seen_at=20)
FIRST = replace(SEEN, bundle="z", places=("/m/s-000001",))
BEGUN = replace(LATER, phase=Phase.READING)
GONE = replace(SEEN, places=())
WAITING = replace(SEEN, phase=Phase.WAITING, need=Need.MEDIA)
FULL = replace(SEEN, phase=Phase.WAITING, need=Need.SPACE, retry_at=NOW + 5)
REFUSED = replace(SEEN, phase=Phase.REFUSED)
INGESTED = replace(SEEN, phase=Phase.INGESTED)


def has(held: Held, target: str, **changes: object) -> Placement:
    return replace(Placement(held.stream, target, held.release), **changes)  # type: ignore[arg-type]


PLACED = (has(TWO, "pvc"), has(TWO, "s3"))


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(Situation(), (), id="nothing was ever seen"),
        pytest.param(Situation([LATER, SEEN]), (Read(SEEN),), id="the oldest is read"),
        pytest.param(
            Situation([replace(SEEN, bundle="a", places=("/m/s-000002",)), FIRST]),
            (Read(FIRST),),
            id="of those seen at once the one whose name comes first",
        ),
        pytest.param(
            Situation([SEEN, BEGUN]), (Read(BEGUN),), id="what was begun is read first"
        ),
        pytest.param(Situation([GONE]), (), id="its medium is gone"),
        pytest.param(Situation([WAITING]), (), id="it waits for another medium"),
        pytest.param(Situation([REFUSED]), (), id="it was refused"),
        pytest.param(Situation([INGESTED]), (), id="it is in the store"),
        pytest.param(Situation([FULL]), (), id="a retry is not due"),
        pytest.param(
            Situation([replace(FULL, retry_at=NOW)]),
            (Read(replace(FULL, retry_at=NOW)),),
            id="a retry is due",
        ),
        pytest.param(
            Situation(held=[ONE]),
            (Publish(ONE, "pvc"), Publish(ONE, "s3")),
            id="every target that selects it gets a release",
        ),
        pytest.param(
            Situation(held=[TWO, ONE]),
            (Publish(TWO, "pvc"), Publish(TWO, "s3")),
            id="the newest release is what targets should have",
        ),
        pytest.param(
            Situation([SEEN], held=[ONE], placements=[has(ONE, "pvc")]),
            (Read(SEEN), Publish(ONE, "s3")),
            id="reading and publishing go on side by side",
        ),
        pytest.param(
            Situation(
                held=[ONE, OTHER],
                placements=[
                    has(ONE, "pvc"),
                    has(ONE, "s3", release="", failures=3, retry_at=NOW + 1),
                ],
            ),
            (Publish(OTHER, "registry"),),
            id="a target that fails holds up no other",
        ),
        pytest.param(
            Situation(held=[TWO], placements=PLACED, holding="h2", acknowledged="h1"),
            (Acknowledge("h2", whole=True),),
            id="what changed is acknowledged once all is published",
        ),
        pytest.param(
            Situation(
                held=[TWO],
                placements=[has(TWO, "pvc"), has(ONE, "s3", retry_at=NOW + 9)],
                holding="h2",
            ),
            (Acknowledge("h2", whole=False),),
            id="a target that fails does not hold up the receipt",
        ),
        pytest.param(
            Situation(held=[TWO], placements=PLACED, holding="h", acknowledged="h"),
            (),
            id="nothing is left to do",
        ),
        pytest.param(
            Situation(
                held=[ONE, TWO],
                placements=PLACED,
                returns=[Return("s", "r1", above=2)],
            ),
            (Publish(ONE, "pvc"), Publish(ONE, "s3")),
            id="an operator went back",
        ),
        pytest.param(
            Situation(
                held=[ONE, TWO],
                placements=[has(ONE, "pvc"), has(ONE, "s3")],
                returns=[Return("s", "r1", above=1)],
            ),
            (Publish(TWO, "pvc"), Publish(TWO, "s3")),
            id="a later release ends going back",
        ),
        pytest.param(
            Situation(
                held=[TWO], placements=PLACED, returns=[Return("s", "lost", above=9)]
            ),
            (),
            id="going back to what the store lost changes nothing",
        ),
        pytest.param(
            Situation(held=[ONE, TWO], placements=PLACED, keep=1),
            (Collect(("r1",)),),
            id="what retention does not keep is collected",
        ),
        pytest.param(
            Situation(
                held=[ONE, TWO], placements=PLACED, keep=1, pins=frozenset({"r1"})
            ),
            (),
            id="a pin stays",
        ),
        pytest.param(
            Situation([WAITING], held=[ONE, TWO], placements=PLACED, keep=1),
            (),
            id="nothing is collected while a bundle is half taken",
        ),
        pytest.param(
            Situation(
                held=[ONE, TWO],
                placements=[has(TWO, "pvc"), has(ONE, "s3", retry_at=NOW + 9)],
                keep=1,
            ),
            (),
            id="what a target still has is not collected",
        ),
    ],
)
def test_what_is_done_next(situation: Situation, expected: tuple[object, ...]) -> None:
    assert plan(situation, NOW) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(Situation([WAITING]), None, id="nothing is due by itself"),
        pytest.param(Situation([FULL]), NOW + 5, id="a bundle is tried again"),
        pytest.param(
            Situation(
                [FULL], held=[ONE], placements=[has(ONE, "pvc", release="", retry_at=7)]
            ),
            7,
            id="a target is tried again first",
        ),
    ],
)
def test_when_to_wake(situation: Situation, expected: float | None) -> None:
    assert wake_at(situation) == expected


def test_what_is_not_in_the_table_cannot_happen() -> None:
    for phase in Phase:
        for event in Event:
            if (phase, event) in NEXT:
                assert after(phase, event) in Phase
            else:
                with pytest.raises(ValueError, match="cannot happen"):
                    after(phase, event)


def test_every_phase_is_reached_and_left_or_ends() -> None:
    assert {*NEXT.values()} == set(Phase)
    assert {phase for phase, _ in NEXT} == set(Phase)
