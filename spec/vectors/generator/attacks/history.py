"""Good bundles at the wrong time, in the wrong place or order (23 to 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import Attack, attack
from spec.vectors.generator.medium import Bundle, release_digest, statement

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = release_digest(Bundle())
AFTER: Final = {"before": ["bundle/one_tree"]}
LATER: Final = {"before": ["bundle/one_tree", "bundle/the_second_release"]}


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    cases: dict[str, tuple[str, Bundle, str, dict[str, Any]]] = {
        "roll_back": (
            "23.2.1",
            Bundle(),
            "An older medium, with the weaknesses it had.",
            {"given": LATER},
        ),
        "equivocation": (
            "23.2.2",
            Bundle(release=statement(created="2026-01-31T12:00:01Z")),
            "Two releases of one number: the packer's key is in two hands.",
            {"given": AFTER},
        ),
        "equivocation_of_the_second": (
            "23.2.2",
            Bundle(
                release=statement(seq=2, prev=FIRST, created="2026-01-31T12:00:09Z")
            ),
            "The same, later.",
            {"given": LATER},
        ),
        "fast_forward": (
            "23.2.4",
            Bundle(release=statement(seq=1002, prev=FIRST)),
            "A stolen key signs a number so high that no true release can follow.",
            {"given": AFTER},
        ),
        "fast_forward_to_the_end": (
            "23.2.4",
            Bundle(release=statement(seq=(1 << 53) - 1, prev=FIRST)),
            "The last number there is.",
            {"given": AFTER},
        ),
        "replay_at_another_site": (
            "25.1.1",
            Bundle(release=statement(audience=["site-a"])),
            "A medium for another site.",
            {"site": "site-b"},
        ),
        "replay_at_a_site_without_a_name": (
            "25.1.1",
            Bundle(release=statement(audience=["site-a"])),
            "This receiver was never told who it is.",
            {},
        ),
        "replay_at_a_site_with_a_longer_name": (
            "25.1.1",
            Bundle(release=statement(audience=["site-a"])),
            "Names are compared whole.",
            {"site": "site-a2"},
        ),
        "from_the_future": (
            "24.1.2",
            Bundle(release=statement(created="2099-01-01T00:00:00Z")),
            "A clock in 2099 would make every true release look old.",
            {},
        ),
        "just_over_two_days_ahead": (
            "24.1.2",
            Bundle(),
            "48 hours and a second.",
            {"clock": "2026-01-29T11:59:59Z"},
        ),
        "freeze": (
            "24.2.2",
            Bundle(release=statement(expires="2026-01-31T12:00:01Z")),
            "The newest medium is withheld, and an expired one offered for ever.",
            {"strict": True},
        ),
        "freeze_of_the_roots": (
            "24.2.2",
            Bundle(),
            "The root and the roles expired long ago.",
            {"strict": True, "clock": "2036-01-02T00:00:00Z"},
        ),
    }
    for name, (rules, bundle, comment, changes) in cases.items():
        yield attack("history", name, rules, bundle, comment, exit=12, **changes)
    yield attack(
        "history",
        "release_before_the_first",
        "8.3.4",
        Bundle(release=statement(prev=FIRST)),
        "Number 1 follows nothing; this one says that it does.",
    )
    for name, member, value, rule, comment in (
        ("number_0", "seq", 0, "8.3.3", "Below every mark, or equal to none."),
        ("number_below_0", "seq", -1, "8.3.3", "Below every mark."),
        (
            "number_as_a_text",
            "seq",
            "2",
            "8.1.2",
            "Compared as a text, 10 comes before 9.",
        ),
        ("number_of_true", "seq", True, "8.1.2", "True is 1 to some readers."),
        (
            "number_over_2_to_the_53",
            "seq",
            1 << 53,
            "2.5.3",
            "Rounded by some readers.",
        ),
        (
            "date_of_no_day",
            "created",
            "2026-02-30T12:00:00Z",
            "8.3.7",
            "Readers disagree on which it is.",
        ),
        (
            "expiry_before_it_was_made",
            "expires",
            "2026-01-31T11:59:59Z",
            "8.3.8",
            "It never was good.",
        ),
    ):
        told = statement(**{member: value})
        first = rule.split()[0]
        names = {"2.5.3": "2.5", "8.1.2": "8.1.2"}.get(first, "")
        yield attack(
            "history",
            f"release_with_a_{name}",
            rule,
            Bundle(release=told),
            comment,
            names=names,
        )
