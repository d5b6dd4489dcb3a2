"""Which repository an image goes to."""

from __future__ import annotations

import pytest

from bundle.errors import FormatError, UsageError
from bundle.oci.mapping import NameMap
from bundle.oci.references import Reference

NAME = "ghcr.io/superlinked/sie-server:v0.3.1"


@pytest.mark.parametrize(
    ("rules", "name", "prefix", "expected"),
    [
        pytest.param([], NAME, "", "superlinked/sie-server", id="keeps its path"),
        pytest.param([], NAME, "mirror", "mirror/superlinked/sie-server", id="below"),
        pytest.param(
            ["ghcr.io/superlinked=sie"], NAME, "", "sie/sie-server", id="a rule"
        ),
        pytest.param(
            ["ghcr.io/superlinked=sie"], NAME, "m", "m/sie/sie-server", id="both"
        ),
        pytest.param(
            ["ghcr.io=one", "ghcr.io/superlinked/sie-server=two"],
            NAME,
            "",
            "two",
            id="the longest rule counts",
        ),
        pytest.param(
            ["ghcr.io/super=x"],
            NAME,
            "",
            "superlinked/sie-server",
            id="whole components only",
        ),
        pytest.param(["ghcr.io/superlinked="], NAME, "", "sie-server", id="taken away"),
        pytest.param([], "alpine:3.20", "", "alpine", id="a short name stays short"),
        pytest.param(
            ["docker.io=hub"], "alpine:3.20", "", "hub/library/alpine", id="hub, short"
        ),
        pytest.param(
            ["docker.io/library=base"],
            "docker.io/library/alpine:3.20",
            "",
            "base/alpine",
            id="hub, written out",
        ),
        pytest.param(["alpine=base"], "alpine:3.20", "", "base", id="a layout's name"),
    ],
)
def test_images_go_where_the_rules_say(
    rules: list[str], name: str, prefix: str, expected: str
) -> None:
    assert NameMap.parse(rules).repository(Reference.parse(name), prefix) == expected


@pytest.mark.parametrize(
    "rule", ["", "a", "=", "=b", "A b=c", "ghcr.io=Upper", "x=a:b"]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="FROM=TO"):
        NameMap.parse([rule])


def test_two_rules_for_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two rules"):
        NameMap.parse(["ghcr.io=a", "ghcr.io/=b"])


def test_a_rule_that_leaves_no_repository_is_refused() -> None:
    rules = NameMap.parse(["ghcr.io/superlinked/sie-server="])
    with pytest.raises(FormatError, match=r"91\.5\.1"):
        rules.repository(Reference.parse(NAME))


def test_a_repository_over_255_characters_is_refused() -> None:
    with pytest.raises(FormatError, match=r"91\.5\.1"):
        NameMap().repository(Reference.parse(f"ghcr.io/{'a' * 200}"), "b" * 100)
