import hashlib
import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from bundle.digest import digest_of
from bundle.format.approval import LISTED, inline, render
from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.recipe import Mode, Recipe
from bundle.format.recipe_builder import Literal, RecipeBuilder
from bundle.format.release import Artifact, Budgets, Release
from tests.format.samples import (
    HELLO,
    add,
    sample_artifact,
    sample_release,
    tiny_recipe,
)

KEYID = "ab" * 32


def _text(release: Release, *recipes: bytes) -> str:
    carried = {str(digest_of(data)): Recipe.parse(data) for data in recipes}
    return render(release, digest_of(release.serialize()), carried, [KEYID]).decode()


def _changed(**fields: Any) -> Release:  # noqa: ANN401 - fields of a Release
    return msgspec.structs.replace(sample_release(), **fields)


def _artifact(data: bytes, **fields: Any) -> Artifact:  # noqa: ANN401 - of an Artifact
    recipe = Recipe.parse(data)
    return msgspec.structs.replace(
        sample_artifact(),
        recipe=Descriptor.of(RECIPE, data),
        bytes=recipe.total,
        files=recipe.files,
        chunks=recipe.chunks,
        **fields,
    )


def test_a_reviewer_sees_who_made_what_for_whom() -> None:
    release = sample_release()
    text = _text(release, tiny_recipe())
    made_of = release.artifacts[0]
    row = ("hf-model", "acme/tiny", made_of.revision, "2", "18 B", "apache-2.0")
    for line in (
        "# models-prod, release 1",
        "- Stream: `000102030405060708090a0b0c0d0e0f`",
        f"- Release: `{digest_of(release.serialize())}`",
        "- Follows: `genesis`",
        "- For: site-a",
        "- Created: 2026-01-31T12:00:00Z; expires: never",
        f"- Signed by: `{KEYID}`",
        "- Unpacked: 18 B in 2 files",
        f"| {' | '.join(row)} | {made_of.source} |",
        "None.",
        "## hf-model acme/tiny",
        f"| data/hello.txt | 15 | `{hashlib.sha256(HELLO).hexdigest()}` |",
    ):
        assert line in text.splitlines()


def test_the_same_release_gives_the_same_bytes() -> None:
    assert _text(sample_release(), tiny_recipe()) == _text(
        sample_release(), tiny_recipe()
    )


def test_what_may_be_missing_is_said_in_words() -> None:
    artifact = _artifact(tiny_recipe(), licence=None)
    release = _changed(
        audience=(), expires="2027-01-31T12:00:00Z", artifacts=(artifact,)
    )
    text = _text(release)
    assert "- For: every site" in text
    assert "expires: 2027-01-31T12:00:00Z" in text
    assert "| not stated |" in text
    assert "Not carried in this bundle; the same as in an earlier release." in text


def test_every_warning_is_there_with_its_artifact() -> None:
    artifact = _artifact(tiny_recipe(), warnings=("a pickle", "code that runs"))
    text = _text(_changed(artifacts=(artifact,)), tiny_recipe())
    assert "- **acme/tiny**: a pickle\n- **acme/tiny**: code that runs" in text
    assert "None." not in text


def _many(count: int) -> tuple[Release, bytes]:
    builder = RecipeBuilder()
    for number in range(count):
        data = b"%d" % number
        add(builder, f"file-{number:05}", data, [Literal(data)], Mode.FILE)
    data = builder.finish()
    artifact = _artifact(data)
    budgets = Budgets.of((artifact,), depth=1, name_bytes=10)
    return _changed(artifacts=(artifact,), budgets=budgets), data


@pytest.mark.parametrize(
    ("count", "rest"), [(LISTED, None), (LISTED + 1, 1), (LISTED + 1500, 1500)]
)
def test_a_long_list_ends_with_how_many_more(count: int, rest: int | None) -> None:
    text = _text(*_many(count))
    assert len(re.findall(r"^\| file-", text, re.MULTILINE)) == LISTED
    more = re.findall(r"^… and (.*) more files, in the recipe\.$", text, re.MULTILINE)
    assert more == ([] if rest is None else [f"{rest:,}"])


SIZES = {
    0: "0 B",
    1023: "1023 B",
    1024: "1.0 KiB",
    1536: "1.5 KiB",
    1 << 20: "1.0 MiB",
    5 << 30: "5.0 GiB",
    1 << 40: "1.0 TiB",
    3 << 50: "3072.0 TiB",
}


@pytest.mark.parametrize(("size", "text"), SIZES.items(), ids=SIZES.values())
def test_sizes_are_shown_in_binary_units(size: int, text: str) -> None:
    artifact = msgspec.structs.replace(sample_artifact(), bytes=size)
    release = _changed(
        artifacts=(artifact,), budgets=Budgets.of((artifact,), depth=2, name_bytes=11)
    )
    assert f"- Unpacked: {text} in 2 files" in _text(release)


HOSTILE = {
    "a cell that ends the row": ("a | b", r"a \| b"),
    "an escape before the end of a cell": ("a\\| b", r"a\\\| b"),
    "a tag": ("<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"),
    "an entity": ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
    "a link": ("[ok](http://x)", r"\[ok\]\(http://x\)"),
    "an image": ("![ok](x)", r"\!\[ok\]\(x\)"),
    "bold": ("**none** __none__", r"\*\*none\*\* \_\_none\_\_"),
    "struck out": ("~~warning~~", r"\~\~warning\~\~"),
    "code": ("`code`", r"\`code\`"),
    "a heading on a new line": ("x\n# Approved", r"x \# Approved"),
    "a row on a new line": ("x\r\n| tree |", r"x \| tree \|"),
    "a line separator": ("x\N{LINE SEPARATOR}y", "x y"),
    "text that runs backwards": ("x\N{RIGHT-TO-LEFT OVERRIDE}y", "x y"),
    "a terminal's escape": ("x\x1b[2Jy", r"x \[2Jy"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_text_from_a_source_stays_text(text: str, shown: str) -> None:
    assert inline(text) == shown


@settings(max_examples=300)
@given(text=st.text())
def test_any_text_is_one_line_that_reads_as_it_is(text: str) -> None:
    line = inline(text)
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in line)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]()#+!|~]", line)
    assert "<" not in line
