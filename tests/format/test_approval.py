import hashlib
import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from bundle.digest import digest_of
from bundle.format.approval import LISTED, Before, inline, render
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


# -- what changed --------------------------------------------------------------------


def _since(before: Release, after: Release, *recipes: bytes) -> str:
    """Return the section on what changed, with these recipes at hand."""
    known = {str(digest_of(data)): Recipe.parse(data) for data in recipes}
    told = Before(before, known, known)
    digest = digest_of(after.serialize())
    text = render(after, digest, known, [KEYID], told).decode()
    return text.partition("## What changed\n")[2].partition("\n## Warnings")[0]


def _recipe_of(**files: bytes) -> bytes:
    builder = RecipeBuilder()
    for path, data in files.items():
        sha256 = hashlib.sha256(data).digest()
        builder.add(path, Mode.FILE, len(data), sha256, None, [Literal(data)])
    return builder.finish()


def _release(*artifacts: Artifact, seq: int = 1) -> Release:
    prev = "genesis" if seq == 1 else str(digest_of(b"before"))
    budgets = Budgets.of(artifacts, depth=9, name_bytes=99)
    return _changed(seq=seq, prev=prev, artifacts=artifacts, budgets=budgets)


def test_a_first_release_has_changed_nothing() -> None:
    assert "What changed" not in _text(sample_release(), tiny_recipe())


def test_a_reviewer_sees_since_when() -> None:
    data = _recipe_of(a=b"1")
    text = _since(_release(_artifact(data)), _release(_artifact(data), seq=2), data)
    assert f"Since release 1, `{digest_of(b'before')}`:" in text
    assert "Nothing: the same artifacts with the same files." in text


def test_a_reviewer_sees_which_files_changed() -> None:
    old, new = (
        _recipe_of(gone=b"1", same=b"2", txt=b"3"),
        _recipe_of(same=b"2", txt=b"four", new=b"55"),
    )
    text = _since(
        _release(_artifact(old, revision="r1")),
        _release(_artifact(new, revision="r2"), seq=2),
        *(old, new),
    )
    summary = (
        "- **changed**: hf-model acme/tiny, revision r1 → r2, 1 file added (2 B), "
        "1 removed (1 B), 1 changed (4 B)"
    )
    for line in (
        summary,
        "### Files of hf-model acme/tiny",
        "| removed | gone | 1 |  |",
        "| added | new |  | 2 |",
        "| changed | txt | 1 | 4 |",
    ):
        assert line in text.splitlines()
    assert "same" not in text


def test_a_reviewer_sees_which_artifacts_came_and_went() -> None:
    one, two = _recipe_of(a=b"1"), _recipe_of(a=b"22")
    text = _since(
        _release(_artifact(one, name="acme/gone")),
        _release(_artifact(two, name="acme/new"), seq=2),
        *(one, two),
    )
    assert "- **removed**: hf-model acme/gone, 1 file, 1 B" in text
    assert "- **added**: hf-model acme/new, 1 file, 2 B" in text
    assert "###" not in text


def test_files_of_recipes_that_are_lost_are_not_guessed_at() -> None:
    old, new = _recipe_of(a=b"1"), _recipe_of(a=b"22")
    text = _since(_release(_artifact(old)), _release(_artifact(new), seq=2), new)
    assert "- **changed**: hf-model acme/tiny, files not known here" in text


def test_a_thousand_changed_files_are_listed_and_the_rest_counted() -> None:
    old = _recipe_of(**{f"f{n:05}": b"1" for n in range(LISTED + 7)})
    new = _recipe_of(**{f"f{n:05}": b"2" for n in range(LISTED + 7)})
    text = _since(
        _release(_artifact(old)), _release(_artifact(new), seq=2), *(old, new)
    )
    assert text.count("| changed |") == LISTED
    assert "… and 7 more files." in text
