"""What people see: every value stays text, whoever wrote it."""

from __future__ import annotations

import html.parser
from typing import Any

import msgspec
import pytest

from syncd.http.page import render
from syncd.view import (
    Bundle,
    Placed,
    ReleaseView,
    Status,
    StoreView,
    StreamView,
    Work,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "javascript:alert(1)",
    "</code></td><form action=//evil>",
    "{{ 7 * 7 }}",
    "&lt;b&gt;",
    "\u202egnp.exe",
]


class Seen(html.parser.HTMLParser):
    """Collects tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def status(text: str = "models", **changes: Any) -> Status:  # noqa: ANN401 - fields of it
    """Return a status that has ``text`` wherever a stranger's text can be."""
    bundle = Bundle(
        f"blake3:{text}",
        "refused",
        None,
        (f"/media/{text}",),
        text,
        1,
        "",
        "2026-01-31T12:00:00Z",
        text,
        text,
        removable=False,
    )
    release = ReleaseView(1, text, "2026-01-31T12:00:00Z", 1, 2_000, wanted=False)
    stream = StreamView(
        text,
        text,
        (release,),
        (Placed("pvc", None, False, 2, text, text),),  # noqa: FBT003 - a field
    )
    whole = Status(
        site="ward-3",
        at="2026-01-31T12:00:00Z",
        running=True,
        doing=(Work(text, text, 512, 1_024, 100, 60, 5),),
        bundles=(bundle,),
        streams=(stream,),
        store=StoreView("0" * 32, 1, 10, 1_000, 3_000),
        history=({"at": "2026-01-31T12:00:00Z", "kind": text, "reason": text},),
    )
    return msgspec.structs.replace(whole, **changes)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_text(text: str) -> None:
    plain = Seen(render(status(), operates=True))
    seen = Seen(render(status(text), operates=True))
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert seen.text.count(text) >= 8
    for tag, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/")[0] in "/#", attributes


def test_only_an_operator_sees_what_an_operator_may_do() -> None:
    assert Seen(render(status(), operates=False)).all("form") == []
    forms = Seen(render(status(), operates=True)).all("form")
    assert {form["action"] for form in forms} == {"/ask"}
    assert len(forms) == 3


def test_a_stall_is_said() -> None:
    assert "nothing for 1 min" in Seen(render(status(), operates=False)).text


def test_an_empty_daemon_has_a_page() -> None:
    empty = status(doing=(), bundles=(), streams=(), history=())
    text = Seen(render(empty, operates=False)).text
    for line in (
        "Nothing is being read or published.",
        "No medium with a bundle is here.",
        "Nothing was ever taken.",
        "Nothing yet.",
    ):
        assert line in text


def test_everything_has_a_name_for_those_who_do_not_see_it() -> None:
    seen = Seen(render(status(), operates=True))
    assert seen.all("html") == [{"lang": "en"}]
    assert all("aria-label" in each for each in seen.all("progress"))
    ids = {each.get("id") for _, each in seen.tags}
    for section in seen.all("section"):
        assert section["aria-labelledby"] in ids
    assert all(each.get("scope") == "col" for each in seen.all("th"))
